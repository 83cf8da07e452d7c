/** What happens with a call beside "run it and answer". */
export type TriggerActionType = { readonly type: 'void' } | { readonly type: 'enqueue'; readonly queue: string };

export const TriggerAction = {
  /** Nobody waits: the promise of the call resolves with `undefined` once the call is handed over. */
  Void: (): TriggerActionType => ({ type: 'void' }),
  /** Through a named queue; the answer is `{ messageReceiptId }`. Rivulet has no queue: the call fails with `enqueue_error`. */
  Enqueue: ({ queue }: { readonly queue: string }): TriggerActionType => ({ type: 'enqueue', queue }),
} as const;
