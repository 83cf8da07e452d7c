import { setImmediate } from 'node:timers/promises';
import { LIMITS } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../src/logging/logger.js';
import type { Commit, StoredItem, StreamStore } from '../src/store/store.js';
import { FrameEncoder } from '../src/stream/frame-encoder.js';
import { Hub } from '../src/stream/hub.js';
import type { Subscriber } from '../src/stream/subscription.js';
import { systemClock } from '../src/structures/clock.js';

const REF = { stream: 's', group: 'g' };
const GROUP = { subscriptionId: 's1', item: undefined, since: undefined };
/** A group whose `sync` is too large to be kept: each reader holds a snapshot of its own. */
const LARGE = Array.from({ length: 200 }, (_, n) => ({ item: `i${n}`, data: `"${'x'.repeat(100_000)}"`, created: n, changed: n }));

/** A socket that takes everything, or nothing. */
class Socket implements Subscriber {
  readonly written: string[] = [];
  readonly failures: string[] = [];
  open = true;
  positions = false;
  hasRoom = true;
  #held = false;
  #waiting: (() => void)[] = [];

  get ready(): boolean {
    return this.hasRoom && !this.#held;
  }

  write(frames: Buffer): void {
    this.written.push(frames.toString('latin1'));
  }

  tryHold(): boolean {
    if (!this.ready) return false;
    this.#held = true;
    return true;
  }

  release(): void {
    this.#held = false;
    this.drain();
  }

  fail(because: string): void {
    this.failures.push(because);
    this.open = false;
    this.drain();
  }

  whenChanged(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  drain(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** A hub over a store whose history the test decides. */
class World {
  readonly socket = new Socket();
  readonly hub: Hub;
  offset = 100;
  epoch = 'e';
  items: StoredItem[] = [];
  openSnapshots = 0;
  failWatches = 0;
  onSnapshot: () => void = () => {};
  readonly #frames = new FrameEncoder(systemClock, false);

  constructor() {
    const store = {
      watch: () => (this.failWatches-- > 0 ? Promise.reject(new Error('not now')) : Promise.resolve()),
      unwatch() {},
      get: (_ref: unknown, item: string) =>
        Promise.resolve({
          value: { item, data: '1', created: 1, changed: 1 },
          position: { epoch: this.epoch, offset: this.offset },
          timestamp: 1,
        }),
      changes: (_ref: unknown, since: { epoch: string }) =>
        Promise.resolve({ kind: 'stale', reason: since.epoch === this.epoch ? 'floor' : 'epoch' }),
      snapshot: () => {
        const { items } = this;
        this.openSnapshots++;
        this.onSnapshot();
        return Promise.resolve({
          position: { epoch: this.epoch, offset: this.offset },
          timestamp: 1,
          async *chunks() {
            yield items;
          },
          close: () => this.openSnapshots--,
        });
      },
    } as unknown as StreamStore;
    const limits = { logMaxChanges: 1_000, logMaxAgeMs: 1e6, logMaxBytes: 1e9 };
    this.hub = new Hub({ store, frames: this.#frames, limits, clock: systemClock, logger: silentLogger });
  }

  publish(offset: number): void {
    this.offset = offset;
    const commit: Commit = {
      ...REF,
      item: 'i',
      effect: 'update',
      position: { epoch: this.epoch, offset },
      timestamp: offset,
      created: 1,
      data: String(offset),
      old: undefined,
      eventType: undefined,
    };
    this.hub.publish(commit, this.#frames.change(commit));
    this.hub.flush();
  }
}

/** Everything that can run without a socket or a timer has run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await setImmediate();
}

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => {
  world.hub.stop();
  vi.useRealTimers();
});

it('a cursor that lags when the history breaks gets a sync of the new one, and goes on with it', async () => {
  const { hub, socket } = world;
  hub.join(hub.open(socket, REF), GROUP);
  await settled();
  expect(socket.written.filter((text) => text.includes('"sync"'))).toHaveLength(1);
  socket.hasRoom = false;
  world.publish(101);
  await settled();
  // A new history, whose offsets are lower than the cursor.
  world.offset = 5;
  hub.restart(REF, 'epoch', { epoch: 'f', offset: 5 });
  socket.hasRoom = true;
  socket.drain();
  await settled();
  expect(socket.written.filter((text) => text.includes('"sync"'))).toHaveLength(2);
  socket.written.length = 0;
  for (let offset = 6; offset <= 15; offset++) world.publish(offset);
  expect(socket.written.join('').match(/"update"/g)).toHaveLength(10);
});

it('a reader that takes nothing of a large sync is closed, and its snapshot with it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { hub, socket } = world;
  world.items = LARGE;
  hub.join(hub.open(socket, REF), GROUP);
  socket.write = (frames) => {
    socket.written.push(frames.toString('latin1'));
    socket.hasRoom = false;
  };
  await settled();
  expect(socket.written).toHaveLength(1);
  vi.advanceTimersByTime(LIMITS.snapshotStallMs - 1);
  await settled();
  expect([socket.failures, world.openSnapshots]).toEqual([[], 1]);
  vi.advanceTimersByTime(1);
  await settled();
  expect([socket.failures, world.openSnapshots]).toEqual([['tryLater'], 0]);
});

it('a reader that is slow, and not stalled, gets a large sync whole', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { hub, socket } = world;
  world.items = LARGE;
  hub.join(hub.open(socket, REF), GROUP);
  socket.write = (frames) => {
    socket.written.push(frames.toString('latin1'));
    socket.hasRoom = false;
  };
  for (let step = 0; step < 250; step++) {
    await settled();
    vi.advanceTimersByTime(LIMITS.snapshotStallMs - 1);
    socket.hasRoom = true;
    socket.drain();
  }
  await settled();
  expect(socket.failures).toEqual([]);
  expect(socket.written.join('').match(/x{100000}/g)).toHaveLength(200);
});

it('no snapshot is opened for a reader that takes nothing, nor kept while it waits for the socket', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { hub, socket } = world;
  world.items = LARGE;
  const opened = vi.fn<() => void>();
  world.onSnapshot = opened;
  socket.hasRoom = false;
  hub.join(hub.open(socket, REF), GROUP);
  await settled();
  expect(opened).not.toHaveBeenCalled();
  // Another message takes the socket between the look at it and the first fragment.
  world.onSnapshot = () => socket.tryHold();
  socket.hasRoom = true;
  socket.drain();
  await settled();
  expect(world.openSnapshots).toBe(1);
  vi.advanceTimersByTime(LIMITS.snapshotStallMs);
  await settled();
  expect([world.openSnapshots, socket.failures]).toEqual([0, []]);
  world.onSnapshot = () => {};
  socket.release();
  await settled();
  expect(socket.written.join('').match(/x{100000}/g)).toHaveLength(200);
});

it('a join does not wait for a change that never comes, when the position of a group rose without one', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { hub, socket } = world;
  // Too large to be kept for the next joiner.
  world.items = LARGE;
  const syncs = () => socket.written.join('').match(/"sync"/g)?.length;
  const subscription = hub.open(socket, REF);
  hub.join(subscription, GROUP);
  await settled();
  world.offset = 200;
  hub.join(subscription, GROUP);
  await settled();
  expect(syncs()).toBe(1);
  vi.advanceTimersByTime(1_000);
  await settled();
  expect(syncs()).toBe(3);
  expect([subscription.state, subscription.cursor]).toEqual(['live', 200]);
});

it('RV-8 RV-9 a position below the tombstones is answered with a sync that says so, and with the gap', async () => {
  const { hub, socket } = world;
  socket.positions = true;
  hub.join(hub.open(socket, REF), { ...GROUP, since: { epoch: 'e', offset: 50 } });
  await settled();
  expect(socket.written).toHaveLength(2);
  expect(socket.written[0]).toContain('"offset":100,"epoch":"e","reason":"floor"}');
  expect(socket.written[1]).toContain('{"type":"gap","data":{"subscriptionId":"s1","after":50,"through":100}}');
});

it('RV-11 a reader of positions that takes nothing of a large sync begins again when it reads, and keeps nothing open meanwhile', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { hub, socket } = world;
  socket.positions = true;
  world.items = LARGE;
  socket.write = (frames) => {
    socket.written.push(frames.toString('latin1'));
    socket.hasRoom = false;
  };
  hub.join(hub.open(socket, REF), GROUP);
  await settled();
  expect([socket.written.length, world.openSnapshots]).toEqual([1, 1]);
  vi.advanceTimersByTime(LIMITS.snapshotStallMs);
  await settled();
  expect([socket.failures, world.openSnapshots]).toEqual([[], 0]);
  socket.write = (frames) => void socket.written.push(frames.toString('latin1'));
  socket.hasRoom = true;
  socket.drain();
  await settled();
  const parts = socket.written.map((text) => /"part":(\d+),"last":(true|false)/.exec(text)?.slice(1).join(' '));
  expect(parts.slice(0, 3)).toEqual(['0 false', '0 false', '1 false']);
  expect(parts.at(-1)).toMatch(/true$/);
  expect(socket.written[1]).toContain('"reason":"restarted"');
});

it('RV-12 a socket that comes to know positions while its sync is read gets the message that was begun, and nothing between its fragments', async () => {
  const { socket } = world;
  world.items = LARGE.slice(0, 5);
  world.onSnapshot = () => {
    socket.positions = true;
  };
  const free: boolean[] = [];
  const write = socket.write.bind(socket);
  socket.write = (frames) => {
    write(frames);
    const ended = ((frames[0] ?? 0) & 0x80) !== 0;
    if (!ended) free.push(socket.ready);
  };
  world.hub.join(world.hub.open(socket, REF), { subscriptionId: 's', item: undefined, since: undefined });
  await settled();
  expect(free.length).toBeGreaterThan(0);
  expect(free).not.toContain(true);
});

it('a group whose watch failed once is watched at the next attempt', async () => {
  const { hub, socket } = world;
  world.failWatches = 1;
  hub.join(hub.open(socket, REF), GROUP);
  await expect.poll(() => socket.written.length, { timeout: 2_000 }).toBe(1);
  expect(socket.written[0]).toContain('"sync"');
});

it('what was built is given back within a second, also when nobody has joined meanwhile', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const sized = new World();
  const groups = Array.from({ length: 12 }, (_, n) => ({ stream: 's', group: `g${n}` }));
  for (const ref of groups) sized.hub.join(sized.hub.open(new Socket(), ref), GROUP);
  await settled();
  vi.advanceTimersByTime(1_000);
  sized.items = LARGE.slice(0, 100);
  sized.epoch = 'f';
  const opened: number[] = [];
  for (const ref of groups) {
    let snapshots = 0;
    sized.onSnapshot = () => snapshots++;
    sized.hub.restart(ref, 'epoch', { epoch: 'f', offset: sized.offset });
    await settled();
    opened.push(snapshots);
    vi.advanceTimersByTime(1_000);
  }
  // Where nothing was given back there is no room for the last ones: each is read a second time.
  expect(opened).toEqual(groups.map(() => 1));
  sized.hub.stop();
});

it('a store that answers from another history, and has not said so, is believed, and holds nobody up', async () => {
  const { hub, socket } = world;
  socket.positions = true;
  hub.join(hub.open(socket, REF), GROUP);
  await settled();
  for (let offset = 101; offset <= 110; offset++) world.publish(offset);
  socket.hasRoom = false;
  for (let offset = 111; offset <= 1_200; offset++) world.publish(offset);
  world.epoch = 'other';
  world.offset = 3;
  socket.hasRoom = true;
  socket.drain();
  await expect.poll(() => socket.written.at(-1)).toContain('"offset":3,"epoch":"other","reason":"epoch"}');
  world.publish(4);
  expect(socket.written.at(-1)).toContain('"offset":4');
});

it('ST-6 a sync that is kept for others is not shown to a reader that is ahead of the log', async () => {
  const { hub, socket } = world;
  hub.join(hub.open(new Socket(), REF), GROUP);
  await settled();
  // Durable, and read with an item, before its report comes.
  world.offset = 101;
  const subscription = hub.open(socket, REF);
  hub.join(subscription, { ...GROUP, item: 'i' });
  hub.join(subscription, { ...GROUP, subscriptionId: 's2' });
  await settled();
  world.publish(101);
  world.publish(102);
  await settled();
  const offsets = socket.written.join('').match(/"offset":\d+/g);
  expect(offsets).toEqual(['"offset":101', '"offset":101', '"offset":102']);
});
