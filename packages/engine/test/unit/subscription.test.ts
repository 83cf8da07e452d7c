import { describe, expect, it } from 'vitest';
import { GroupFanout } from '../../src/stream/fanout/group-fanout.js';
import type { Subscriber } from '../../src/stream/fanout/subscriber.js';
import { type Membership, Subscription } from '../../src/stream/fanout/subscription.js';

const SILENT: Subscriber = {
  write() {},
  ready: true,
  open: true,
  positions: false,
  hasRoom: true,
  whenChanged: () => Promise.resolve(),
  tryLock: () => true,
  unlock() {},
  fail() {},
};

function open(): Subscription {
  return new Subscription(SILENT, new GroupFanout({ stream: 's', group: 'g' }, () => Promise.resolve()));
}

/** Ends the answer that is owed next. */
function answerNext(subscription: Subscription): void {
  const { nextAnswer } = subscription;
  if (nextAnswer !== undefined) subscription.answered(nextAnswer);
}

/** Queues the answer of a join of an item, or of the group, and does not write it. */
function ask(subscription: Subscription, item?: string): Membership {
  return subscription.request({ subscriptionId: 's1', item, since: undefined });
}

function watch(subscription: Subscription, item?: string): Membership {
  const membership = ask(subscription, item);
  while (!membership.active) answerNext(subscription);
  return membership;
}

/** Returns the items of the answers that are owed, in order. */
function due(subscription: Subscription): (string | undefined)[] {
  const items: (string | undefined)[] = [];
  for (; subscription.nextAnswer !== undefined; answerNext(subscription)) items.push(subscription.nextAnswer.item);
  return items;
}

describe('the subscription of a session to a group', () => {
  it('wants nothing for a membership before its sync, and all of it from then on', () => {
    const subscription = open();
    const group = ask(subscription);
    const item = ask(subscription, 'a');
    expect([subscription.wants('a'), subscription.wants(undefined), group.active, subscription.empty]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    answerNext(subscription);
    expect([group.active, item.active, subscription.watchesGroup, subscription.nextAnswer?.membership]).toEqual([true, false, true, item]);
    expect([subscription.wants('z'), subscription.wants(undefined)]).toEqual([true, true]);
    answerNext(subscription);
    expect([item.active, subscription.nextAnswer]).toEqual([true, undefined]);
  });

  it('wants the items that it watches, and changes of the whole group only if it watches the group', () => {
    const subscription = open();
    watch(subscription, 'a');
    expect([subscription.wants('a'), subscription.wants('b'), subscription.wants(undefined)]).toEqual([true, false, false]);
    expect(subscription.onlyItem).toBe('a');
    const second = watch(subscription, 'b');
    expect([subscription.onlyItem, [...subscription.items]]).toEqual([undefined, ['a', 'b']]);
    subscription.remove(second);
    expect(subscription.onlyItem).toBe('a');
    watch(subscription);
    expect([subscription.onlyItem, subscription.wants(undefined)]).toEqual([undefined, true]);
  });

  it('counts: what several memberships watch is watched until the last has left', () => {
    const subscription = open();
    const items = [watch(subscription, 'a'), watch(subscription, 'a')];
    const groups = [watch(subscription), watch(subscription)];
    for (const membership of [...items, ...groups]) {
      expect(subscription.empty).toBe(false);
      subscription.remove(membership);
    }
    expect([subscription.empty, subscription.wants('a'), subscription.watchesGroup, [...subscription.items]]).toEqual([
      true,
      false,
      false,
      [],
    ]);
  });

  it('takes a membership away before its sync, and removes none twice', () => {
    const subscription = open();
    const first = ask(subscription, 'a');
    const second = ask(subscription, 'b');
    subscription.remove(first);
    expect(subscription.nextAnswer?.membership).toBe(second);
    subscription.remove(second);
    subscription.remove(second);
    expect([subscription.nextAnswer, subscription.empty]).toEqual([undefined, true]);
    const other = watch(subscription, 'a');
    subscription.remove(other);
    subscription.remove(other);
    expect([subscription.empty, subscription.wants('a')]).toEqual([true, false]);
  });

  it('ST-20 owes one sync for the group and one for each item when it fell out of the log, behind what waits already, and that again', () => {
    const subscription = open();
    watch(subscription, 'b');
    watch(subscription, 'a');
    watch(subscription, 'a');
    watch(subscription);
    ask(subscription, 'new');
    subscription.resync();
    expect(due(subscription)).toEqual(['new', undefined, 'b', 'a', 'new']);
    expect([subscription.watchesGroup, [...subscription.items]]).toEqual([true, ['b', 'a', 'new']]);
    for (const item of ['a', 'b']) expect(subscription.wants(item)).toBe(true);
  });

  it('owes nothing when it watches nothing', () => {
    const subscription = open();
    subscription.resync();
    expect([subscription.nextAnswer, subscription.empty]).toEqual([undefined, true]);
  });

  it('owes no sync any more for what it left while it had fallen out of the log, and is empty then', () => {
    const subscription = open();
    const group = watch(subscription);
    const item = watch(subscription, 'a');
    const twins = [watch(subscription, 'b'), watch(subscription, 'b')] as const;
    subscription.resync();
    subscription.remove(group);
    subscription.remove(item);
    subscription.remove(twins[0]);
    expect(subscription.nextAnswer).toMatchObject({ item: 'b' });
    const waiting = ask(subscription, 'b');
    subscription.remove(twins[1]);
    expect(subscription.nextAnswer?.membership).toBe(waiting);
    subscription.remove(waiting);
    expect([subscription.nextAnswer, subscription.empty]).toEqual([undefined, true]);
  });
});

describe('65,536 memberships', () => {
  const MOST = 65_536;
  /** Processor time in milliseconds. The work took seconds when each step looked through all memberships. */
  const MOST_MS = 500;

  function processorMs(work: () => void): number {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  }

  it.each(['oldest', 'newest'] as const)('end one by one in little time, the %s first', (order) => {
    const subscription = open();
    const members = Array.from({ length: MOST }, (_, n) => watch(subscription, `i${n}`));
    if (order === 'newest') members.reverse();
    const ms = processorMs(() => {
      for (const member of members) subscription.remove(member);
    });
    expect(subscription.empty).toBe(true);
    expect(ms).toBeLessThan(MOST_MS);
  });

  it('lose their cursor again and again in little time', () => {
    const subscription = open();
    for (let n = 0; n < MOST; n++) watch(subscription, `i${n}`);
    const ms = processorMs(() => {
      for (let again = 0; again < 3; again++) subscription.resync();
    });
    expect(subscription.wants('i0')).toBe(false);
    expect(ms).toBeLessThan(MOST_MS);
  });

  it('are found by their item in little time', () => {
    const subscription = open();
    const members = Array.from({ length: MOST }, (_, n) => watch(subscription, `i${n}`));
    const twice = watch(subscription, 'i0');
    let found = 0;
    const ms = processorMs(() => {
      for (const { item } of members) found += subscription.watching(item).length;
    });
    expect([found, subscription.watching('i0'), subscription.watching(undefined)]).toEqual([MOST + 1, [members[0], twice], []]);
    expect(ms).toBeLessThan(MOST_MS);
  });
});
