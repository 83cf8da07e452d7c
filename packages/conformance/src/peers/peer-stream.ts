import type { ClientOptions, WebSocket } from 'ws';
import { Inbox } from './inbox.js';
import { type Closing, jsonOf, openSocket, roundTrip } from './peer-socket.js';
import type { Frame } from './peer-worker.js';

/** The event of a stream frame: `sync`, `create`, `update`, `delete`, `event` or `unauthorized`. */
export function kindOf(frame: Frame): unknown {
  return (frame.event as Frame | undefined)?.type;
}

export function dataOf(frame: Frame): unknown {
  return (frame.event as Frame | undefined)?.data;
}

/** A stream client on a plain WebSocket, without a client library. */
export class PeerStream {
  readonly socket: WebSocket;
  readonly inbox: Inbox<Frame>;
  readonly closed: Promise<Closing>;
  readonly #patienceMs: number;

  private constructor(socket: WebSocket, inbox: Inbox<Frame>, closed: Promise<Closing>, patienceMs: number) {
    this.socket = socket;
    this.inbox = inbox;
    this.closed = closed;
    this.#patienceMs = patienceMs;
  }

  static async connect(
    url: string,
    patienceMs: number,
    options: ClientOptions & { protocols?: readonly string[] } = {},
  ): Promise<PeerStream> {
    const inbox = new Inbox<Frame>(patienceMs);
    let closed: Promise<Closing> | undefined;
    const socket = await openSocket(
      url,
      (made) => {
        closed = new Promise((resolve) => made.once('close', (code, reason) => resolve({ code, reason: reason.toString() })));
        made.on('message', (data) => inbox.push(jsonOf(data)));
      },
      { ...options, handshakeTimeout: patienceMs },
    );
    return new PeerStream(socket, inbox, closed ?? Promise.reject(new Error('never')), patienceMs);
  }

  send(frame: unknown): void {
    this.socket.send(JSON.stringify(frame));
  }

  join(subscriptionId: string, streamName: string, groupId: string, id?: string): void {
    this.send({ type: 'join', data: { subscriptionId, streamName, groupId, ...(id === undefined ? {} : { id }) } });
  }

  leave(subscriptionId: string, streamName: string, groupId: string): void {
    this.send({ type: 'leave', data: { subscriptionId, streamName, groupId } });
  }

  take(kind: string, also: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.inbox.take((frame) => kindOf(frame) === kind && also(frame), `a stream frame "${kind}"`);
  }

  kinds(): unknown[] {
    return this.inbox.all.map(kindOf);
  }

  settled(): Promise<number> {
    return roundTrip(this.socket, this.#patienceMs);
  }
}
