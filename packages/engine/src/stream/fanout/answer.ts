import type { Since, SyncReason } from '@rivulet/protocol';

/**
 * The state of an answer:
 *
 * | State      | refuse    | breakOff | absorb   | restart           | end    |
 * |------------|-----------|----------|----------|-------------------|--------|
 * | `waiting`  | –         | `broken` | –        | –                 | `done` |
 * | `resuming` | `syncing` | `broken` | –        | –                 | `done` |
 * | `syncing`  | –         | `broken` | `broken` | `syncing`, no gap | `done` |
 * | `broken`   | –         | `broken` | `broken` | `broken`, no gap  | `done` |
 * | `done`     | –         | –        | –        | –                 | –      |
 *
 * A dash: the event changes nothing.
 */
export type AnswerState =
  /** The client named no position. The answer is a `sync` without a reason. */
  | { readonly kind: 'waiting' }
  /** The client named a position. The answer is `resumed`, or a `sync` with a reason after `refuse`. */
  | { readonly kind: 'resuming'; readonly since: Since }
  /** The answer is a `sync` in place of a position. */
  | ({ readonly kind: 'syncing' } & SyncCause)
  /** Frames of an answer were sent and its end was not. A `sync` must follow, and nothing of its target may be sent before. */
  | ({ readonly kind: 'broken' } & SyncCause)
  | { readonly kind: 'done' };

export interface SyncCause {
  /** Why the client gets a `sync` although it had a position; `undefined` for clients without positions. */
  readonly reason: SyncReason | undefined;
  /** Offset up to which the client has everything: events after it are lost. `undefined` when the client has nothing of this history. */
  readonly gapAfter: number | undefined;
  /** History of the fan-out that `reason` and `gapAfter` belong to. */
  readonly history: number;
}

/** An answer that a subscription owes its client: the state of an item, or of the whole group. `Member` is the type of its memberships. */
export class Answer<Member> {
  /** `undefined` for the whole group. */
  readonly item: string | undefined;
  #membership: Member | undefined;
  #state: AnswerState;

  /** `membership`: the join that gets the answer. `undefined`: every membership of the item gets it. */
  constructor(item: string | undefined, state: AnswerState, membership?: Member) {
    this.item = item;
    this.#state = state;
    this.#membership = membership;
  }

  get state(): AnswerState {
    return this.#state;
  }

  /** The join that gets the answer. `undefined` when every membership of the item gets it, as after `breakOff`. */
  get membership(): Member | undefined {
    return this.#membership;
  }

  /** Reason and gap that are sent with the `sync`; `undefined` when there are none. */
  get cause(): SyncCause | undefined {
    return this.#state.kind === 'syncing' || this.#state.kind === 'broken' ? this.#state : undefined;
  }

  /** The position can't be resumed: a `sync` takes its place. */
  refuse(cause: SyncCause): void {
    if (this.#state.kind === 'resuming') this.#state = { kind: 'syncing', ...cause };
  }

  /** The answer was begun and can't be ended. `gapAfter`: the client has everything up to this offset of `history`. */
  breakOff(gapAfter: number | undefined, history: number): void {
    if (this.#state.kind === 'done') return;
    const before = this.cause;
    const reason = before?.reason ?? 'restarted';
    this.#state = { kind: 'broken', reason, gapAfter, history: before?.history ?? history };
    this.#membership = undefined;
  }

  /** Another broken answer has the same target: this one states the larger gap of both. */
  absorb(gapAfter: number | undefined): void {
    const { cause } = this;
    if (cause === undefined) return;
    const both = gapAfter !== undefined && cause.gapAfter !== undefined ? Math.min(gapAfter, cause.gapAfter) : cause.gapAfter;
    this.#state = { kind: 'broken', reason: cause.reason ?? 'restarted', gapAfter: both, history: cause.history };
  }

  /** Drops the gap and replaces the reason when they belong to a history that has ended. */
  restart(history: number, reason: SyncReason | undefined): void {
    const { cause } = this;
    if (cause === undefined || cause.history === history) return;
    this.#state = { kind: this.#state.kind === 'broken' ? 'broken' : 'syncing', reason, gapAfter: undefined, history };
  }

  /** The answer was written as a whole. */
  end(): void {
    this.#state = { kind: 'done' };
  }
}
