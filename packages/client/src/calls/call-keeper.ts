import type { StreamError } from '../access/stream-error.js';

/** A call as it is kept. It has no optimistic change, because a function can't be kept. */
export interface KeptCall {
  readonly key: string;
  readonly functionId: string;
  /** The payload as JSON. */
  readonly data: string;
  readonly timeoutMs: number;
  /** When the page made the call, in milliseconds since 1970. */
  readonly madeAt: number;
}

/** A call of an earlier page, and how it ended. */
export type RestoredCall =
  | { readonly call: KeptCall; readonly kind: 'result'; readonly result: unknown }
  | { readonly call: KeptCall; readonly kind: 'error'; readonly error: StreamError };

/**
 * Keeps the calls that have no answer yet, so that the next page sends them. The part `@rivulet/client/kept-calls` makes one. The client
 * calls `load` once, before it sends any call, and the other methods for each call. They must not throw.
 */
export interface CallKeeper {
  /**
   * Resolves with the calls of earlier pages, in the order in which they were made. `report` gets errors. The client goes on after 2 s
   * without them.
   */
  load(report: (error: StreamError) => void): Promise<readonly KeptCall[]>;
  add(call: KeptCall): void;
  /** The call has ended. `restored`: an earlier page made it, so nobody waits for its promise. */
  remove(key: string, restored?: RestoredCall): void;
  /** The client is closed. Calls without an answer stay, for the next client. */
  close(): void;
}
