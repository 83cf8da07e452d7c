import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo, Socket } from 'node:net';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { feedThrough, type Parser, parsePiece, takenByKernel, unfinishedMessage } from '../../src/transport/ws-internals.js';

// Everything that the engine uses of the private fields of `ws` and of Node sockets. When one of these tests fails after an update of `ws`
// or of Node, `ws-internals.ts` must be adapted first.

interface Pair {
  readonly client: RawSocket;
  readonly server: WebSocket;
  readonly parser: Parser;
}

async function connect(): Promise<Pair> {
  const listener = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  onTestFinished(() => listener.close());
  await once(listener, 'listening');
  const accepted = once(listener, 'connection');
  const client = await RawSocket.upgrade(`ws://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  const [server] = (await accepted) as [WebSocket];
  onTestFinished(() => server.terminate());
  return { client, server, parser: (server as unknown as { _receiver: Parser })._receiver };
}

function socketOf(server: WebSocket): Socket {
  return (server as unknown as { _socket: Socket })._socket;
}

test('the version of ws is pinned, and is the one that is installed', () => {
  const require = createRequire(import.meta.url);
  const { dependencies } = require('../../package.json') as { dependencies: Record<string, string> };
  expect(require('ws/package.json')).toMatchObject({ version: dependencies.ws });
});

test('the parser shows which message is unfinished, from its first byte to its last', async () => {
  const { parser } = await connect();
  const shown = (bytes: Buffer) => {
    parsePiece(parser, bytes);
    return unfinishedMessage(parser);
  };
  expect(unfinishedMessage(parser)).toBeUndefined();
  const whole = frame({ payload: 'x'.repeat(300) });
  const inHead = shown(whole.subarray(0, 3));
  expect(inHead).toBeDefined();
  expect(shown(whole.subarray(3, 100))).toBe(inHead);
  expect(shown(whole.subarray(100))).toBeUndefined();

  const fragmented = shown(frame({ fin: false, payload: 'a' }));
  expect(fragmented).toBeDefined();
  expect(shown(frame({ opcode: OPCODE.ping }))).toBe(fragmented);
  expect(shown(frame({ opcode: OPCODE.continuation, fin: false }))).toBe(fragmented);
  const next = frame({ opcode: OPCODE.continuation, payload: 'b' });
  expect(shown(next)).toBeUndefined();
  expect(shown(frame({ fin: false, payload: 'c' }))).not.toBe(fragmented);
});

test('the parser parses a piece before it returns, and never cuts the payload that it waits for', async () => {
  const { parser, server } = await connect();
  const messages: string[] = [];
  server.on('message', (data: Buffer) => messages.push(data.toString().slice(0, 3)));
  const small = frame({ payload: 'abc' });
  const many = Buffer.concat(Array.from({ length: 4_000 }, () => small));
  const first = parsePiece(parser, many);
  expect(first).toMatchObject({ error: undefined });
  expect(many.length - first.rest.length).toBe(16_384);
  expect(messages).toHaveLength(Math.floor(16_384 / small.length));
  expect(parsePiece(parser, first.rest).rest.length).toBe(many.length - 2 * 16_384);
  const large = await connect();
  const long = frame({ payload: 'x'.repeat(100_000) });
  const head = parsePiece(large.parser, Buffer.concat([long, small]));
  expect(parsePiece(large.parser, head.rest).rest.length).toBe(small.length);
});

test('the parser returns its error at once, and leaves nothing to parse', async () => {
  const { parser } = await connect();
  const { rest, error } = parsePiece(parser, Buffer.concat([frame({ opcode: 3 }), Buffer.alloc(10_000)]));
  expect(rest).toHaveLength(0);
  expect(error?.message).toContain('invalid opcode');
});

test('the parser gives all bytes of the socket to its feed, and waits for the feed before it goes on', async () => {
  const { client, parser, server } = await connect();
  const messages: string[] = [];
  server.on('message', (data: Buffer) => messages.push(data.toString()));
  const fed: { readonly bytes: Buffer; readonly done: () => void }[] = [];
  let arrived = (): void => {};
  feedThrough(parser, {
    feed: (bytes, done) => {
      fed.push({ bytes, done });
      arrived();
    },
  });
  const next = () => new Promise<void>((resolve) => (arrived = resolve));
  let waiting = next();
  client.text('first');
  await waiting;
  client.text('second');
  await once(socketOf(server), 'data');
  expect([fed.length, messages]).toEqual([1, []]);
  waiting = next();
  const [one] = fed;
  parsePiece(parser, (one as (typeof fed)[0]).bytes);
  (one as (typeof fed)[0]).done();
  expect(messages).toEqual(['first']);
  await waiting;
  parsePiece(parser, (fed[1] as (typeof fed)[0]).bytes);
  expect(messages).toEqual(['first', 'second']);
});

test('the handle of a socket counts the bytes that the kernel has taken of a large message', async () => {
  const { client, server } = await connect();
  const raw = socketOf(server);
  expect(takenByKernel(raw)).toBe(raw.bytesWritten);
  client.socket.pause();
  const before = raw.bytesWritten;
  raw.write(Buffer.alloc(64 * 1_024 * 1_024));
  await new Promise((resolve) => setImmediate(resolve));
  const taken = takenByKernel(raw);
  expect(taken).toBeGreaterThan(before);
  expect(taken).toBeLessThan(raw.bytesWritten);
  server.terminate();
  await once(raw, 'close');
  expect(takenByKernel(raw)).toBe(0);
  expect(takenByKernel(undefined)).toBe(0);
});
