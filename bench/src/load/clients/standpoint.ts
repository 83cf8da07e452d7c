import type { RawSocket } from './raw-socket.js';
import { numberIn, wholeNumber } from './update.js';

/**
 * The meaning of a frame for a reconnecting client. It is the number of the message in the frame, or one of:
 * - `resumed`: the server has answered the join, and the missed messages follow or have arrived;
 * - `collecting`: the messages that follow count when `resumed` arrives;
 * - `anew`: the server did not resume. It sent a snapshot, or nothing.
 */
export type Seen = number | 'resumed' | 'collecting' | 'anew' | undefined;

/** Keeps the position of one client in its group, and sends it to the server after a reconnect. */
export interface Standpoint {
  opened(socket: RawSocket): void;
  frame(socket: RawSocket, payload: Buffer): Seen;
}

export type ReturnDialectName = 'rivulet' | 'socket.io';

const STREAM = 'bench';

const TYPE_AT = '{"type":"'.length;
const OF_STREAM = 's'.charCodeAt(0);
const QUOTE = '"'.charCodeAt(0);
const OFFSET = Buffer.from('"offset":');

/** Resumes with `since` (PROTOCOL.md, RV-4 to RV-8). */
class RivuletStandpoint implements Standpoint {
  readonly #group: string;
  #epoch: string | undefined;
  #offset = 0;
  #collecting = false;

  constructor(group: string) {
    this.#group = group;
  }

  opened(socket: RawSocket): void {
    this.#collecting = false;
    const since = this.#epoch === undefined ? {} : { since: `${this.#epoch}:${this.#offset}` };
    const data = { subscriptionId: 's', streamName: STREAM, groupId: this.#group, positions: true, ...since };
    socket.send(JSON.stringify({ type: 'join', data }));
  }

  frame(_socket: RawSocket, payload: Buffer): Seen {
    if (payload[TYPE_AT] !== OF_STREAM) return this.#control(payload.toString());
    // A change ends with its offset, and a `sync` with a text.
    if (payload[payload.length - 2] === QUOTE) return this.#sync(payload.toString());
    if (!this.#collecting) this.#offset = wholeNumber(payload, payload.lastIndexOf(OFFSET) + OFFSET.length);
    return numberIn(payload);
  }

  #control(text: string): Seen {
    const { type, data } = JSON.parse(text) as { type: string; data: { mode?: string; epoch?: string; offset?: number } };
    if (type === 'resumed' && data.mode === 'tail') return 'resumed';
    if (type === 'resumed') {
      this.#collecting = true;
      return 'collecting';
    }
    if (type === 'caught_up') {
      this.#collecting = false;
      this.#offset = data.offset ?? 0;
      return 'resumed';
    }
    // This load sends no events, so a gap needs no handling. A lost message shows in the report.
    return undefined;
  }

  #sync(text: string): Seen {
    const { last, offset, epoch } = JSON.parse(text) as { last?: boolean; offset: number; epoch: string };
    if (last === false) return undefined;
    this.#offset = offset;
    this.#epoch = epoch;
    return 'anew';
  }
}

const FOUR = '4'.charCodeAt(0);
const TWO = '2'.charCodeAt(0);

/** Resumes with the id of the session and the offset of the last event: connection-state recovery of Socket.IO 4.6 and later. */
class SocketIoStandpoint implements Standpoint {
  readonly #group: string;
  #session: string | undefined;
  #offset: string | undefined;

  constructor(group: string) {
    this.#group = group;
  }

  opened(): void {}

  frame(socket: RawSocket, payload: Buffer): Seen {
    if (payload[0] === FOUR && payload[1] === TWO) {
      // ["change",{…},"<offset>"]
      const end = payload.length - 2;
      const start = payload.lastIndexOf(QUOTE, end - 1) + 1;
      if (payload[end] === QUOTE) this.#offset = payload.toString('latin1', start, end);
      return numberIn(payload);
    }
    return this.#control(socket, payload.toString());
  }

  #control(socket: RawSocket, text: string): Seen {
    if (text === '2') socket.send('3');
    if (text.startsWith('0{')) {
      const since = { pid: this.#session, offset: this.#offset };
      socket.send(this.#session === undefined ? '40' : `40${JSON.stringify(since)}`);
    }
    if (text.startsWith('40{')) {
      const { pid } = JSON.parse(text.slice(2)) as { pid?: string };
      if (pid !== undefined && pid === this.#session) return 'resumed';
      this.#session = pid;
      this.#offset = undefined;
      socket.send(`420["join","${this.#group}"]`);
    }
    return text.startsWith('430') ? 'anew' : undefined;
  }
}

export function standpoint(dialect: ReturnDialectName, group: string): Standpoint {
  return dialect === 'rivulet' ? new RivuletStandpoint(group) : new SocketIoStandpoint(group);
}
