import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { HalfOpenProxy } from '@rivulet/testkit/links/half-open-proxy';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ChannelReader, ChannelWriter, type InvocationError } from '../../src/index.js';
import { connectWorker } from '../connect-worker.js';

const CHUNK = 65_536;
const codeOf = (error: unknown) => (error as InvocationError).code;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function openChannel() {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  return { workerUrl, worker, ...(await worker.createChannel(1)) };
}

/** Writes until the kernel buffers are full and `unsent` bytes wait in the socket. Returns the number of written bytes. */
async function fill({ stream }: ChannelWriter, unsent: number): Promise<number> {
  const send = vi.spyOn(WebSocket.prototype, 'send');
  onTestFinished(() => {
    send.mockRestore();
  });
  let written = 0;
  for (;;) {
    stream.write(Buffer.alloc(CHUNK));
    written += CHUNK;
    for (let n = 0; n < 4; n++) await turn();
    if (((send.mock.contexts.at(-1) as WebSocket | undefined)?.bufferedAmount ?? 0) > unsent) return written;
  }
}

/** Drops all data in both directions, without an error on either end. */
async function fallSilent(proxy: HalfOpenProxy): Promise<void> {
  const { client, upstream } = await proxy.next();
  client.pause();
  upstream.pause();
}

test('RB-12 the end of a channel waits for its reader, however long that rests', async () => {
  const { writer, reader } = await openChannel();
  const written = await fill(writer, 4 * CHUNK);
  const closed = vi.spyOn(WebSocket.prototype, 'close');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => {
    closed.mockRestore();
    vi.useRealTimers();
  });
  const ended = new Promise<string>((resolve) => {
    writer.stream.once('finish', () => resolve('finished')).once('error', (error) => resolve(codeOf(error)));
  });
  writer.stream.end();
  while (closed.mock.calls.length === 0) await turn();
  await vi.advanceTimersByTimeAsync(3_600_000);
  vi.useRealTimers();
  expect((await reader.readAll()).length).toBe(written);
  expect(await ended).toBe('finished');
});

test('a write waits for a reader that stops, until it goes on', async () => {
  const { worker, writer, reader } = await openChannel();
  const readable = new Promise<void>((resolve) => reader.stream.once('readable', resolve));
  const unsent = 16 * CHUNK;
  await fill(writer, unsent);
  await readable;
  let done = false;
  const written = new Promise<void>((resolve) => {
    writer.stream.write(Buffer.alloc(CHUNK), () => {
      done = true;
      resolve();
    });
  });
  // After a round trip to the engine the write would have arrived.
  await worker.trigger({ function_id: 'engine::health::check', payload: {} });
  expect(done).toBe(false);
  reader.stream.resume();
  await written;
});

test('no end is given up while the other one rests, nor pinged without end', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const ping = vi.spyOn(WebSocket.prototype, 'ping');
  onTestFinished(() => {
    ping.mockRestore();
    vi.useRealTimers();
  });
  const { writer, reader } = await openChannel();
  const readable = new Promise<void>((resolve) => reader.stream.once('readable', resolve));
  const written = await fill(writer, CHUNK);
  await readable;
  for (let minute = 0; minute < 60; minute++) {
    vi.advanceTimersByTime(60_000);
    await turn();
  }
  expect(ping.mock.calls.length).toBeLessThan(10);
  vi.useRealTimers();
  writer.stream.end();
  expect((await reader.readAll()).length).toBe(written);
});

test('a reader on a network that has gone silent fails', async () => {
  const { workerUrl, readerRef, writer } = await openChannel();
  const proxy = await HalfOpenProxy.to(workerUrl);
  const reader = new ChannelReader(proxy.url, readerRef, { everyMs: 10, silentMs: 100 });
  const begun = new Promise((resolve) => reader.stream.once('data', resolve));
  writer.stream.write('x');
  await begun;
  const read = reader.readAll();
  await fallSilent(proxy);
  await expect(read).rejects.toMatchObject({ code: 'CHANNEL_LOST', message: 'CHANNEL_LOST: nothing came for 100 ms' });
});

/** Makes the sockets of `ws` hide their connection, as the `ws` of Bun does. */
function hideConnections(): void {
  // oxlint-disable-next-line typescript/unbound-method
  const { emit } = WebSocket.prototype;
  const spy = vi.spyOn(WebSocket.prototype, 'emit').mockImplementation(function (this: WebSocket, event, ...values: unknown[]) {
    return emit.call(this, event, ...(event === 'upgrade' ? [{ socket: null }] : values));
  });
  onTestFinished(() => {
    spy.mockRestore();
  });
}

test('a channel carries everything over sockets without a visible connection', async () => {
  hideConnections();
  const { writer, reader } = await openChannel();
  const read = reader.readAll();
  for (let n = 0; n < 8; n++) writer.stream.write(Buffer.alloc(CHUNK));
  writer.stream.end();
  expect((await read).length).toBe(8 * CHUNK);
});

test('a reader without a visible connection is heard by its messages and pongs, and fails when nothing comes', async () => {
  hideConnections();
  const { workerUrl, readerRef, writer } = await openChannel();
  const proxy = await HalfOpenProxy.to(workerUrl);
  const reader = new ChannelReader(proxy.url, readerRef, { everyMs: 10, silentMs: 100 });
  const begun = new Promise((resolve) => reader.stream.once('data', resolve));
  writer.stream.write('x');
  await begun;
  const read = reader.readAll();
  await fallSilent(proxy);
  await expect(read).rejects.toMatchObject({ code: 'CHANNEL_LOST', message: 'CHANNEL_LOST: nothing came for 100 ms' });
});

test('a writer of which everything was taken fails on a network that has gone silent', async () => {
  const { workerUrl, writerRef, reader } = await openChannel();
  const proxy = await HalfOpenProxy.to(workerUrl);
  const pong = vi.spyOn(WebSocket.prototype, 'emit');
  onTestFinished(() => {
    pong.mockRestore();
  });
  const writer = new ChannelWriter(proxy.url, writerRef, { everyMs: 10, silentMs: 100 });
  const lost = new Promise<Error>((resolve) => writer.stream.once('error', resolve));
  writer.stream.write('x');
  reader.stream.resume();
  await expect.poll(() => pong.mock.calls.some(([event, data]) => event === 'pong' && String(data) === '1')).toBe(true);
  await fallSilent(proxy);
  expect(await lost).toMatchObject({ code: 'CHANNEL_LOST', message: 'CHANNEL_LOST: nothing came for 100 ms' });
});

test('a reader that is closed while its socket rests ends at once, and so does its writer', async () => {
  const { writer, reader } = await openChannel();
  const lost = new Promise<string>((resolve) => writer.stream.once('error', (error) => resolve(codeOf(error))));
  const readable = new Promise<void>((resolve) => reader.stream.once('readable', resolve));
  await fill(writer, CHUNK);
  await readable;
  const closed = new Promise<void>((resolve) => reader.stream.once('close', resolve));
  reader.close();
  expect(await lost).toBe('CHANNEL_LOST');
  reader.stream.resume();
  await closed;
});

test('texts that wait for a channel are bounded by their size too', async () => {
  const { writer } = await openChannel();
  const text = 'x'.repeat(1_000_000);
  for (let n = 0; n < 16; n++) writer.sendMessage(text);
  expect(() => writer.sendMessage(text)).toThrow(/^QUEUE_FULL/u);
  writer.stream.destroy();
});
