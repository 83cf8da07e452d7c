import { LIMITS } from '@rivulet/protocol';
import { describe, expect, it } from 'vitest';
import { FlushRing } from '../../src/why/flush-ring.js';
import { nearNames } from '../../src/why/near-names.js';
import { Ring } from '../../src/why/ring.js';
import { SessionIds } from '../../src/why/session-ids.js';
import { WhyRecords } from '../../src/why/why-records.js';

describe('a ring', () => {
  const at = (now: number) => ({ at: now });

  it('has its newest entries, and knows since when it has all', () => {
    let now = 1_000;
    const ring = new Ring({ entries: 2, keepMs: 100, clock: { now: () => now } });
    expect({ since: ring.knownSince, overrun: ring.overrun }).toEqual({ since: 1_000, overrun: false });
    for (const time of [1_001, 1_002]) ring.add(at(time));
    expect(ring.overrun).toBe(false);
    ring.add(at(1_003));
    expect(Array.from(ring.newestFirst(), (entry) => entry.at)).toEqual([1_003, 1_002]);
    expect({ since: ring.knownSince, overrun: ring.overrun }).toEqual({ since: 1_002, overrun: true });
    // The lost entry would not count any more.
    now = 1_102;
    expect({ since: ring.knownSince, overrun: ring.overrun }).toEqual({ since: 1_002, overrun: false });
    now = 1_103;
    expect(Array.from(ring.newestFirst(), (entry) => entry.at)).toEqual([1_003]);
    now = 2_000;
    expect({ since: ring.knownSince, found: ring.find(() => true) }).toEqual({ since: 1_900, found: undefined });
  });
});

describe('a ring with a bound of its texts', () => {
  const entry = (at: number, text: string) => ({ at, text });

  it('drops the oldest entries, and keeps one that is too long alone', () => {
    const clock = { now: () => 10 };
    const ring = new Ring<{ at: number; text: string }>(
      { entries: 4, keepMs: 100, clock },
      { chars: 6, charsOf: ({ text }) => text.length },
    );
    const texts = () => Array.from(ring.newestFirst(), ({ text }) => text);
    for (const [at, text] of ['aa', 'bb', 'cc'].entries()) ring.add(entry(at + 1, text));
    expect({ texts: texts(), overrun: ring.overrun }).toEqual({ texts: ['cc', 'bb', 'aa'], overrun: false });
    ring.add(entry(4, 'ddd'));
    expect({ texts: texts(), overrun: ring.overrun, since: ring.knownSince }).toEqual({ texts: ['ddd', 'cc'], overrun: true, since: 10 });
    ring.add(entry(5, 'e'));
    ring.add(entry(6, 'x'.repeat(20)));
    expect(texts()).toEqual(['x'.repeat(20)]);
    for (const text of ['1', '2', '3', '4', '5']) ring.add(entry(7, text));
    expect(texts()).toEqual(['5', '4', '3', '2']);
  });

  it('bounds what a peer can fill them with', () => {
    const records = new WhyRecords({ now: () => 1 } as ConstructorParameters<typeof WhyRecords>[0]);
    const name = 'n'.repeat(LIMITS.idBytes);
    const items = Array.from({ length: LIMITS.whyBatchItems }, (_, index) => `${index}`.padStart(LIMITS.idBytes, 'n'));
    const write = { items, more: false, kind: 'error', batch: true, failedItem: undefined, code: 'GROUP_FULL' } as const;
    for (let count = 0; count < 1_000; count++) records.writeFailed({ ...write, stream: name, group: name, reason: name });
    expect(Array.from(records.failedWrites.newestFirst()).length * LIMITS.idBytes * (items.length + 3)).toBeLessThanOrEqual(
      LIMITS.whyChars,
    );
    expect(records.failedWrites.overrun).toBe(true);
    records.joinRefused({ stream: name, group: name, session: 1, item: undefined, by: 'function', reason: 'r'.repeat(1_000_000) });
    expect(records.refusedJoins.find(() => true)?.reason).toHaveLength(256);
  });
});

describe('the flushes of a group', () => {
  it('have the time of each change, until they are overrun', () => {
    const flushes = new FlushRing(3);
    expect(flushes.timeOf(1)).toBeUndefined();
    flushes.add(10, 12, 100.7);
    flushes.add(12, 13, 200);
    flushes.add(13, 20, 300);
    expect([10, 11, 12, 13, 14, 20, 21].map((offset) => flushes.timeOf(offset))).toEqual([undefined, 100, 100, 200, 300, 300, undefined]);
    flushes.add(20, 21, 400);
    expect([12, 13, 20, 21].map((offset) => flushes.timeOf(offset))).toEqual([undefined, 200, 300, 400]);
    flushes.add(21, 22, 500);
    flushes.add(22, 23, 600);
    flushes.add(23, 24, 700);
    expect([21, 22, 23, 24].map((offset) => flushes.timeOf(offset))).toEqual([undefined, 500, 600, 700]);
  });

  it('share a budget, and give it back', () => {
    const budget = { left: 4 };
    const [first, second, third] = [new FlushRing(3, budget), new FlushRing(3, budget), new FlushRing(3, budget)];
    const times = (ring: FlushRing) => [1, 2, 3, 4].map((offset) => ring.timeOf(offset));
    for (const ring of [first, second, third]) for (let offset = 0; offset < 4; offset++) ring.add(offset, offset + 1, 100 * (offset + 1));
    expect({ left: budget.left, first: times(first), second: times(second), third: times(third) }).toEqual({
      left: 0,
      first: [undefined, 200, 300, 400],
      second: [undefined, undefined, undefined, 400],
      third: [undefined, undefined, undefined, undefined],
    });
    first.end();
    expect({ left: budget.left, first: times(first) }).toEqual({ left: 3, first: [undefined, undefined, undefined, undefined] });
    for (let offset = 4; offset < 6; offset++) third.add(offset, offset + 1, 100 * (offset + 1));
    expect([4, 5, 6].map((offset) => third.timeOf(offset))).toEqual([undefined, 500, 600]);
    // This one takes the last place of the budget, and then the places of its own oldest flushes.
    for (let offset = 4; offset < 7; offset++) second.add(offset, offset + 1, 100 * (offset + 1));
    expect([4, 5, 6, 7].map((offset) => second.timeOf(offset))).toEqual([undefined, undefined, 600, 700]);
  });

  it('begin anew when the log of the group does', () => {
    const flushes = new FlushRing(3);
    flushes.add(0, 5, 100);
    flushes.add(9, 10, 200);
    expect([5, 9, 10].map((offset) => flushes.timeOf(offset))).toEqual([undefined, undefined, 200]);
  });
});

describe('ids of sessions', () => {
  it('show which run of the engine made them', () => {
    const [first, second] = [new SessionIds(), new SessionIds()];
    const id = first.make();
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    expect(first.make()).not.toBe(id);
    expect([first.originOf(id), second.originOf(id), first.originOf('ann')]).toEqual(['this_run', 'another_run', 'no_id']);
  });
});

describe('near names', () => {
  it('differ by two letters, by case or by an end, and the nearest comes first', () => {
    const others = ['lobby', 'Loby', 'lob', 'hall', 'loby-2024', 'kitchen', 'lobbbby'];
    expect(nearNames('loby', others)).toEqual(['Loby', 'lobby', 'lob']);
    expect(nearNames('room', ['room-1234', 'x'.repeat(200)])).toEqual(['room-1234']);
    expect(nearNames('a'.repeat(200), [`${'a'.repeat(199)}b`])).toEqual([]);
  });
});
