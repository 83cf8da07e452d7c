import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { Membership, Subscription } from './subscription.js';

/**
 * Tells who knows positions that the group can't be reached, and that it can again and all that was missed is written (rule RV-17): each
 * subscription when it stands at the head, behind everything that was sent. Only while the socket is `ready`.
 */
export function notifyAvailability(subscription: Subscription, frames: FrameEncoder): void {
  const { subscriber, fanout } = subscription;
  if (!subscriber.positions) return;
  const away = fanout.unavailableSince !== undefined;
  for (const member of subscription.members) {
    if (member.outdated === away) continue;
    if (away) writeStale(subscription, member, frames);
    else writeCaughtUp(subscription, member, frames);
  }
}

/** The same for a subscription that is behind and can't be served, as the store can't be read. */
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
