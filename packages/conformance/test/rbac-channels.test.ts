import { LIMITS } from '@rivulet/protocol';
import { expect, test } from 'vitest';
import { ChannelEnd, createChannel } from './harness/channel-end.js';
import { startTestEngine } from './harness/engine.js';
import { RawWorker } from './harness/raw-worker.js';

async function start() {
  const started = await startTestEngine({ gated: {} });
  const worker = await RawWorker.connect(started.workerUrl);
  const session = await RawWorker.connect(started.gatedUrl);
  return { ...started, worker, session };
}

test('sessions have a bound of channels of their own, which leaves those of workers alone', async () => {
  const { worker, session, gatedUrl } = await start();
  const make = (from: RawWorker, times: number) => Promise.all(Array.from({ length: times }, () => createChannel(from)));
  await make(session, LIMITS.channelsPerSession);
  expect(await session.errorCode('engine::channels::create', {})).toBe('OVERLOADED');
  await make(worker, LIMITS.channelsPerSession + 1);
  await make(await RawWorker.connect(gatedUrl), 1);
});

test('channels of sessions that nobody reads hold a bound together; those of workers go on, and everything arrives once it is read', async () => {
  const { engine, worker, session, gatedUrl, workerUrl } = await start();
  const message = Buffer.alloc(1_000_000);
  const count = Math.ceil(LIMITS.sessionChannelsBytes / message.length) + 20;
  const refs = await Promise.all(Array.from({ length: count }, () => createChannel(session)));
  const writers = await Promise.all(refs.map(({ writer }) => ChannelEnd.open(gatedUrl, writer)));
  for (const { socket } of writers) {
    socket.send(message);
    socket.close(1000);
  }
  while (engine.figures().channelBytes < LIMITS.sessionChannelsBytes) await session.settled();
  for (let turn = 0; turn < 100; turn++) await session.settled();
  expect(engine.figures().channelBytes).toBeLessThan(LIMITS.sessionChannelsBytes + 1_100_000);
  const own = await createChannel(worker);
  const end = await ChannelEnd.open(workerUrl, own.writer);
  end.socket.send('through');
  end.socket.close(1000);
  const read = await ChannelEnd.open(workerUrl, own.reader);
  expect((await read.closed).code).toBe(1000);
  expect(read.inbox.all.map(({ data }) => data.toString())).toEqual(['through']);
  for (const { reader } of refs) {
    const to = await ChannelEnd.open(gatedUrl, reader);
    expect((await to.closed).code).toBe(1000);
    expect(to.inbox.all.map(({ data }) => data.length)).toEqual([message.length]);
  }
  expect(engine.figures().channelBytes).toBe(0);
});
