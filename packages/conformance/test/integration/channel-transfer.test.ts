import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { ChannelEnd, createChannel } from '@rivulet/testkit/peers/channel-end';
import { RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { registerWorker } from 'iii-sdk-0.22.1';
import { createChannel as createChannel_0_22_1 } from 'iii-sdk-0.22.1/helpers';
import { expect, it, onTestFinished } from 'vitest';

const MIB = 1_048_576;
const BYTES = 100 * MIB;

/** Returns the largest resident memory that a process has had, in bytes. */
function peak(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
}

async function transfer(engine: EngineProcess, worker: RawWorker, bytes: number): Promise<void> {
  const { writer, reader } = await createChannel(worker);
  const to = await ChannelEnd.open(engine.workerUrl, reader);
  const from = await ChannelEnd.open(engine.workerUrl, writer);
  const chunk = Buffer.alloc(65_536);
  const [sent, got] = [createHash('sha1'), createHash('sha1')];
  let received = 0;
  to.socket.removeAllListeners('message');
  to.socket.on('message', (data: Buffer) => {
    received += data.length;
    got.update(data);
    // The reader is slower than the writer.
    if (received % (4 * MIB) === 0) {
      to.socket.pause();
      setTimeout(() => to.socket.resume(), 5);
    }
  });
  for (let at = 0; at < bytes; at += chunk.length) {
    chunk.writeUInt32LE(at, 0);
    sent.update(chunk);
    await from.send(Buffer.from(chunk));
  }
  from.socket.close(1000, 'stream_complete');
  expect((await to.closed).code).toBe(1000);
  expect([received, got.digest('hex')]).toEqual([bytes, sent.digest('hex')]);
}

it('RB-12 a transfer of 100 MiB to a slow reader grows the memory of the engine by at most 32 MiB', async () => {
  const engine = await EngineProcess.start({ storeMethod: 'in_memory' });
  const worker = await RawWorker.connect(engine.workerUrl);
  // The code and the young heap take memory once and keep it. The size of a transfer does not change that.
  await transfer(engine, worker, MIB);
  const before = peak(engine.pid);
  await transfer(engine, worker, BYTES);
  expect((peak(engine.pid) - before) / MIB).toBeLessThan(32);
});

it('RB-12 a writer that is held back is not taken for dead, and neither is a reader that rests', async () => {
  const { workerUrl, engine } = await startTestEngine({ worker: { pingIntervalMs: 100, pongTimeoutMs: 100 } });
  const worker = await RawWorker.connect(workerUrl);
  const { writer, reader } = await createChannel(worker, { buffer_size: 1 });
  const from = await ChannelEnd.open(workerUrl, writer);
  const to = await ChannelEnd.open(workerUrl, reader);
  to.socket.pause();
  const count = 300;
  for (let n = 0; n < count; n++) from.socket.send(Buffer.alloc(65_536, n));
  from.socket.close(1000);
  while (engine.figures().channelBytes === 0) await worker.settled();
  // The engine drops silent workers meanwhile, one after the other. Each drop proves that time has passed.
  for (let n = 0; n < 5; n++) {
    const silent = await RawSocket.upgrade(workerUrl);
    silent.answersPings = false;
    await silent.ended;
  }
  to.socket.resume();
  expect((await to.closed).code).toBe(1000);
  expect(to.inbox.all).toHaveLength(count);
});

it('an idle end of a channel whose machine has disappeared is dropped', async () => {
  const { workerUrl } = await startTestEngine({ worker: { pingIntervalMs: 100, pongTimeoutMs: 100 } });
  const worker = await RawWorker.connect(workerUrl);
  for (const direction of ['reader', 'writer'] as const) {
    const { [direction]: ref } = await createChannel(worker);
    const silent = await RawSocket.upgrade(workerUrl, `/ws/channels/${ref.channel_id}?key=${ref.access_key}&dir=${ref.direction}`);
    silent.answersPings = false;
    await silent.ended;
  }
});

it('RB-12 channels of iii-sdk 0.22.1 carry a stream and messages between two of its workers', async () => {
  process.env.OTEL_ENABLED = 'false';
  const { workerUrl, engine } = await startTestEngine();
  const open = (name: string) => {
    const sdk = registerWorker(workerUrl, { workerName: name, enableMetricsReporting: false, otel: { enabled: false } });
    onTestFinished(() => sdk.shutdown());
    return sdk;
  };
  const [near, far] = [open('near'), open('far')];
  far.registerFunction('far::digest', async ({ source }: { source: { readAll(): Promise<Buffer> } }) => {
    const bytes = await source.readAll();
    return { bytes: bytes.length, sha: createHash('sha1').update(bytes).digest('hex') };
  });
  await far.trigger({ function_id: 'engine::health::check', payload: {} });
  const channel = await createChannel_0_22_1(near);
  const data = Buffer.alloc(3_000_000, 'abc');
  const answer = near.trigger({ function_id: 'far::digest', payload: { source: channel.readerRef } });
  channel.writer.stream.end(data);
  expect(await answer).toEqual({ bytes: data.length, sha: createHash('sha1').update(data).digest('hex') });
  while (engine.figures().channels > 0) await near.trigger({ function_id: 'engine::health::check', payload: {} });
});
