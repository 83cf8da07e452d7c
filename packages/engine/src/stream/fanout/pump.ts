import type { Resync, WhyRecords } from '../../why/why-records.js';
import type { Membership, Subscription } from './subscription.js';

/** Milliseconds at most between two recoveries of a cursor that is lost again and again. */
const LAST_RECOVERY_MS = 1_000;

export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

/**
 * Waits before the recovery with this number, from 0. The first waits for nothing, the second for one turn of the event loop. Later ones
 * wait twice as long each, up to `LAST_RECOVERY_MS`. Otherwise a cursor that the store can never serve would keep the event loop busy.
 */
export async function beforeRecovery(number: number): Promise<void> {
  if (number === 1) await new Promise((resolve) => setImmediate(resolve));
  else if (number > 1) await delay(Math.min(2 ** number, LAST_RECOVERY_MS));
}

/** Resolves when the socket takes frames or the subscription is closed. */
export async function untilReady(subscription: Subscription): Promise<void> {
  const { subscriber } = subscription;
  while (!closed(subscription) && !subscriber.ready) await subscriber.whenChanged();
}

/** A function, because TypeScript would narrow the state over an `await`. */
export function closed(subscription: Subscription): boolean {
  return subscription.state === 'closed' || !subscription.subscriber.open;
}

/**
 * Returns whether the log can't serve the cursor. A subscription without a cursor has nothing to lose. While a subscription holds back, it
 * reads nothing of the log: every target that awaits a `sync` gets that first, and the changes since then follow.
 */
export function lost({ cursor, history, fanout, holdsBack }: Subscription): boolean {
  return cursor >= 0 && (history !== fanout.history || (cursor < fanout.log.base && !holdsBack));
}

/** Records where the answer of a join led: to `from`, and from the position `since` of its client. */
export function noteJoined(membership: Membership, from: number, since = -1): void {
  membership.from = from;
  membership.since = since;
}

/** Records that a reader which was behind got a `sync`, or each changed item once. */
export function noteResync(
  subscription: Subscription,
  why: WhyRecords | undefined,
  resync: Pick<Resync, 'item' | 'mode' | 'reason' | 'from' | 'to'>,
): void {
  subscription.resyncs++;
  subscription.resyncedThrough = Math.max(subscription.resyncedThrough, resync.to);
  const { fanout, subscriber } = subscription;
  const { number: session } = subscriber;
  if (session !== undefined) why?.resynced({ session, stream: fanout.stream, group: fanout.group, ...resync });
}
