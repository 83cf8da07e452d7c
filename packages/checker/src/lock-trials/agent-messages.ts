/** A command to an agent: one JSON value a line on its standard input. */
export type AgentCommand = { readonly kind: 'open'; readonly directory: string; readonly owner: string } | { readonly kind: 'close' };

/** A report of an agent: one JSON value a line on its standard output. */
export type AgentReport =
  | { readonly kind: 'ready' }
  /** The store is open. `offset`: the last one in the store; `values`: the last number that each owner has written. */
  | { readonly kind: 'opened'; readonly offset: number; readonly values: Readonly<Record<string, number>> }
  | { readonly kind: 'refused'; readonly reason: string; readonly milliseconds: number }
  | { readonly kind: 'written'; readonly owner: string; readonly offset: number; readonly value: number }
  | { readonly kind: 'write_failed'; readonly code: string }
  | { readonly kind: 'lost' }
  | { readonly kind: 'closed' };
