import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { Inbox } from '../inbox.js';

export interface StreamFrame {
  readonly type: string;
  readonly timestamp: number;
  readonly streamName: string;
  readonly groupId: string;
  readonly id: string | null;
  readonly event: { readonly type: string; readonly data?: unknown; readonly event?: { readonly type: string; readonly data: unknown } };
  readonly offset?: number;
  readonly created?: number | readonly number[];
  readonly ids?: readonly string[];
  readonly epoch?: string;
  readonly reason?: string;
  readonly part?: number;
  readonly last?: boolean;
  /** Payload of a control frame, which has no `event`. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A stream client on a bare WebSocket. */
export class StreamSocket {
  readonly socket: WebSocket;
  readonly inbox = new Inbox<StreamFrame>();
  readonly closed: Promise<number>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve(code)));
    socket.on('error', () => {});
    socket.on('message', (data) => this.inbox.push(JSON.parse((data as Buffer).toString()) as StreamFrame));
  }

  /** Opens a connection. Rejects with `HTTP <status>` when the engine refuses the upgrade. */
  static async open(url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<StreamSocket> {
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
    const client = new StreamSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => reject(new Error(`HTTP ${response.statusCode}`)));
    });
    onTestFinished(() => socket.terminate());
    return client;
  }

  send(frame: unknown): void {
    this.socket.send(JSON.stringify(frame));
  }

  join(subscriptionId: string, streamName: string, groupId: string, id?: string): void {
    this.send({ type: 'join', data: { subscriptionId, streamName, groupId, ...(id === undefined ? {} : { id }) } });
  }

  /** Joins as a position-aware client. `since` is its last position. */
  joinWithPositions(subscriptionId: string, streamName: string, groupId: string, more: { id?: string; since?: string } = {}): void {
    this.send({ type: 'join', data: { subscriptionId, streamName, groupId, positions: true, ...more } });
  }

  /** Resolves with the data of the next control frame of this type. */
  async takeControl(type: string): Promise<Readonly<Record<string, unknown>>> {
    const frame = await this.inbox.take((candidate) => candidate.type === type, `a ${type} frame`);
    return frame.data ?? {};
  }

  leave(subscriptionId: string, streamName: string, groupId: string): void {
    this.send({ type: 'leave', data: { subscriptionId, streamName, groupId } });
  }

  take(kind: string, also: (frame: StreamFrame) => boolean = () => true): Promise<StreamFrame> {
    return this.inbox.take((frame) => frame.event?.type === kind && also(frame), `a ${kind} frame`);
  }

  kinds(): string[] {
    return this.inbox.all.map((frame) => frame.event.type);
  }

  /** Resolves after a ping and its pong: everything that the engine sent before has arrived. */
  async settled(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.once('pong', () => resolve());
      this.socket.ping();
    });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}
