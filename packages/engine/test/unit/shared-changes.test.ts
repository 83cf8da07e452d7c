import { LIMITS } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ChangeEntry } from '../../src/store/store.js';
import type { Subscription } from '../../src/stream/fanout/subscription.js';
import { FrameEncoder } from '../../src/stream/frames/frame-encoder.js';
import { GROUP, REF, Socket, settled, World } from '../hub-world.js';

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => {
  world.hub.stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface Shown {
  readonly type: string;
  readonly offset?: number | undefined;
  readonly created?: number | undefined;
  readonly id?: string | undefined;
}

/** Returns a text for each frame: control frames by type, changes with the members that RV-7 names. */
function shown({ written }: Socket): Shown[] {
  const frames: Shown[] = [];
  const bytes = Buffer.from(written.join(''), 'latin1');
  for (let at = 0; at < bytes.length; ) {
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const head = short === 126 ? 4 : short === 127 ? 10 : 2;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    const frame = JSON.parse(bytes.toString('utf8', at + head, at + head + length)) as {
      readonly type: string;
      readonly event?: { readonly type: string };
    } & Shown;
    const { id, offset, created } = frame;
    frames.push(frame.event === undefined ? { type: frame.type } : { type: frame.event.type, id, offset, created });
    at += head + length;
  }
  return frames;
}

/** Returns the changes that rule RV-7 demands. */
function expected(entries: readonly ChangeEntry[], since: number): Shown[] {
  const changes = entries
    .filter(({ changed }) => changed > since)
    .map(({ kind, item, changed, created }) => {
      const written = created > since ? 'create' : 'update';
      return { type: kind === 'tombstone' ? 'delete' : written, id: item, offset: changed, created };
    });
  return [{ type: 'resumed' }, ...changes, { type: 'gap' }, { type: 'caught_up' }];
}

/** Resumes many clients at once, each at an offset of its own. */
function join(offset: number, epoch = 'e'): { readonly socket: Socket; readonly subscription: Subscription } {
  const socket = new Socket();
  socket.positions = true;
  const subscription = world.hub.open(socket, REF);
  world.hub.join(subscription, { ...GROUP, since: { epoch, offset } });
  return { socket, subscription };
}

/** Returns items that changed at 1 to `count`. Every third was created earlier, and every seventh is deleted. */
function history(count: number, data = '1'): ChangeEntry[] {
  return Array.from({ length: count }, (_, n) => {
    const changed = n + 1;
    const created = n % 3 === 0 ? Math.max(1, changed - 40) : changed;
    const item = `i${n}`;
    return n % 7 === 0 ? { kind: 'tombstone', item, changed, created, valueId: undefined } : { kind: 'item', item, data, created, changed };
  });
}

async function allLive(joined: readonly { readonly subscription: Subscription }[]): Promise<void> {
  await expect.poll(() => joined.filter(({ subscription }) => subscription.state !== 'live').length, { interval: 1 }).toBe(0);
}

it('decision 20 RV-7 1,000 clients with 1,000 cursors share one read and one frame of each item, and each gets exactly what it missed', async () => {
  world.entries = history(3_000);
  world.offset = 3_000;
  const encoded = vi.spyOn(FrameEncoder.prototype, 'compacted');
  const joined = Array.from({ length: 1_000 }, (_, n) => join(1_000 + n));
  await allLive(joined);
  // The read of the first client begins at once. All others come while it runs.
  expect(world.changesSince).toEqual([1_000, 1_001]);
  // Two frames: an item that was created after the first cursor is a `create` for some cursors and an `update` for others.
  expect(encoded.mock.calls.length).toBeLessThan(2 * 2 * 2_000);
  for (const n of [0, 1, 2, 499, 700, 998, 999]) expect(shown(joined[n]?.socket as Socket)).toEqual(expected(world.entries, 1_000 + n));
  expect(world.openChanges).toBe(0);
  expect(world.hub.compacted).toBe(1_000);
});

it('RV-7 a cursor behind the creation of an item gets it as create, one between as update, from the same read', async () => {
  world.entries = [
    { kind: 'item', item: 'a', data: '1', created: 10, changed: 50 },
    { kind: 'item', item: 'b', data: '1', created: 60, changed: 60 },
  ];
  const joined = [5, 9, 10, 20, 49, 50, 59, 60].map((offset) => ({ offset, ...join(offset) }));
  await allLive(joined);
  for (const { offset, socket } of joined) expect(shown(socket)).toEqual(expected(world.entries, offset));
});

it('RV-7 what changed after a shared answer was built is in the next one', async () => {
  world.entries = history(100);
  const first = join(10);
  await allLive([first]);
  world.entries = [
    ...world.entries.filter(({ item }) => item !== 'i50'),
    { kind: 'item', item: 'i50', data: '2', created: 51, changed: 101 },
  ];
  world.publish(101, 'i50');
  const second = join(10);
  await allLive([second]);
  expect(shown(second.socket)).toEqual(expected(world.entries, 10));
});

it('a change whose report has not come is seen by who asks after it', async () => {
  world.entries = history(100);
  // The log has begun, so the cache may use a kept answer.
  const first = join(10);
  await allLive([first]);
  world.offset = 105;
  const ahead = join(103);
  await allLive([ahead]);
  expect(shown(ahead.socket)[0]).toEqual({ type: 'resumed' });
});

it('RV-8 cursors below the floor, of another epoch and ahead get a sync; those between are served together', async () => {
  world.entries = history(100);
  world.floor = 20;
  const joined = [join(30), join(5), join(19), join(40, 'other'), join(200), join(50), join(6)];
  await allLive(joined);
  const reasons = joined.map(({ socket }) => /"reason":"(\w+)"/.exec(socket.written.join(''))?.[1]);
  expect(reasons).toEqual([undefined, 'floor', 'floor', 'epoch', 'ahead', undefined, 'floor']);
  expect(shown(joined[5]?.socket as Socket)).toEqual(expected(world.entries, 50));
});

it('what is too large to be kept is read by each for itself, and closed; newer cursors are still served together', async () => {
  // A read at the speed of one reader ends after 5 s, which a very busy machine may need for 40 MB.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const text = JSON.stringify('x'.repeat(1_000_000));
  world.entries = [...history(40, text), ...history(100).slice(40)];
  const big = [join(0), join(1)];
  await allLive(big);
  for (const [n, { socket }] of big.entries()) expect(shown(socket)).toEqual(expected(world.entries, n));
  world.changesSince.length = 0;
  const small = Array.from({ length: 10 }, (_, n) => join(50 + n));
  await allLive(small);
  expect(world.changesSince).toEqual([50, 51]);
  expect(world.openChanges).toBe(0);
});

it('readers that stall share what they hold, and it is given back when they go', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const sized = new World();
  const text = JSON.stringify('x'.repeat(100_000));
  sized.entries = history(120, text);
  const groups = Array.from({ length: 12 }, (_, n) => ({ stream: 's', group: `g${n}` }));
  const reads: number[] = [];
  for (const ref of groups) {
    const sockets = Array.from({ length: 5 }, () => new Socket());
    const before = sized.changesSince.length;
    for (const socket of sockets) {
      socket.positions = true;
      socket.write = () => {
        socket.hasRoom = false;
      };
      sized.hub.join(sized.hub.open(socket, ref), { ...GROUP, since: { epoch: 'e', offset: 0 } });
    }
    for (let turn = 0; turn < 5; turn++) await settled();
    reads.push(sized.changesSince.length - before);
    expect(sized.openChanges).toBe(0);
    for (const socket of sockets) {
      socket.open = false;
      socket.drain();
    }
    await settled();
    vi.advanceTimersByTime(1_000);
  }
  // More than LIMITS.builtSyncsBytes in all. Without room that was given back, each reader of the last groups would read for itself.
  expect(reads).toEqual(groups.map(() => 2));
  expect(12 * 100 * 100_000).toBeGreaterThan(LIMITS.builtSyncsBytes);
  sized.hub.stop();
});
