import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { connect, type StreamClient, type StreamError } from '../../src/index.js';

const random = () => 0;

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts a server that answers each upgrade with `status`, and `GET /` with `body`. Returns its URL. */
function answering(status: number, body = ''): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('access-control-allow-origin', '*');
    response.end(body);
  });
  server.on('upgrade', (_request, socket) =>
    socket.on('error', () => {}).end(`HTTP/1.1 ${status} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`),
  );
  return listen(server);
}

function firstError(client: StreamClient): Promise<StreamError> {
  onTestFinished(() => client.close());
  return new Promise((resolve) => client.onError(resolve));
}

/** A socket that hides why it did not open, as the sockets of browsers do. */
class SilentSocket extends WebSocket {
  constructor(url: string, protocols?: string[]) {
    super(url, protocols);
    this.on('error', () => {});
    Object.defineProperty(this, 'onerror', { set: () => {} });
  }
}

describe('C4 the client says why it can not connect', () => {
  it.each([
    [404, 'CONNECT_FAILED', /no streams at \/nowhere.*path/],
    [401, 'UNAUTHORIZED', /token is refused/],
    [403, 'UNAUTHORIZED', /token is refused/],
    [426, 'CONNECT_FAILED', /answered 426.*3112/],
    [503, 'CONNECT_FAILED', /answered 503/],
  ])('status %i', async (status, code, message) => {
    const error = await firstError(connect(`${await answering(status)}/nowhere`, { WebSocket, runtime: { random } }));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('nobody listens', async () => {
    const server = createServer();
    const url = await listen(server);
    server.close();
    await once(server, 'close');
    const error = await firstError(connect(url, { WebSocket, runtime: { random } }));
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', message: expect.stringMatching(/nobody listens at 127.0.0.1:\d+/) });
  });

  it('the worker port of an engine', async () => {
    const { workerUrl } = await startTestEngine();
    const error = await firstError(connect(workerUrl, { WebSocket, runtime: { random } }));
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', message: expect.stringMatching(/worker port.*3112/) });
  });

  it('reports the worker port once, and again after a stream port was there', async () => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    onTestFinished(() => sockets.close());
    await once(sockets, 'listening');
    const frames = ['{"type":"workerregistered","worker_id":"w"}', '{"type":"refreshed","data":{}}'];
    const ports = [0, 0, 0, 1, 0, 0];
    let attempts = 0;
    const all = new Promise<void>((resolve) =>
      sockets.on('connection', (socket) => {
        const port = ports[attempts++];
        if (port === undefined) return resolve();
        socket.send(frames[port] ?? '');
        if (port === 1) socket.close();
      }),
    );
    const client = connect(`ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`, { WebSocket, runtime: { random } });
    onTestFinished(() => client.close());
    const errors: [string, number][] = [];
    client.onError(({ code }) => errors.push([code, client.counters.connections]));
    await all;
    expect(errors).toEqual([
      ['CONNECT_FAILED', 1],
      ['CONNECT_FAILED', 5],
    ]);
  });

  it.each([
    ['the listener of another kind', '{"listener":"worker"}', /the worker listener has this port/],
    ['the stream listener', '{"listener":"stream"}', /a stream listener is there, so the token is refused/],
    ['something else', '<html>', /nobody listens there, the path or the port is wrong/],
    ['a body that is no object', 'null', /nobody listens there/],
  ])('for a runtime that hides the cause the client finds out which listener is there: %s', async (_what, body, message) => {
    const error = await firstError(connect(await answering(401, body), { WebSocket: SilentSocket, runtime: { random } }));
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', message: expect.stringMatching(message) });
  });

  it('reports one cause once, and again after a connection was open', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ noServer: true });
    let refuse = true;
    let attempts = 0;
    const opened = new Promise<WebSocket>((resolve) => sockets.once('connection', resolve));
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {});
      if (++attempts === 6) refuse = false;
      if (attempts === 7) refuse = true;
      if (refuse) socket.end('HTTP/1.1 503 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      else sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket));
    });
    const client = connect(await listen(server), { WebSocket, runtime: { random } });
    onTestFinished(() => client.close());
    const errors: StreamError[] = [];
    const second = new Promise<void>((resolve) =>
      client.onError((error) => {
        errors.push(error);
        if (errors.length === 2) resolve();
      }),
    );
    const socket = await opened;
    expect(errors.map(({ code }) => code)).toEqual(['CONNECT_FAILED']);
    socket.terminate();
    await second;
    expect(errors.map(({ code }) => code)).toEqual(['CONNECT_FAILED', 'CONNECT_FAILED']);
  });
});
