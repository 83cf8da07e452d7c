import type { WebSocket } from 'ws';
import { Inbox } from './inbox.js';
import { type Closing, openSocket, within } from './peer-socket.js';

export interface ChannelRef {
  readonly channel_id: string;
  readonly access_key: string;
  readonly direction: string;
}

export interface ChannelRefs {
  readonly writer: ChannelRef;
  readonly reader: ChannelRef;
}

export function channelPath({ channel_id, access_key, direction }: ChannelRef): string {
  return `/ws/channels/${channel_id}?key=${access_key}&dir=${direction}`;
}

/** One end of a channel. The inbox has texts as they came, and binary data in hexadecimal after `#`. */
export class PeerChannel {
  readonly socket: WebSocket;
  readonly inbox: Inbox<{ readonly text: string }>;
  readonly closed: Promise<Closing>;

  private constructor(socket: WebSocket, inbox: Inbox<{ readonly text: string }>, closed: Promise<Closing>) {
    this.socket = socket;
    this.inbox = inbox;
    this.closed = closed;
  }

  static async connect(url: string, patienceMs: number): Promise<PeerChannel> {
    const inbox = new Inbox<{ readonly text: string }>(patienceMs);
    let closed: Promise<Closing> | undefined;
    const socket = await openSocket(
      url,
      (made) => {
        closed = new Promise((resolve) => made.once('close', (code, reason) => resolve({ code, reason: reason.toString() })));
        made.on('message', (data, binary) => {
          const bytes = data as Buffer;
          inbox.push({ text: binary ? `#${bytes.toString('hex')}` : bytes.toString() });
        });
      },
      { handshakeTimeout: patienceMs },
    );
    return new PeerChannel(socket, inbox, closed ?? Promise.reject(new Error('never')));
  }

  /** Resolves with all binary data when the other end has closed the channel. */
  async rest(patienceMs: number): Promise<Buffer> {
    await within(this.closed, patienceMs, 'the end of the channel');
    return Buffer.concat(this.inbox.all.filter(({ text }) => text.startsWith('#')).map(({ text }) => Buffer.from(text.slice(1), 'hex')));
  }
}
