import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '@rivulet/protocol';
import { Inbox } from '@rivulet/testkit/inbox';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { type ConnectOptions, connect, type StreamClient, StreamError } from '../src/index.js';
import { syncing } from './frames.js';

export interface Message {
  readonly type: string;
  readonly data: JsonObject & { readonly subscriptionId?: string; readonly since?: string };
}

/** The end of the server on one connection. The test plays it. */
export class Peer {
  readonly socket: WebSocket;
  readonly url: string;
  readonly protocols: string;
  readonly inbox = new Inbox<Message>();
  /** The id of the subscription of the newest join, by target. */
  readonly #joined = new Map<string, unknown>();

  constructor(socket: WebSocket, url: string, protocols: string) {
    this.socket = socket;
    this.url = url;
    this.protocols = protocols;
    socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as Message;
      const { streamName, groupId, id, subscriptionId } = message.data;
      if (message.type === 'join') this.#joined.set(JSON.stringify([streamName, groupId, id ?? null]), subscriptionId);
      this.inbox.push(message);
    });
  }

  /** Resolves with the next message. Throws if it has another type. */
  async next(type: string): Promise<Message['data']> {
    const message = await this.inbox.take(() => true, 'a message of the client');
    if (message.type !== type) throw new Error(`${message.type} came, not ${type}`);
    return message.data;
  }

  /** Sends frames. Before the first part of a `sync` with a position it sends `syncing`, as an engine does (RV-16). */
  send(...frames: readonly object[]): void {
    for (const frame of frames) {
      const { event, offset, part, streamName, groupId, id } = frame as Record<string, unknown> & { event?: { type?: unknown } };
      if (event?.type === 'sync' && offset !== undefined && (part ?? 0) === 0)
        this.sendRaw(syncing(this.#joined.get(JSON.stringify([streamName, groupId, id ?? null]))));
      this.sendRaw(frame);
    }
  }

  sendRaw(frame: object): void {
    this.sendText(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  drop(): void {
    this.socket.terminate();
  }
}

/** A stream listener over real sockets that sends only the frames of the test. */
export class FakeEngine {
  readonly #server: WebSocketServer;
  readonly #peers = new Inbox<Peer>();

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on('connection', (socket, request) =>
      this.#peers.push(new Peer(socket, request.url ?? '', request.headers['sec-websocket-protocol'] ?? '')),
    );
  }

  static async start(): Promise<FakeEngine> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'Authorization' });
    await once(server, 'listening');
    onTestFinished(() => {
      for (const socket of server.clients) socket.terminate();
      server.close();
    });
    return new FakeEngine(server);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves with the next connection that opens. */
  peer(): Promise<Peer> {
    return this.#peers.take(() => true, 'a connection of the client');
  }
}

/** Returns a client that does not wait between attempts. It is closed when the test ends. */
export async function connectTo(engine: FakeEngine, options: ConnectOptions = {}): Promise<StreamClient> {
  const { WebSocket } = await import('ws');
  const client = connect(engine.url, { WebSocket, runtime: { random: () => 0 }, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Resolves with the next error that has the code. */
export function errorOf(client: StreamClient, code: string): Promise<StreamError> {
  return new Promise((resolve) => {
    const end = client.onError((error) => {
      if (!(error instanceof StreamError) || error.code !== code) return;
      end();
      resolve(error);
    });
  });
}
