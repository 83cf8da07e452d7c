import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { Inbox } from '../inbox.js';
import type { RawWorker } from './raw-worker.js';

export interface ChannelRef {
  readonly channel_id: string;
  readonly access_key: string;
  readonly direction: 'read' | 'write';
}

export interface ChannelRefs {
  readonly writer: ChannelRef;
  readonly reader: ChannelRef;
}

export interface ChannelFrame {
  readonly data: Buffer;
  readonly binary: boolean;
}

export async function createChannel(worker: RawWorker, input: unknown = {}): Promise<ChannelRefs> {
  return (await worker.result('engine::channels::create', input)) as ChannelRefs;
}

export function channelPath({ channel_id, access_key, direction }: ChannelRef): string {
  return `/ws/channels/${channel_id}?key=${access_key}&dir=${direction}`;
}

/** One end of a channel, as a bare WebSocket. */
export class ChannelEnd {
  readonly socket: WebSocket;
  readonly inbox = new Inbox<ChannelFrame>();
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })));
    socket.on('error', () => {});
    socket.on('message', (data, binary) => this.inbox.push({ data: data as Buffer, binary }));
  }

  /** Opens one end of a channel. Rejects with `HTTP <status>` when the engine refuses the upgrade. */
  static open(url: string, ref: ChannelRef, options: ClientOptions = {}): Promise<ChannelEnd> {
    return ChannelEnd.openAt(url + channelPath(ref), options);
  }

  static async openAt(url: string, options: ClientOptions = {}): Promise<ChannelEnd> {
    const socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    const end = new ChannelEnd(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => reject(new Error(`HTTP ${response.statusCode}`)));
    });
    onTestFinished(() => socket.terminate());
    return end;
  }

  /** Sends a message. Resolves when the kernel has accepted it, which needs an engine that reads. */
  send(data: Buffer | string): Promise<void> {
    return new Promise((resolve, reject) => this.socket.send(data, (error) => (error == null ? resolve() : reject(error))));
  }

  take(): Promise<ChannelFrame> {
    return this.inbox.take(() => true, 'a message of the channel');
  }

  /** Returns all received messages as texts. Binary ones begin with `#`. */
  texts(): string[] {
    return this.inbox.all.map(({ data, binary }) => (binary ? '#' : '') + data.toString());
  }

  /** Resolves after a ping and its pong: the engine has read all messages before. Never resolves while the engine reads nothing. */
  async settled(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.once('pong', () => resolve());
      this.socket.ping();
    });
  }

  async close(code = 1000, reason = 'stream_complete'): Promise<void> {
    this.socket.close(code, reason);
    await this.closed;
  }
}
