import type { Position } from '@rivulet/protocol';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { Membership, Subscription } from './subscription.js';

/**
 * Sends `stale` to a position-aware client when its group is unavailable, and `caught_up` when the group is available again (rule RV-17).
 * The subscription must be at the head of the log, so that the frame stands behind everything that was sent. The socket must be `ready`.
 */
export function notifyAvailability(subscription: Subscription, frames: FrameEncoder): void {
  const { subscriber, fanout } = subscription;
  if (!subscriber.positions) return;
  const isUnavailable = fanout.unavailableSince !== undefined;
  for (const member of subscription.members) {
    if (member.outdated === isUnavailable) continue;
    if (isUnavailable) writeStale(subscription, member, frames);
    else writeCaughtUp(subscription, member, frames);
  }
}

/** Sends `stale` to a subscription that is behind and can't be served, because the store can't be read. */
export function notifyUnavailable(subscription: Subscription, frames: FrameEncoder): void {
  const { subscriber, fanout, members } = subscription;
  if (!subscriber.positions || !subscriber.ready || fanout.unavailableSince === undefined) return;
  for (const member of members) if (!member.outdated) writeStale(subscription, member, frames);
}

/**
 * Sends `caught_up` to a position-aware client that watches only items of a group, if it has all their changes up to `position` (rule
 * RV-62). The position of an item moves only with its own changes, so the client can't know it otherwise. One frame for the group is
 * enough, because all its subscriptions share one cursor.
 */
export function notifyReached(subscription: Subscription, { epoch, offset }: Position, frames: FrameEncoder): void {
  const { subscriber, fanout } = subscription;
  if (!awaitsReached(subscription, { epoch, offset }) || fanout.flushed < offset) return;
  for (const member of subscription.members) {
    if (member.outdated) continue;
    subscriber.write(frames.control({ type: 'caught_up', data: { subscriptionId: member.id, epoch, offset: fanout.flushed } }));
    return;
  }
}

/** Returns whether `notifyReached` sends a frame as soon as all changes up to `position` were flushed. */
export function awaitsReached({ subscriber, fanout, state, watchesGroup }: Subscription, { epoch }: Position): boolean {
  return state === 'live' && !watchesGroup && subscriber.positions && subscriber.ready && fanout.epoch === epoch;
}

function writeStale({ subscriber }: Subscription, member: Membership, frames: FrameEncoder): void {
  member.outdated = true;
  subscriber.write(frames.control({ type: 'stale', data: { subscriptionId: member.id } }));
}

function writeCaughtUp({ subscriber, fanout, cursor }: Subscription, member: Membership, frames: FrameEncoder): void {
  member.outdated = false;
  const { epoch = '', log } = fanout;
  // The position of a group without items may rise without a change.
  subscriber.write(frames.control({ type: 'caught_up', data: { subscriptionId: member.id, epoch, offset: Math.max(log.head, cursor) } }));
}
