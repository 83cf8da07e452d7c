import { expect, it } from 'vitest';
import { GroupFanout } from '../../src/stream/fanout/group-fanout.js';
import { Membership, Subscription } from '../../src/stream/fanout/subscription.js';
import { SessionMemberships } from '../../src/stream/session/session-memberships.js';
import { Socket } from '../hub-world.js';

const socket = new Socket();

function subscriptionTo(group: string): Subscription {
  return new Subscription(socket, new GroupFanout<Subscription>({ stream: 's', group }, () => Promise.resolve()));
}

function member(subscription: Subscription, subscriptionId: string): Membership {
  return new Membership(subscription, { subscriptionId, item: undefined, since: undefined });
}

it('all memberships of a group share one subscription, before and after the index of groups is made', () => {
  const memberships = new SessionMemberships();
  const subscriptions = Array.from({ length: 20 }, (_, n) => subscriptionTo(`g${n}`));
  for (const [n, subscription] of subscriptions.entries()) {
    expect(memberships.subscriptionOf({ stream: 's', group: `g${n}` })).toBeUndefined();
    memberships.set(`id${n}`, member(subscription, `id${n}`));
    for (let before = 0; before <= n; before++) {
      expect(memberships.subscriptionOf({ stream: 's', group: `g${before}` })).toBe(subscriptions[before]);
    }
  }
  expect(memberships.subscriptionOf({ stream: 'other', group: 'g1' })).toBeUndefined();
  const closed = subscriptions[3] as Subscription;
  memberships.delete('id3');
  memberships.forget(closed);
  expect(memberships.subscriptionOf({ stream: 's', group: 'g3' })).toBeUndefined();
  // A new subscription to the same group is not forgotten with the old one.
  const again = subscriptionTo('g3');
  memberships.set('again', member(again, 'again'));
  memberships.forget(closed);
  expect(memberships.subscriptionOf({ stream: 's', group: 'g3' })).toBe(again);
});

it('a join among 10,000 subscriptions looks at a few of them, not at all', () => {
  let looks = 0;
  const memberships = new SessionMemberships();
  for (let n = 0; n < 10_000; n++) {
    const subscription = subscriptionTo(`g${n}`);
    const membership = member(subscription, `id${n}`);
    Object.defineProperty(membership, 'subscription', {
      get() {
        looks++;
        return subscription;
      },
    });
    memberships.subscriptionOf({ stream: 's', group: `g${n}` });
    memberships.set(`id${n}`, membership);
  }
  expect(looks).toBeLessThan(20_000);
});
