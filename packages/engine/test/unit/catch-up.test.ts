import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Membership, Subscription } from '../../src/stream/fanout/subscription.js';
import { GROUP, LARGE, REF, Socket, settled, World } from '../hub-world.js';

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
  // The offsets of the new history are lower than the cursor.
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

/** Turns of the event loop in which a `sync` of `LARGE` is written. Each turn writes 1 MiB of its 20 MB. */
const LARGE_TURNS = 60;

it('a join does not wait for a change that never comes, when the position of a group rose without one', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { hub, socket } = world;
  // The next join must not find a kept `sync`.
  world.items = LARGE;
  const syncs = () => socket.written.join('').match(/"sync"/g)?.length;
  const subscription = hub.open(socket, REF);
  hub.join(subscription, GROUP);
  await settled(LARGE_TURNS);
  world.offset = 200;
  hub.join(subscription, GROUP);
  await settled(LARGE_TURNS);
  expect(syncs()).toBe(1);
  vi.advanceTimersByTime(1_000);
  await settled(LARGE_TURNS);
  expect(syncs()).toBe(3);
  expect([subscription.state, subscription.cursor]).toEqual(['live', 200]);
});

it('RV-8 RV-9 a position below the tombstones is answered with a sync that says so, and with the gap', async () => {
  const { hub, socket } = world;
  socket.positions = true;
  hub.join(hub.open(socket, REF), { ...GROUP, since: { epoch: 'e', offset: 50 } });
  await settled();
  expect(socket.written).toHaveLength(2);
  expect(socket.written[0]).toContain('{"type":"syncing","data":{"subscriptionId":"s1"}}');
  expect(socket.written[0]).toContain('{"type":"gap","data":{"subscriptionId":"s1","after":50,"through":100}}');
  expect(socket.written[1]).toContain('"offset":100,"epoch":"e","reason":"floor"}');
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

it('many who join or catch up at the same time leave the event loop its turns', async () => {
  // Not every answer fits into memory. The reads of the others end after 5 s, which a busy machine needs for 1 GB.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { hub } = world;
  world.items = LARGE.slice(0, 100);
  let written = 0;
  let turns = 0;
  let most = 0;
  const sockets = Array.from({ length: 100 }, (_, n) => Object.assign(new Socket(), { positions: n % 2 === 0 }));
  for (const socket of sockets) {
    socket.write = (frames) => {
      written += frames.length;
    };
    hub.join(hub.open(socket, REF), GROUP);
  }
  const all = sockets.length * world.items.length * 100_000;
  for (let before = 0; written < all; turns++, before = written) {
    await setImmediate();
    most = Math.max(most, written - before);
  }
  // 1 GB in all. Each turn writes 1 MiB; the last reader of a turn may write one piece more.
  expect(most).toBeLessThan(1_500_000);
  expect(turns).toBeGreaterThan(600);
});

it('a group whose watch failed once is watched at the next attempt', async () => {
  const { hub, socket } = world;
  world.failWatches = 1;
  hub.join(hub.open(socket, REF), GROUP);
  await expect.poll(() => socket.written.length).toBe(1);
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
  // Without room that was given back, the last groups would be read a second time.
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
  // The read of an item sees the durable change before the store reports it.
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

/** Returns a word for each written frame: its type, its item or subscription, and its offset. */
function told({ written }: World['socket']): string[] {
  return [
    ...written
      .join('')
      .matchAll(/\{"type":"(?:stream".*?"id":(null|"\w+"),"event":\{"type":"(\w+)"|(\w+)","data":\{"subscriptionId":"(\w+)")/g),
  ].map(([, id, type, control, subscription]) => (control === undefined ? `${type} ${id}` : `${control} ${subscription}`));
}

/**
 * Watches the group and joins an item of it. The reader falls behind the log before the item is answered, and while the group is read
 * again.
 */
async function lostWithJoin(): Promise<void> {
  const { hub, socket } = world;
  const subscription = hub.open(socket, REF);
  hub.join(subscription, GROUP);
  await settled();
  socket.written.length = 0;
  socket.hasRoom = false;
  hub.join(subscription, { subscriptionId: 's2', item: 'i', since: undefined });
  world.offset = 110;
  hub.restart(REF, 'gap', { epoch: 'e', offset: 110 });
  await settled();
  world.onSnapshot = () => {
    world.onSnapshot = () => {};
    world.publish(111);
  };
  socket.hasRoom = true;
  socket.drain();
  await settled();
}

it('ST-20 nothing of an item is sent while the group that it is of waits for its sync', async () => {
  await lostWithJoin();
  expect(told(world.socket)).toEqual(['sync "i"', 'sync null', 'sync "i"']);
  world.publish(112);
  expect(told(world.socket).slice(3)).toEqual(['update "i"']);
});

it('RV-10 RV-16 a position-aware client gets every sync before any frame, and then the frames from the oldest of them on', async () => {
  world.socket.positions = true;
  await lostWithJoin();
  expect(told(world.socket)).toEqual(['syncing s2', 'sync "i"', 'syncing s1', 'gap s1', 'sync null', 'update "i"']);
  expect(world.socket.written.at(-1)).toContain('"offset":111');
});

it('RV-5 a join has one answer, although the cursor was lost while that was written', async () => {
  const { hub, socket } = world;
  socket.positions = true;
  const subscription = hub.open(socket, REF);
  hub.join(subscription, GROUP);
  await settled();
  socket.written.length = 0;
  world.onGet = () => {
    world.onGet = () => {};
    socket.hasRoom = false;
  };
  hub.join(subscription, { subscriptionId: 's2', item: 'i', since: { epoch: 'e', offset: 50 } });
  await settled();
  world.offset = 120;
  hub.restart(REF, 'gap', { epoch: 'e', offset: 120 });
  socket.hasRoom = true;
  socket.drain();
  await settled();
  expect(told(socket)).toEqual([
    'resumed s2',
    'gap s2',
    'caught_up s2',
    'syncing s1',
    'gap s1',
    'sync null',
    'syncing s2',
    'gap s2',
    'sync "i"',
  ]);
  expect([subscription.state, subscription.cursor]).toEqual(['live', 120]);
});

it('RV-10 a tail that the log drops while it is written ends in a sync, and nothing comes before that', async () => {
  const { hub, socket } = world;
  socket.positions = true;
  const subscription = hub.open(socket, REF);
  hub.join(subscription, GROUP);
  await settled();
  for (let offset = 101; offset <= 110; offset++) world.publish(offset);
  socket.written.length = 0;
  socket.write = (frames) => {
    socket.written.push(frames.toString('latin1'));
    socket.hasRoom = false;
  };
  hub.join(subscription, { subscriptionId: 's2', item: 'i', since: { epoch: 'e', offset: 105 } });
  await settled();
  expect(told(socket)).toEqual(['resumed s2']);
  world.offset = 120;
  hub.restart(REF, 'gap', { epoch: 'e', offset: 120 });
  socket.write = (frames) => void socket.written.push(frames.toString('latin1'));
  socket.hasRoom = true;
  socket.drain();
  await settled();
  // This store does not know what changed, so every target is owed a new `sync`.
  const first = ['syncing s2', 'gap s2', 'sync "i"'];
  expect(told(socket).slice(1)).toEqual([...first, 'syncing s1', 'gap s1', 'sync null', ...first]);
  expect(socket.written.join('')).toContain('{"type":"gap","data":{"subscriptionId":"s2","after":105,"through":120}}');
});

/** Watches the group and joins an item of it. Both are owed a `sync`, because the cursor was lost. Nothing is written yet. */
async function bothOwed(of: World): Promise<{ readonly group: Membership; readonly socket: World['socket'] }> {
  const { hub, socket } = of;
  socket.positions = true;
  const subscription = hub.open(socket, REF);
  const group = hub.join(subscription, GROUP);
  await settled();
  socket.written.length = 0;
  socket.hasRoom = false;
  hub.join(subscription, { subscriptionId: 's2', item: 'i', since: undefined });
  of.offset = 110;
  hub.restart(REF, 'gap', { epoch: 'e', offset: 110 });
  await settled();
  return { group, socket };
}

it('RV-16 who leaves while its sync is written takes no frames from the others with it', async () => {
  const { group, socket } = await bothOwed(world);
  world.onSnapshot = () => {
    world.onSnapshot = () => {};
    world.publish(111);
  };
  const write = socket.write.bind(socket);
  socket.write = (frames) => {
    write(frames);
    if (frames.includes('"id":null')) world.hub.leave(group);
  };
  socket.hasRoom = true;
  socket.drain();
  await settled();
  expect(told(socket)).toEqual(['syncing s2', 'sync "i"', 'syncing s1', 'gap s1', 'sync null', 'update "i"']);
});

it('RV-10 many items that are owed a sync get each once, however fast the log turns over meanwhile', async () => {
  const small = new World(5);
  const { hub, socket } = small;
  socket.positions = true;
  const subscription = hub.open(socket, REF);
  for (let n = 0; n < 20; n++) hub.join(subscription, { subscriptionId: `s${n}`, item: `i${n}`, since: undefined });
  await settled();
  expect(subscription.state).toBe('live');
  socket.written.length = 0;
  small.onGet = () => {
    for (let n = 0; n < 10; n++) small.publish(small.offset + 1, 'other');
  };
  hub.restart(REF, 'epoch', { epoch: 'e', offset: 200 });
  await settled();
  await settled();
  expect(told(socket).filter((word) => word.startsWith('sync "'))).toHaveLength(20);
  small.onGet = () => {};
  await expect.poll(() => subscription.state, { interval: 5 }).toBe('live');
  expect(told(socket).filter((word) => word.startsWith('sync "'))).toHaveLength(20);
  hub.stop();
});

it('RV-16 a join with a position that must be answered with changes waits for nothing of them while others are owed a sync', async () => {
  const { hub, socket } = world;
  socket.positions = true;
  const subscription = hub.open(socket, REF);
  hub.join(subscription, GROUP);
  await settled();
  socket.written.length = 0;
  socket.hasRoom = false;
  hub.join(subscription, { subscriptionId: 's2', item: 'i', since: { epoch: 'e', offset: 50 } });
  world.offset = 110;
  hub.restart(REF, 'gap', { epoch: 'e', offset: 110 });
  await settled();
  socket.hasRoom = true;
  socket.drain();
  await settled();
  expect(told(socket)).toEqual(['syncing s2', 'gap s2', 'sync "i"', 'syncing s1', 'gap s1', 'sync null']);
  expect(socket.written.join('')).toContain('"offset":110,"epoch":"e","reason":"restarted"}');
});

it('RV-11 nothing of the group comes between the parts of a sync that failed and that which follows it', async () => {
  const { hub, socket } = world;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  socket.positions = true;
  const subscription = hub.open(socket, REF);
  hub.join(subscription, { subscriptionId: 's2', item: 'i', since: undefined });
  await settled(LARGE_TURNS);
  socket.written.length = 0;
  world.items = LARGE;
  world.fails = () => {
    world.fails = () => {};
    world.publish(101);
    throw new Error('the store can not be read now');
  };
  hub.join(subscription, GROUP);
  await settled(LARGE_TURNS);
  vi.advanceTimersByTime(100);
  await settled(LARGE_TURNS);
  const words = told(socket).filter((word, at, all) => word !== all[at - 1]);
  expect(words).toEqual(['syncing s1', 'sync null', 'syncing s1', 'sync null', 'update "i"']);
  expect(socket.written.filter((text) => text.includes('"reason":"restarted"'))).not.toEqual([]);
});

it('RV-9 a gap of a history that has ended is not told with the sync of the next', async () => {
  const { hub, socket } = world;
  await bothOwed(world);
  const write = socket.write.bind(socket);
  socket.write = (frames) => {
    write(frames);
    socket.hasRoom = world.epoch === 'f';
  };
  socket.hasRoom = true;
  socket.drain();
  await settled();
  expect(told(socket)).toEqual(['syncing s2', 'sync "i"']);
  world.epoch = 'f';
  world.offset = 500;
  hub.restart(REF, 'epoch', { epoch: 'f', offset: 500 });
  socket.hasRoom = true;
  socket.drain();
  await settled();
  expect(told(socket).slice(2)).toEqual(['syncing s1', 'sync null', 'syncing s2', 'sync "i"']);
  expect(socket.written.join('')).toContain('"offset":500,"epoch":"f","reason":"epoch"}');
});

/** Returns a subscription whose cursor is at 103 while the log ends at 100: the store has shown three changes and not reported them. */
async function aheadOfLog(): Promise<Subscription> {
  const { hub, socket } = world;
  // Another reader of the group makes the log begin at 100.
  hub.join(hub.open(new Socket(), REF), GROUP);
  await settled();
  const subscription = hub.open(socket, REF);
  world.offset = 103;
  hub.join(subscription, { ...GROUP, item: 'i' });
  await settled();
  return subscription;
}

it('RV-6 a join from a position waits for changes that the store has shown and not reported yet', async () => {
  const { hub, socket } = world;
  socket.positions = true;
  const subscription = await aheadOfLog();
  expect([subscription.cursor, subscription.fanout.log.head]).toEqual([103, 100]);
  socket.written.length = 0;
  const member = hub.join(subscription, { subscriptionId: 's2', item: 'i', since: { epoch: 'e', offset: 100 } });
  await settled();
  expect(socket.written).toEqual([expect.stringContaining('"resumed"')]);
  for (const offset of [101, 102, 103, 104]) world.publish(offset);
  await settled();
  expect(subscription.members).toContain(member);
  expect(offsetsIn(socket)).toEqual([101, 102, 103, 104]);
});

it('RV-6 a join from a position gets a sync when the changes that it waits for never come', async () => {
  const { hub, socket } = world;
  socket.positions = true;
  const subscription = await aheadOfLog();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  socket.written.length = 0;
  hub.join(subscription, { subscriptionId: 's2', item: 'i', since: { epoch: 'e', offset: 100 } });
  await settled();
  await vi.advanceTimersByTimeAsync(5_000);
  await settled();
  expect(socket.written.filter((text) => text.includes('"sync"'))).toHaveLength(1);
});

/** Returns the offsets of the changes that a socket got, in order. */
function offsetsIn(socket: Socket): number[] {
  return [...socket.written.join('').matchAll(/"update".*?"offset":(\d+)/g)].map(([, offset]) => Number(offset));
}
