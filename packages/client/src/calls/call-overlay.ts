import type { Position } from '@rivulet/protocol';
import type { StreamError } from '../access/stream-error.js';
import type { Clock } from '../connection/clock.js';
import type { Subscription } from '../subscription/subscription.js';
import type { CallGroup, Draft } from './call-types.js';

/** The position of a group after a call. `undefined`: the stream has no positions, or this connection has not joined the group. */
export interface ConfirmedGroup extends CallGroup {
  readonly position: Position | undefined;
}

/**
 * How a call ended. `positions` has each group that the call named or changed, with the position that the group had after the function had
 * ended. It is empty when the engine did not answer.
 */
export type CallOutcome =
  | { readonly kind: 'result'; readonly result: unknown; readonly positions: readonly ConfirmedGroup[] }
  | { readonly kind: 'error'; readonly error: StreamError; readonly positions: readonly ConfirmedGroup[] };

/**
 * Shows the optimistic changes of calls in views. The client calls `begin` when a call is made, in the order of the calls, and then
 * `settled` exactly once, before the promise of the call is settled. Both run within one turn, so no view is drawn in between.
 */
export interface CallOverlay {
  /**
   * Shows the change of a call. Returns the groups that it changed, whose positions the answer will have. If it throws, the call is
   * rejected with that error and is not sent, and `settled` is not called.
   */
  begin(callId: string, change: (draft: Draft) => void): readonly CallGroup[];
  /** The call was sent for the first time, so changes that come may be its own. */
  sent(callId: string): void;
  settled(callId: string, outcome: CallOutcome): void;
  /** A target was opened that no other view watches. */
  opened(subscription: Subscription): void;
}

/** The members of a client that an overlay needs. */
export interface OverlayHost {
  readonly clock: Clock;
  /** Returns all open subscriptions. */
  subscriptions(): Iterable<Subscription>;
  /** Gives an error to `onError`. */
  report(error: StreamError): void;
}

/** The code for optimistic writes: the value `optimistic` of `@rivulet/client/optimistic`. */
export interface OptimisticPart {
  readonly part: 'optimistic';
}

/** The members of the part that only the client uses. */
export interface OverlayPart extends OptimisticPart {
  open(host: OverlayHost): CallOverlay;
}
