import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Inbox } from '../inbox.js';
import type { Frame } from '../peers/raw-worker.js';

export interface Recorded {
  /** Number of the connection that the frame came from, beginning with 0. */
  readonly connection: number;
  readonly frame: Frame;
}

interface Connection {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly socket: WebSocket;
}

/** Records all frames that an SDK sends. It is no engine, but it greets a worker and answers each call with `{}`. */
export class RecordingEngine {
  readonly url: string;
  readonly frames = new Inbox<Recorded>();
  readonly connections: Connection[] = [];

  private constructor(server: WebSocketServer, greeting: Frame) {
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (socket, request) => {
      const connection = this.connections.push({ path: request.url ?? '', headers: request.headers, socket }) - 1;
      if (request.url !== '/') return;
      socket.send(JSON.stringify({ type: 'workerregistered', worker_id: randomUUID(), reattach_token: randomUUID(), ...greeting }));
      socket.on('message', (data, isBinary) => {
        if (!isBinary) this.#receive(connection, socket, JSON.parse((data as Buffer).toString()) as Frame);
      });
    });
  }

  /** Starts a listener. `greeting` holds fields of the frame `workerregistered` besides the ids. */
  static async start(greeting: Frame = {}): Promise<RecordingEngine> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    onTestFinished(() => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    });
    return new RecordingEngine(server, greeting);
  }

  /** Resolves with the next frame of this type that no test has taken yet. */
  async take(type: string, also: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return (await this.frames.take(({ frame }) => frame.type === type && also(frame), `a ${type} frame`)).frame;
  }

  framesOf(connection: number): Frame[] {
    return this.frames.all.filter((each) => each.connection === connection).map(({ frame }) => frame);
  }

  /** Sends a frame to the worker on its newest connection. */
  send(frame: Frame): void {
    const workers = this.connections.filter(({ path }) => path === '/');
    workers.at(-1)?.socket.send(JSON.stringify(frame));
  }

  #receive(connection: number, socket: WebSocket, frame: Frame): void {
    this.frames.push({ connection, frame });
    const { type, invocation_id, function_id } = frame;
    if (type !== 'invokefunction' || typeof invocation_id !== 'string') return;
    socket.send(JSON.stringify({ type: 'invocationresult', invocation_id, function_id, result: {} }));
  }
}
