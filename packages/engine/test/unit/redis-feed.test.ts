import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/logging/logger.js';
import type { GroupClient, GroupState } from '../../src/store/redis/group-client.js';
import { GroupFeed } from '../../src/store/redis/group-feed.js';
import { GroupReconnector } from '../../src/store/redis/reconnect.js';
import { readStep } from '../../src/store/redis/records.js';

const REF = { stream: 's', group: 'g' };
const EPOCH = 'e1';

/** Returns a step as write.lua publishes it, with an update for each offset in (`from`, `to`]. */
function published(from: number, to: number, epoch = EPOCH): Buffer {
  const offsets = Array.from({ length: to - from }, (_, n) => from + n + 1);
  const lines = offsets.map((offset) => `update ${offset} 1 ${offset} 0 1 ${String(offset).length} -1 0`);
  const texts = offsets.map((offset) => `m${offset}`);
  return Buffer.from(`node ${epoch} ${from} ${to} ${offsets.length}\n${lines.join('\n')}\n${texts.join('')}`);
}

/** A server that has all steps of a group. Its log keeps the last `kept` of them. */
class Server {
  readonly steps: Buffer[] = [];
  epoch = EPOCH;
  head = 0;
  kept: number;
  /** Number of reads of the log. */
  logReads = 0;
  /** Number of the next reads that fail, of the position or of the log. */
  fails = 0;
  onRead: () => void = () => {};

  constructor(kept: number) {
    this.kept = kept;
  }

  write(count: number): Buffer {
    const step = published(this.head, this.head + count, this.epoch);
    this.head += count;
    this.steps.push(step);
    return step;
  }

  get groups(): GroupClient {
    const standing = (rest: readonly Buffer[]): GroupState => ({
      position: { epoch: this.epoch, offset: this.head },
      timestamp: 1,
      floor: 0,
      unwritten: false,
      rest,
    });
    return {
      read: () => {
        this.onRead();
        return this.fails-- > 0 ? Promise.reject(new Error('not now')) : Promise.resolve(standing([]));
      },
      log: () => {
        this.logReads++;
        if (this.fails-- > 0) return Promise.reject(new Error('not now'));
        return Promise.resolve(standing(this.kept === 0 ? [] : this.steps.slice(-this.kept)));
      },
      renew: () => {
        this.epoch = 'renewed';
        return Promise.resolve();
      },
    } as unknown as GroupClient;
  }
}

interface Reported {
  readonly commits: number[];
  /** Reason of each break, and the offset at which the report goes on. */
  readonly breaks: [string, number][];
  /** Each notification about availability, with the last reported offset before it. */
  readonly availability: [boolean, number | undefined][];
}

async function feedOf(server: Server): Promise<Fed> {
  const fed = feedFor(server);
  await fed.feed.open();
  return fed;
}

interface Fed {
  readonly feed: GroupFeed;
  readonly reported: Reported;
}

function feedFor(server: Server): Fed {
  const reported: Reported = { commits: [], breaks: [], availability: [] };
  const feed = new GroupFeed(REF, {
    groups: server.groups,
    events: {
      onCommit: ({ position }) => reported.commits.push(position.offset),
      onBreak: (_ref, reason, position) => {
        reported.breaks.push([reason, position.offset]);
        reported.commits.push(-position.offset);
      },
      onAvailability: (_ref, available) => reported.availability.push([available, reported.commits.at(-1)]),
    },
    logger: silentLogger,
  });
  return { feed, reported };
}

/** Returns where a commit is missing, doubled or out of order without a break; `undefined` when nothing is wrong. */
function firstFault(commits: readonly number[], head: number): string | undefined {
  let at = 0;
  for (const offset of commits) {
    // A break is a negative number: the offset at which the report goes on.
    if (offset < 0 ? -offset <= at : offset !== at + 1) return `${offset} after ${at} in ${commits.join(' ')}`;
    at = Math.abs(offset);
  }
  return at === head ? undefined : `it ends at ${at}, not at ${head}`;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('F43 messages that are lost, doubled or out of order are put right, or the loss is reported', async () => {
  const fate = fc.constantFrom('comes', 'comes', 'comes', 'late', 'lost', 'twice', 'own');
  const step = fc.record({ count: fc.integer({ min: 1, max: 4 }), fate, waits: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), fc.integer({ min: 0, max: 8 }), async (steps, kept) => {
      const server = new Server(kept);
      const { feed, reported } = await feedOf(server);
      const late: Buffer[] = [];
      const written: Promise<void>[] = [];
      for (const each of steps) {
        const bytes = server.write(each.count);
        if (each.fate === 'own') written.push(feed.onLocalStep(readStep(bytes)));
        if (each.fate === 'comes' || each.fate === 'twice') feed.onMessage(bytes);
        if (each.fate === 'twice') feed.onMessage(bytes);
        if (each.fate === 'late') late.push(bytes);
        else for (const old of late.splice(0)) feed.onMessage(old);
        if (each.waits) await vi.advanceTimersByTimeAsync(50);
      }
      await feed.check();
      await vi.advanceTimersByTimeAsync(1_000);
      await Promise.all(written);
      expect(firstFault(reported.commits, server.head)).toBeUndefined();
      // A log that has every step leaves no gap.
      expect(kept < steps.length ? [] : reported.breaks).toEqual([]);
      feed.close();
    }),
    { numRuns: 300 },
  );
});

it('what comes in order is reported at once, without a look into the log', async () => {
  const server = new Server(100);
  const { feed, reported } = await feedOf(server);
  for (let n = 0; n < 20; n++) feed.onMessage(server.write(1));
  expect([reported.commits.length, server.logReads]).toEqual([20, 0]);
  feed.close();
});

it('what a write left out waits for what is before it, and no longer than the server is there', async () => {
  const server = new Server(0);
  const { feed, reported } = await feedOf(server);
  const missing = server.write(1);
  const ends: string[] = [];
  const own = readStep(server.write(1));
  void feed.onLocalStep(own).then(
    () => ends.push('reported'),
    (error: Error) => ends.push(error.message),
  );
  await vi.advanceTimersByTimeAsync(5);
  expect([reported.commits, ends]).toEqual([[], []]);
  feed.interrupt(new Error('lost'));
  await vi.advanceTimersByTimeAsync(5);
  expect(ends).toEqual(['lost']);
  feed.onMessage(missing);
  expect(reported.commits).toEqual([1, 2]);
  feed.close();
});

it('a feed that begins with the next step reports the steps of others before those of this process', async () => {
  const server = new Server(0);
  const { feed, reported } = feedFor(server);
  feed.beginWithNext();
  const [theirs, ours] = [server.write(1), server.write(1)];
  const done = feed.onLocalStep(readStep(ours));
  await vi.advanceTimersByTimeAsync(50);
  expect(reported.commits).toEqual([]);
  feed.onMessage(theirs);
  await done;
  expect([reported.commits, reported.breaks]).toEqual([[1, 2], []]);
  // If no message arrives, the feed stops waiting after a while.
  const alone = feedFor(server);
  alone.feed.beginWithNext();
  const waits = alone.feed.onLocalStep(readStep(server.write(1)));
  await vi.advanceTimersByTimeAsync(200);
  await waits;
  expect(alone.reported.commits).toEqual([3]);
});

it('what is behind a hole that nobody has any more is reported all the same', async () => {
  const server = new Server(2);
  const { feed, reported } = await feedOf(server);
  for (let n = 0; n < 5; n++) server.write(1);
  const written = feed.onLocalStep(readStep(server.write(1)));
  await vi.advanceTimersByTimeAsync(100);
  await written;
  expect([reported.breaks, reported.commits]).toEqual([[['gap', 4]], [-4, 5, 6]]);
});

it('F38 a server that has less than it had begins another history', async () => {
  const server = new Server(10);
  const { feed, reported } = await feedOf(server);
  for (let n = 0; n < 5; n++) feed.onMessage(server.write(1));
  server.head = 3;
  await feed.check();
  expect([server.epoch, reported.breaks]).toEqual(['renewed', [['epoch', 3]]]);
  // The feed drops late steps of the epoch that ended.
  feed.onMessage(published(5, 6));
  feed.onMessage(server.write(1));
  expect(reported.commits.slice(-2)).toEqual([-3, 4]);
  feed.close();
});

/** Returns a watched feed at offset 2 whose server was lost. Other engines have written two more steps since. */
async function interrupted(kept: number): Promise<Fed & { readonly server: Server }> {
  const server = new Server(kept);
  const { feed, reported } = await feedOf(server);
  feed.watched = true;
  feed.onMessage(server.write(2));
  feed.interrupt(new Error('lost'));
  server.write(1);
  server.write(1);
  return { server, feed, reported };
}

it('F45 a group can be reached again when all that was missed is reported, or reported as a break', async () => {
  const known = await interrupted(10);
  await known.feed.resume();
  expect(known.reported.availability).toEqual([
    [false, 2],
    [true, 4],
  ]);
  const gap = await interrupted(1);
  await gap.feed.resume();
  expect([gap.reported.availability.at(-1), gap.reported.breaks]).toEqual([[true, 4], [['gap', 3]]]);
  const other = await interrupted(10);
  Object.assign(other.server, { epoch: 'e2', head: 1, steps: [] });
  await other.feed.resume();
  expect([other.reported.availability.at(-1), other.reported.breaks]).toEqual([[true, -1], [['epoch', 1]]]);
});

it('F45 nothing is reported for a group that was lost again meanwhile, that nobody watches, or that is forgotten', async () => {
  const again = await interrupted(10);
  again.server.onRead = () => again.feed.interrupt(new Error('lost again'));
  await again.feed.resume();
  expect([again.reported.availability, again.feed.isUnavailable]).toEqual([[[false, 2]], true]);
  again.server.onRead = () => {};
  await again.feed.resume();
  expect(again.reported.availability).toEqual([
    [false, 2],
    [true, 4],
  ]);
  const left = await interrupted(10);
  left.feed.watched = false;
  await left.feed.resume();
  const closed = await interrupted(10);
  closed.server.onRead = () => closed.feed.close();
  await closed.feed.resume();
  for (const { reported } of [left, closed]) expect(reported.availability).toEqual([[false, 2]]);
});

it('F45 what can not be read when the server is back is tried again soon, unless it is lost again', async () => {
  const groups = await Promise.all(Array.from({ length: 300 }, () => interrupted(10)));
  for (const { server } of groups) server.fails = 2;
  const back = new GroupReconnector(silentLogger);
  back.begin(groups.map(({ feed }) => feed));
  await vi.advanceTimersByTimeAsync(0);
  expect(groups.every(({ feed }) => feed.isUnavailable)).toBe(true);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(groups.map(({ reported }) => reported.availability.length)).toEqual(groups.map(() => 2));
  const lost = await interrupted(10);
  lost.server.fails = 1;
  back.begin([lost.feed]);
  await vi.advanceTimersByTimeAsync(0);
  back.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(lost.feed.isUnavailable).toBe(true);
});
