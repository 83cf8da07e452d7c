/** The action of a call. Without an action, the engine runs the function and returns its answer. */
export type TriggerActionType = { readonly type: 'void' } | { readonly type: 'enqueue'; readonly queue: string };

export const TriggerAction = {
  /** The caller does not wait. The promise resolves with `undefined` when the call is sent or queued. */
  Void: (): TriggerActionType => ({ type: 'void' }),
  /** The call goes through a named queue. Rivulet has no queues, so the call fails with `enqueue_error`. */
  Enqueue: ({ queue }: { readonly queue: string }): TriggerActionType => ({ type: 'enqueue', queue }),
} as const;
