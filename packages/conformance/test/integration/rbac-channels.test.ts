import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { ChannelEnd, type ChannelRef, channelPath, createChannel } from '@rivulet/testkit/peers/channel-end';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

async function start() {
  const started = await startTestEngine({ guest: {} });
  const worker = await RawWorker.connect(started.workerUrl);
  const session = await RawWorker.connect(started.guestUrl);
  return { ...started, worker, session };
}

test('sessions have a bound of channels of their own, which leaves those of workers alone', async () => {
  const { worker, session, guestUrl } = await start();
  const make = (from: RawWorker, times: number) => Promise.all(Array.from({ length: times }, () => createChannel(from)));
  await make(session, LIMITS.channelsPerSession);
  expect(await session.errorCode('engine::channels::create', {})).toBe('OVERLOADED');
  await make(worker, LIMITS.channelsPerSession + 1);
  await make(await RawWorker.connect(guestUrl), 1);
});

/** Creates channels of a new session and sends messages into each. No reader connects. */
async function fill(guestUrl: string, count: number, message: Buffer, messages = 1) {
  const session = await RawWorker.connect(guestUrl);
  const refs = await Promise.all(Array.from({ length: count }, () => createChannel(session)));
  const writers = await Promise.all(refs.map(({ writer }) => ChannelEnd.open(guestUrl, writer)));
  for (const { socket } of writers) {
    for (let n = 0; n < messages; n++) socket.send(message);
    socket.close(1000);
  }
  return refs.map(({ reader }) => reader);
}

async function expectThrough(from: RawWorker, url: string) {
  const own = await createChannel(from);
  const end = await ChannelEnd.open(url, own.writer);
  const read = await ChannelEnd.open(url, own.reader);
  end.socket.send('through');
  end.socket.close(1000);
  expect((await read.closed).code).toBe(1000);
  expect(read.inbox.all.map(({ data }) => data.toString())).toEqual(['through']);
}

async function expectRead(url: string, readers: readonly ChannelRef[], bytes: number, messages = 1) {
  for (const reader of readers) {
    const to = await ChannelEnd.open(url, reader);
    expect((await to.closed).code).toBe(1000);
    expect(to.inbox.all.map(({ data }) => data.length)).toEqual(Array.from({ length: messages }, () => bytes));
  }
}

test('E8 channels of one session that nobody reads hold a bound; other sessions go on, and everything arrives once it is read', async () => {
  const { engine, session, guestUrl } = await start();
  const message = Buffer.alloc(100_000);
  const readers = await fill(guestUrl, 6, message, 20);
  while (engine.figures().channelBytes < LIMITS.guestChannelBytes) await session.settled();
  for (let turn = 0; turn < 100; turn++) await session.settled();
  // Each writer may send one more message while the bound is reached.
  expect(engine.figures().channelBytes).toBeLessThan(LIMITS.guestChannelBytes + (readers.length + 1) * message.length);
  const held = engine.figures().channelBytes;
  await fill(guestUrl, 1, message);
  while (engine.figures().channelBytes < held + message.length) await session.settled();
  await expectThrough(session, guestUrl);
  await expectRead(guestUrl, readers, message.length, 20);
});

test('channels of sessions that nobody reads hold a bound together; those of workers go on, and everything arrives once it is read', async () => {
  const { engine, worker, session, guestUrl, workerUrl } = await start();
  const message = Buffer.alloc(1_000_000);
  const readers: ChannelRef[] = [];
  while (engine.figures().channelBytes < LIMITS.sessionChannelsBytes) {
    readers.push(...(await fill(guestUrl, 3, message)));
    const arrived = Math.min(readers.length * message.length, LIMITS.sessionChannelsBytes);
    while (engine.figures().channelBytes < arrived) await session.settled();
  }
  readers.push(...(await fill(guestUrl, 3, message)));
  for (let turn = 0; turn < 100; turn++) await session.settled();
  // Each of the three writers may send one more message while the bound is reached.
  expect(engine.figures().channelBytes).toBeLessThan(LIMITS.sessionChannelsBytes + 3 * (message.length + 256));
  await expectThrough(worker, workerUrl);
  await expectRead(guestUrl, readers, message.length);
  expect(engine.figures().channelBytes).toBe(0);
});

test('E8 readers of one session that rest do not stop one that reads, and get everything when they read again', async () => {
  const { session, guestUrl } = await start();
  const [count, message] = [160, Buffer.alloc(65_536)];
  const resting = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const { writer, reader } = await createChannel(session);
      const to = await ChannelEnd.open(guestUrl, reader);
      to.socket.pause();
      const { socket } = await ChannelEnd.open(guestUrl, writer);
      for (let n = 0; n < count; n++) socket.send(message);
      socket.close(1000);
      return to;
    }),
  );
  for (let turn = 0; turn < 100; turn++) await session.settled();
  await expectThrough(session, guestUrl);
  for (const { socket } of resting) socket.resume();
  for (const to of resting) {
    expect((await to.closed).code).toBe(1000);
    expect(to.inbox.all).toHaveLength(count);
  }
});

test('E8 unfinished messages of one session hold a bound: its writers take turns, other sessions go on, and everything arrives', async () => {
  const { engine, session, guestUrl, log } = await start();
  const [count, bytes] = [40, 1_000_000];
  const message = frame({ opcode: OPCODE.binary, payload: Buffer.alloc(bytes) });
  const ends = await Promise.all(
    Array.from({ length: count }, async () => {
      const { writer, reader } = await createChannel(session);
      const raw = await RawSocket.upgrade(guestUrl, channelPath(writer));
      raw.write(message.subarray(0, 900_000));
      return { raw, reader };
    }),
  );
  while (engine.figures().unfinishedChannelBytes < LIMITS.guestChannelUnfinishedBytes) await session.settled();
  for (let turn = 0; turn < 200; turn++) await session.settled();
  // The engine reads one writer up to the end of the bytes that its peer sent.
  const most = LIMITS.guestChannelUnfinishedBytes + bytes;
  expect(engine.figures().unfinishedChannelBytes).toBeLessThan(most);
  expect(log.filter(({ event }) => event === 'channel_writers_take_turns')).toHaveLength(1);
  await expectThrough(await RawWorker.connect(guestUrl), guestUrl);
  for (const { raw } of ends) raw.write(message.subarray(900_000));
  await Promise.all(
    ends.map(async ({ raw, reader }) => {
      const to = await ChannelEnd.open(guestUrl, reader);
      expect((await to.take()).data).toHaveLength(bytes);
      raw.write(frame({ opcode: OPCODE.close, payload: Buffer.from([3, 232]) }));
      expect((await to.closed).code).toBe(1000);
    }),
  );
  expect(engine.figures()).toMatchObject({ unfinishedChannelBytes: 0, channelBytes: 0 });
});

test('E8 writers of one session that end in the middle of a message give their turn to the others', async () => {
  const { engine, session, guestUrl } = await start();
  const message = frame({ opcode: OPCODE.binary, payload: Buffer.alloc(1_000_000) });
  const begin = async () => {
    const { writer, reader } = await createChannel(session);
    const raw = await RawSocket.upgrade(guestUrl, channelPath(writer));
    raw.write(message.subarray(0, 900_000));
    return { raw, reader };
  };
  const ends = await Promise.all(Array.from({ length: 12 }, begin));
  while (engine.figures().unfinishedChannelBytes < LIMITS.guestChannelUnfinishedBytes) await session.settled();
  for (const { raw } of ends) raw.socket.destroy();
  while (engine.figures().unfinishedChannelBytes > 0) await session.settled();
  await expectThrough(session, guestUrl);
});
