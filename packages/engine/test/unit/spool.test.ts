import { LIMITS } from '@rivulet/protocol';
import { afterEach, expect, it, vi } from 'vitest';
import { GROUP, LARGE, REF, Socket, settled, World } from '../hub-world.js';

let world: World;
afterEach(() => {
  world.hub.stop();
  vi.useRealTimers();
});

/** Returns a world whose large groups go to files. Only `setTimeout` is fake; the disk is real. */
function spooled(bytes: number = LIMITS.spoolBytes): World {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  world = new World(1_000, bytes);
  world.items = LARGE;
  return world;
}

/** Makes a socket full after each piece. The test sets `hasRoom` again. */
function takesOne(socket: World['socket']): void {
  socket.write = (frames) => {
    socket.written.push(frames.toString('latin1'));
    socket.hasRoom = false;
  };
}

/** Returns the number of values of `LARGE` that were written, by their bytes. */
const values = (socket: World['socket']) => Math.floor(socket.written.reduce((sum, { length }) => sum + length, 0) / 100_002);

it('decision 21 a reader that takes nothing of a large sync keeps no snapshot, and is closed in the end', async () => {
  const { hub, socket } = spooled();
  hub.join(hub.open(socket, REF), GROUP);
  takesOne(socket);
  await expect.poll(() => socket.written.length).toBe(1);
  expect([world.openSnapshots, world.spool?.bytes]).toEqual([0, expect.toSatisfy((bytes: number) => bytes > 20_000_000)]);
  await settled();
  vi.advanceTimersByTime(LIMITS.snapshotStallMs / 2);
  await settled();
  expect(socket.failures).toEqual([]);
  vi.advanceTimersByTime(LIMITS.snapshotStallMs / 2);
  await settled();
  expect(socket.failures).toEqual(['tryLater']);
});

it('a reader that is slow, and not stalled, gets a large sync whole', async () => {
  const { hub, socket } = spooled();
  hub.join(hub.open(socket, REF), GROUP);
  takesOne(socket);
  for (let step = 1; values(socket) < 200; step++) {
    await expect.poll(() => socket.written.length, { interval: 1 }).toBeGreaterThanOrEqual(step);
    await settled();
    vi.advanceTimersByTime(1_500);
    socket.hasRoom = true;
    socket.drain();
  }
  await settled();
  expect([socket.failures, values(socket)]).toEqual([[], 200]);
});

it('decision 21 a reader that drips keeps nothing for longer than a slow one would need', async () => {
  const { hub, socket } = spooled();
  hub.join(hub.open(socket, REF), GROUP);
  takesOne(socket);
  let steps = 0;
  for (; socket.failures.length === 0; steps++) {
    await expect.poll(() => socket.written.length > steps || socket.failures.length > 0, { interval: 1 }).toBe(true);
    await settled();
    vi.advanceTimersByTime(LIMITS.snapshotStallMs - 1);
    socket.hasRoom = true;
    socket.drain();
    await settled();
  }
  expect(socket.failures).toEqual(['tryLater']);
  // The time of 20 MB at 16 KiB/s, and one minute.
  expect(steps).toBeLessThan(30);
  await expect.poll(() => world.spool?.bytes).toBe(0);
});

it('decision 21 readers of one position share one file, and it is given back when the last one has it', async () => {
  const { hub } = spooled();
  const sockets = Array.from({ length: 20 }, (_, n) => Object.assign(new Socket(), { positions: n % 2 === 0 }));
  let opened = 0;
  world.onSnapshot = () => opened++;
  for (const socket of sockets) {
    takesOne(socket);
    hub.join(hub.open(socket, REF), GROUP);
  }
  await expect.poll(() => sockets.every(({ written }) => written.length > 0)).toBe(true);
  // One file in parts and one in fragments, and the build that the first reader of each kind awaits.
  expect(opened).toBeLessThanOrEqual(4);
  expect(world.spool?.bytes).toBeLessThan(4 * 21_000_000);
  for (const socket of sockets) socket.write = (frames) => void socket.written.push(frames.toString('latin1'));
  const drained = () => {
    for (const socket of sockets) {
      socket.hasRoom = true;
      socket.drain();
    }
    return sockets.map(values);
  };
  await expect.poll(drained).toEqual(sockets.map(() => 200));
  await settled();
  world.publish(101);
  await expect.poll(() => sockets.every(({ written }) => written.at(-1)?.includes('"offset":101'))).toBe(true);
});

it('decision 21 without room for a file a reader has a short time, then it begins again or is closed', async () => {
  const { hub } = spooled(1_000_000);
  const knows = Object.assign(new Socket(), { positions: true });
  const plain = new Socket();
  for (const socket of [knows, plain]) {
    takesOne(socket);
    hub.join(hub.open(socket, REF), GROUP);
  }
  await expect.poll(() => knows.written.length + plain.written.length).toBe(3);
  expect(world.openSnapshots).toBe(2);
  vi.advanceTimersByTime(LIMITS.readViewMs);
  expect([world.openSnapshots, world.spool?.bytes]).toEqual([0, 0]);
  expect(world.spool?.refused).toBeGreaterThan(0);
  for (const socket of [knows, plain]) {
    socket.write = (frames) => void socket.written.push(frames.toString('latin1'));
    socket.hasRoom = true;
    socket.drain();
  }
  await expect.poll(() => plain.failures).toEqual(['tryLater']);
  await expect.poll(() => values(knows)).toBeGreaterThanOrEqual(200);
  expect(knows.failures).toEqual([]);
  expect(knows.written.filter((text) => text.includes('"part":0')).at(-1)).toContain('"reason":"restarted"');
});

it('decision 21 who joins and leaves over and over while files are written leaves nothing behind', async () => {
  const { hub } = spooled();
  let opened = 0;
  world.onSnapshot = () => opened++;
  for (let n = 0; n < 60; n++) {
    const socket = Object.assign(new Socket(), { positions: n % 2 === 0 });
    const membership = hub.join(hub.open(socket, REF), GROUP);
    await settled();
    hub.leave(membership);
    socket.open = false;
    socket.drain();
    world.publish(101 + n);
  }
  // At most one build of each kind runs at a time, however many readers join and leave.
  expect(opened).toBeLessThan(60);
  await expect.poll(() => [world.openSnapshots, world.spool?.bytes]).toEqual([0, 0]);
});

it('decision 21 readers at many positions get no more than the files may have, and each gets its state whole or begins again', async () => {
  const most = 70_000_000;
  const { hub } = spooled(most);
  const sockets: Socket[] = [];
  let largest = 0;
  for (let n = 0; n < 12; n++) {
    const socket = Object.assign(new Socket(), { positions: true });
    takesOne(socket);
    sockets.push(socket);
    hub.join(hub.open(socket, REF), GROUP);
    await expect.poll(() => socket.written.length, { interval: 1 }).toBeGreaterThan(0);
    largest = Math.max(largest, world.spool?.bytes ?? 0);
    world.publish(101 + n);
  }
  expect(largest).toBeLessThanOrEqual(most);
  expect(largest).toBeGreaterThan(60_000_000);
  expect(world.spool?.refused).toBeGreaterThan(0);
  vi.advanceTimersByTime(LIMITS.readViewMs);
  // An answer without a file keeps its view for a short time only.
  expect(world.openSnapshots).toBe(0);
  for (const socket of sockets) socket.write = (frames) => void socket.written.push(frames.toString('latin1'));
  const drained = () => {
    for (const socket of sockets) {
      socket.hasRoom = true;
      socket.drain();
    }
    return sockets.filter((socket) => !(socket.written.some((text) => text.includes('"last":true')) && values(socket) >= 200)).length;
  };
  await expect.poll(drained).toBe(0);
  expect(sockets.flatMap(({ failures }) => failures)).toEqual([]);
});

it('no snapshot is opened for a reader that takes nothing, nor kept while it waits for the socket', async () => {
  const { hub, socket } = spooled();
  const opened = vi.fn<() => void>();
  world.onSnapshot = opened;
  socket.hasRoom = false;
  hub.join(hub.open(socket, REF), GROUP);
  await settled();
  expect(opened).not.toHaveBeenCalled();
  // Another message locks the socket between the check of the socket and the first fragment.
  world.onSnapshot = () => socket.tryLock();
  socket.hasRoom = true;
  socket.drain();
  await expect.poll(() => world.spool?.bytes).toBeGreaterThan(20_000_000);
  await expect.poll(() => world.openSnapshots).toBe(0);
  world.onSnapshot = () => {};
  socket.unlock();
  await expect.poll(() => values(socket)).toBe(200);
});

it('RV-11 a reader of positions that takes nothing of a large sync begins again when it reads, and keeps nothing open meanwhile', async () => {
  const { hub, socket } = spooled();
  socket.positions = true;
  socket.write = (frames) => {
    socket.written.push(frames.toString('latin1'));
    socket.hasRoom = !frames.includes('"part":');
  };
  hub.join(hub.open(socket, REF), GROUP);
  await expect.poll(() => socket.written.length).toBe(2);
  await settled();
  expect(world.openSnapshots).toBe(0);
  vi.advanceTimersByTime(LIMITS.snapshotStallMs);
  await settled();
  expect(socket.failures).toEqual([]);
  // A change makes the file out of date.
  world.publish(101);
  await expect.poll(() => world.spool?.bytes).toBe(0);
  socket.write = (frames) => void socket.written.push(frames.toString('latin1'));
  socket.hasRoom = true;
  socket.drain();
  await expect.poll(() => socket.written.at(-1)).toMatch(/"last":true/);
  const parts = socket.written.map((text) => /"part":(\d+),"last":(true|false)/.exec(text)?.slice(1).join(' ') ?? 'syncing');
  expect(parts.slice(0, 5)).toEqual(['syncing', '0 false', 'syncing', '0 false', '1 false']);
  expect(socket.written[3]).toContain('"reason":"restarted"');
});
