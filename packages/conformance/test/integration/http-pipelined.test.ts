import { connect, type Socket } from 'node:net';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { EventStream } from '@rivulet/testkit/peers/event-stream';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, onTestFinished, test } from 'vitest';

const EVENTS = 'Accept: text/event-stream\r\n';

async function start() {
  const engine = await startTestEngine();
  const worker = await RawWorker.connect(engine.workerUrl);
  const room = `${engine.streamUrl.replace('ws:', 'http:')}/stream/chat/room-1`;
  const set = (item_id: string, data: unknown) => worker.call('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id, data });
  await set('a', 1);
  const { position } = (await (await fetch(room)).json()) as { readonly position: string };
  const wait = `?since=${position}&wait=60`;
  /** Sends requests on one connection without a pause. Their texts are the queries, with further headers. */
  const send = (...queries: readonly (readonly [query: string, headers: string])[]) => {
    const socket = connect(Number(new URL(room).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(queries.map(([query, headers]) => `GET /stream/chat/room-1${query} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`).join(''));
    return socket;
  };
  return { room, set, wait, send };
}

/** Collects the text of a connection until it has a text. */
async function textUntil(socket: Socket, end: string): Promise<string> {
  let text = '';
  socket.setEncoding('latin1');
  for await (const chunk of socket) {
    text += chunk as string;
    if (text.includes(end)) break;
  }
  return text;
}

test('an event stream behind another request does not write into the answer to it', async () => {
  const { set, wait, send } = await start();
  const socket = send([wait, ''], ['', EVENTS]);
  const reading = textUntil(socket, 'retry: ');
  await set('b', 2);
  const text = await reading;
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n(.+\r\n)+\r\n\{"position"/);
  expect(text.split('HTTP/1.1 200 OK')).toHaveLength(3);
  expect(text).not.toContain('data: ');
});

test('a request behind an event stream gets no answer, and the stream goes on', async () => {
  const { room, set } = await start();
  const stream = EventStream.open(room);
  await stream.events.take(({ id }) => id !== undefined);
  stream.socket.write(`GET /stream/chat/room-1 HTTP/1.1\r\nHost: x\r\n${EVENTS}\r\n`);
  // The engine has read the request when it has answered this one.
  await fetch(room);
  await set('b', 2);
  await set('c', 3);
  await stream.events.take(({ data }) => data.includes('"id":"c"'));
  const frames = stream.events.all.map(({ data }) => data);
  expect(frames.filter((data) => data.includes('"sync"') || data.includes('"id":"b"'))).toHaveLength(2);
});

test('a client that offers HTTP/2 is answered, also when it reads a large answer slowly', async () => {
  const { set, send } = await start();
  // The HTTP client of Java offers it with each request.
  const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n';
  expect(await textUntil(send(['/a', offer]), '"items"')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  const events = send(['', `${offer}${EVENTS}`]);
  const reading = textUntil(events, '"b"');
  await set('b', 2);
  expect(await reading).toContain('text/event-stream');
  for (let index = 0; index < 20; index++) await set(`i${index}`, 'x'.repeat(1_000_000));
  const large = send(['?since=x:1', offer]);
  const text = await textUntil(large, '"position":"');
  expect(text.length).toBeGreaterThan(20_000_000);
});
