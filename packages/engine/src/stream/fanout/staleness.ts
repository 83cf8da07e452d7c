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
