import { randomUUID } from 'node:crypto';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { ChannelEnd, type ChannelRefs, createChannel } from '@rivulet/testkit/peers/channel-end';
import { RawSocket, upgradeHead } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, it, test } from 'vitest';
import type { WebSocket } from 'ws';

const UUID = /^[0-9a-f-]{36}$/;

async function started(input: unknown = {}) {
  const { engine, workerUrl, stop } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const refs = await createChannel(worker, input);
  return { engine, workerUrl, stop, worker, ...refs };
}

async function statusOf(url: string, path: string): Promise<number | undefined> {
  const raw = await RawSocket.connect(url);
  raw.write(upgradeHead(path));
  return (await raw.ended).status;
}

/** Waits until the engine has seen the closed sockets, because each close is an event of its own. */
async function channelsLeft(engine: { figures(): { readonly channels: number } }, worker: RawWorker, wanted: number): Promise<void> {
  while (engine.figures().channels !== wanted) await worker.settled();
}

it('RB-12 a channel is two references, each with a key of its own', async () => {
  const { writer, reader } = await started();
  const uuid = expect.stringMatching(UUID);
  expect(writer).toEqual({ channel_id: uuid, access_key: uuid, direction: 'write' });
  expect(reader).toEqual({ channel_id: writer.channel_id, access_key: uuid, direction: 'read' });
  expect(reader.access_key).not.toBe(writer.access_key);
});

it('RB-12 text and binary arrive unchanged, in order and with their boundaries; the reader gets the rest, then 1000', async () => {
  const { engine, worker, workerUrl, writer, reader } = await started();
  const from = await ChannelEnd.open(workerUrl, writer);
  const to = await ChannelEnd.open(workerUrl, reader);
  const sent: string[] = [];
  for (let n = 0; n < 300; n++) {
    const text = n % 7 === 0 ? '' : `${n} ${'é'.repeat(n)}`;
    sent.push(n % 2 === 0 ? text : `#${text}`);
    from.socket.send(n % 2 === 0 ? text : Buffer.from(text));
  }
  const big = Buffer.alloc(1_048_575, 7);
  from.socket.send(big);
  from.socket.close(1000, 'stream_complete');
  expect(await to.closed).toEqual({ code: 1000, reason: 'end of channel' });
  expect(to.texts().slice(0, -1)).toEqual(sent);
  expect(to.inbox.all.at(-1)?.data.equals(big)).toBe(true);
  await channelsLeft(engine, worker, 0);
});

it('RB-12 what was written before the reader comes is kept, also when the writer has gone', async () => {
  const { workerUrl, writer, reader } = await started();
  const from = await ChannelEnd.open(workerUrl, writer);
  await from.send('first');
  await from.send(Buffer.from('second'));
  await from.close();
  const to = await ChannelEnd.open(workerUrl, reader);
  expect((await to.closed).code).toBe(1000);
  expect(to.texts()).toEqual(['first', '#second']);
});

it('RB-12 a reader that waits first gets an end without data when the writer writes nothing', async () => {
  const { workerUrl, writer, reader } = await started();
  const to = await ChannelEnd.open(workerUrl, reader);
  await (await ChannelEnd.open(workerUrl, writer)).close(1000, 'channel_close');
  expect((await to.closed).code).toBe(1000);
  expect(to.texts()).toEqual([]);
});

it.each([
  ['drops without a close', (socket: WebSocket) => socket.terminate()],
  ['goes away, as a page that is left', (socket: WebSocket) => socket.close(1001)],
  ['gives up with a code of its own', (socket: WebSocket) => socket.close(4000)],
])('RB-12 a writer that %s is recognised: the reader gets the rest, then 1011', async (_, end) => {
  const { workerUrl, writer, reader } = await started();
  const from = await ChannelEnd.open(workerUrl, writer);
  const to = await ChannelEnd.open(workerUrl, reader);
  await from.send('half');
  await from.settled();
  end(from.socket);
  expect(await to.closed).toEqual({ code: 1011, reason: 'writer lost' });
  expect(to.texts()).toEqual(['half']);
});

it('RB-12 a reader that closes takes the writer with it, and the channel', async () => {
  const { engine, worker, workerUrl, writer, reader } = await started();
  const from = await ChannelEnd.open(workerUrl, writer);
  const to = await ChannelEnd.open(workerUrl, reader);
  await to.close(1000, 'channel_close');
  expect((await from.closed).code).toBe(1001);
  await channelsLeft(engine, worker, 0);
  await expect(ChannelEnd.open(workerUrl, writer)).rejects.toThrow('HTTP 404');
});

it('RB-12 a full channel is not written any more until its reader comes; nothing is lost', async () => {
  const { engine, worker, workerUrl, writer, reader } = await started({ buffer_size: 16 });
  const from = await ChannelEnd.open(workerUrl, writer);
  const count = 1_000;
  for (let n = 0; n < count; n++) from.socket.send(Buffer.alloc(65_536, n));
  from.socket.close(1000, 'stream_complete');
  while (engine.figures().channelBytes < 16 * 65_536) await worker.settled();
  for (let turn = 0; turn < 100; turn++) await worker.settled();
  expect(engine.figures().channelBytes).toBeLessThan(24 * 65_536);
  expect(from.socket.bufferedAmount).toBeGreaterThan(32 * 1_048_576);
  const to = await ChannelEnd.open(workerUrl, reader);
  expect((await to.closed).code).toBe(1000);
  expect(to.inbox.all.map(({ data }) => `${data.length} ${data[0]}`)).toEqual(Array.from({ length: count }, (_, n) => `65536 ${n % 256}`));
  expect(engine.figures().channelBytes).toBe(0);
});

it('RB-12 a reader that drops sets a writer free that was stopped', async () => {
  const { engine, worker, workerUrl, writer, reader } = await started({ buffer_size: 1 });
  const from = await ChannelEnd.open(workerUrl, writer);
  const to = await ChannelEnd.open(workerUrl, reader);
  to.socket.pause();
  for (let n = 0; n < 500; n++) from.socket.send(Buffer.alloc(65_536));
  while (engine.figures().channelBytes === 0) await worker.settled();
  to.socket.terminate();
  expect((await from.closed).code).toBe(1001);
  expect(engine.figures()).toMatchObject({ channels: 0, channelBytes: 0 });
});

it.each([
  ['an unknown id', (r: ChannelRefs) => `/ws/channels/${randomUUID()}?key=${r.reader.access_key}&dir=read`, 404],
  ['no id', (r: ChannelRefs) => `/ws/channels/?key=${r.reader.access_key}&dir=read`, 404],
  ['a wrong key', (r: ChannelRefs) => `/ws/channels/${r.reader.channel_id}?key=${randomUUID()}&dir=read`, 404],
  ['a short key', (r: ChannelRefs) => `/ws/channels/${r.reader.channel_id}?key=k&dir=read`, 404],
  ['the key of the other end', (r: ChannelRefs) => `/ws/channels/${r.reader.channel_id}?key=${r.writer.access_key}&dir=read`, 404],
  ['no key', (r: ChannelRefs) => `/ws/channels/${r.reader.channel_id}?dir=read`, 400],
  ['an empty key', (r: ChannelRefs) => `/ws/channels/${r.reader.channel_id}?key=&dir=read`, 400],
  ['no direction', (r: ChannelRefs) => `/ws/channels/${r.reader.channel_id}?key=${r.reader.access_key}`, 400],
  ['another direction', (r: ChannelRefs) => `/ws/channels/${r.reader.channel_id}?key=${r.reader.access_key}&dir=both`, 400],
  ['no query', (r: ChannelRefs) => `/ws/channels/${r.reader.channel_id}`, 400],
  ['bad escapes', (r: ChannelRefs) => `/ws/channels/%zz%00?key=${r.reader.access_key}%zz&dir=read`, 404],
])('RB-12 %s is refused with its status before the upgrade', async (_what, path, status) => {
  const { workerUrl, writer, reader } = await started();
  expect(await statusOf(workerUrl, path({ writer, reader }))).toBe(status);
});

it('RB-12 an end that is taken, or was, is upgraded and closed at once', async () => {
  const { workerUrl, writer, reader } = await started();
  const to = await ChannelEnd.open(workerUrl, reader);
  const from = await ChannelEnd.open(workerUrl, writer);
  for (const ref of [reader, writer]) {
    const second = await ChannelEnd.open(workerUrl, ref);
    expect(await second.closed).toEqual({ code: 1008, reason: 'endpoint taken' });
  }
  await from.send('still here');
  expect((await to.take()).data.toString()).toBe('still here');
});

it('RB-12 two that ask for one end at the same time: one gets it', async () => {
  const { workerUrl, writer, reader } = await started();
  const both = await Promise.all([ChannelEnd.open(workerUrl, reader), ChannelEnd.open(workerUrl, reader)]);
  const lost = await Promise.race(both.map((end, index) => end.closed.then(({ code }) => ({ code, index }))));
  expect(lost.code).toBe(1008);
  const from = await ChannelEnd.open(workerUrl, writer);
  await from.send('once');
  expect((await both[1 - lost.index]?.take())?.data.toString()).toBe('once');
});

it.each(['/?api_key=k%2F', '?a=b&token=/ws/channels/none?key=1&x=y', '//'])(
  'RB-12 an engine URL with a query in front (%s) still finds the channel',
  async (front) => {
    const { workerUrl, writer, reader } = await started();
    const at = (ref: typeof reader) => {
      const path = `/ws/channels/${ref.channel_id}?key=${ref.access_key}&dir=${ref.direction}`;
      return front === '//' ? `/${path}` : `${front.startsWith('/') ? front : `/${front}`}${path}`;
    };
    const to = await ChannelEnd.openAt(workerUrl + at(reader));
    const from = await ChannelEnd.openAt(workerUrl + at(writer));
    await from.send('through');
    expect((await to.take()).data.toString()).toBe('through');
  },
);

it('RB-13 a channel created on one listener is served by every other', async () => {
  const { engine, workerUrl, stop } = await startTestEngine({ moreListeners: 1 });
  const [, second] = engine.listeners.filter(({ name }) => name === 'worker');
  const otherUrl = `ws://127.0.0.1:${second?.port}`;
  for (const [mine, other] of [
    [workerUrl, otherUrl],
    [otherUrl, workerUrl],
  ] as const) {
    const worker = await RawWorker.connect(mine);
    const { writer, reader } = await createChannel(worker);
    const to = await ChannelEnd.open(other, reader);
    const from = await ChannelEnd.open(mine, writer);
    await from.send('across');
    expect((await to.take()).data.toString()).toBe('across');
  }
  await stop();
});

it.each([
  [0, 'kept'],
  [5_000, 'kept'],
  [1.5, 'kept'],
  [null, 'kept'],
])('a buffer_size of %s counts as the nearest that is possible', async (size, text) => {
  const { workerUrl, writer, reader } = await started({ buffer_size: size });
  const from = await ChannelEnd.open(workerUrl, writer);
  await from.send(text);
  await from.close();
  const to = await ChannelEnd.open(workerUrl, reader);
  await to.closed;
  expect(to.texts()).toEqual([text]);
});

it.each([['a text'], [{ buffer_size: '64' }], [{ buffer_size: true }], [[]]])('an input of %j is refused', async (input) => {
  const { worker } = await started();
  expect(await worker.errorCode('engine::channels::create', input)).toBe('deserialization_error');
});

it('a message beyond the limit ends the transfer with 1009, and the reader learns it', async () => {
  const { workerUrl, writer, reader } = await started();
  const from = await ChannelEnd.open(workerUrl, writer);
  const to = await ChannelEnd.open(workerUrl, reader);
  from.socket.send(Buffer.alloc(1_048_576));
  expect((await from.closed).code).toBe(1009);
  expect((await to.closed).code).toBe(1011);
});

it('what a reader sends means nothing', async () => {
  const { workerUrl, writer, reader } = await started();
  const from = await ChannelEnd.open(workerUrl, writer);
  const to = await ChannelEnd.open(workerUrl, reader);
  await to.send('{"type":"ping"}');
  await to.send(Buffer.from([0xff, 0x00]));
  await to.settled();
  await from.send('on');
  expect((await to.take()).data.toString()).toBe('on');
  expect(from.texts()).toEqual([]);
});

test('a worker that disconnects leaves transfers and written data alone; channels that nobody used go with it', async () => {
  const { engine, worker, workerUrl, writer, reader } = await started();
  const observer = await RawWorker.connect(workerUrl);
  const unused = await createChannel(worker);
  const written = await createChannel(worker);
  const from = await ChannelEnd.open(workerUrl, written.writer);
  await from.send('kept');
  await from.close();
  const running = { from: await ChannelEnd.open(workerUrl, writer), to: await ChannelEnd.open(workerUrl, reader) };
  expect(engine.figures().channels).toBe(3);
  await worker.closeSeenBy(observer);
  expect(engine.figures().channels).toBe(2);
  await expect(ChannelEnd.open(workerUrl, unused.reader)).rejects.toThrow('HTTP 404');
  await running.from.send('on');
  expect((await running.to.take()).data.toString()).toBe('on');
  const to = await ChannelEnd.open(workerUrl, written.reader);
  await to.closed;
  expect(to.texts()).toEqual(['kept']);
});

test('a stop ends channels with 1012', async () => {
  const { stop, workerUrl, writer, reader } = await started();
  const from = await ChannelEnd.open(workerUrl, writer);
  const to = await ChannelEnd.open(workerUrl, reader);
  await stop();
  expect([(await from.closed).code, (await to.closed).code]).toEqual([1012, 1012]);
});

test('a page from elsewhere may not open a channel either', async () => {
  const { workerUrl, reader } = await started();
  await expect(ChannelEnd.open(workerUrl, reader, { origin: 'https://evil.example' })).rejects.toThrow('HTTP 403');
});
