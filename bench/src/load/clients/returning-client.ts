import { Latencies } from '../../measure/statistics.js';
import { type FrameReader, RawSocket } from './raw-socket.js';
import type { Standpoint } from './standpoint.js';
import { numberIn } from './update.js';

/** Bound of the random delay before the first attempt after a loss, in milliseconds. The bound doubles with each further attempt. */
const FIRST_TRY_MS = 1_000;
const BASE_MS = 500;
const CAP_MS = 20_000;

/** Counts of all reconnecting clients of a load. */
export class Returns {
  /** From the open socket to the last message published before it opened. Clients without a resumption are left out. */
  readonly replay = new Latencies();
  /** From the attempt to connect to the open socket. */
  readonly open = new Latencies();
  /** Attempts to connect that failed, and connections that the server ended. */
  failed = 0;
  /** Clients that have every message published before their socket opened. */
  back = 0;
  /** Number of these clients that were connected before. */
  returned = 0;
  lost = 0;
  /** Messages that arrived twice, or after a later one. */
  repeated = 0;
  /** Joins of reconnecting clients that the server did not resume. */
  anew = 0;
  /** Time of the last return of each client that the server dropped, by `performance.now()`. */
  readonly backAt: number[] = [];
  firstDropAt: number | undefined;
  /** Number of the last published message. */
  published = 0;
}

/** A subscriber that checks every message, and resumes from its position after a lost connection. */
export class ReturningClient implements FrameReader {
  readonly #url: string;
  readonly #standpoint: Standpoint;
  readonly #returns: Returns;
  #socket: RawSocket | undefined;
  #tries = 0;
  /** Number of the last counted message, of the last message that arrived, and of the messages missing between them. */
  #counted = 0;
  #last = 0;
  #skipped = 0;
  #collecting = false;
  #answered = false;
  #resumed = false;
  #wasThere = false;
  #isBack = false;
  #triedAt = 0;
  #openedAt = 0;
  #goal = 0;

  constructor(url: string, standpoint: Standpoint, returns: Returns) {
    this.#url = url;
    this.#standpoint = standpoint;
    this.#returns = returns;
    this.#connect();
  }

  /** Number of its last message. */
  get last(): number {
    return this.#counted;
  }

  /** Destroys its socket, if it has one, and opens another one after this many milliseconds. */
  leave(awayMs: number): void {
    if (this.#socket === undefined) return;
    this.#away();
    setTimeout(() => this.#connect(), awayMs);
  }

  wantsPayload(): boolean {
    return true;
  }

  opened(socket: RawSocket): void {
    this.#openedAt = performance.now();
    this.#returns.open.add(this.#openedAt - this.#triedAt);
    this.#goal = this.#returns.published;
    this.#standpoint.opened(socket);
  }

  frame(payload: Buffer | undefined): void {
    if (payload === undefined || this.#socket === undefined) return;
    const seen = this.#standpoint.frame(this.#socket, payload);
    if (seen === undefined) return;
    if (typeof seen === 'number') this.#take(seen);
    else if (seen === 'collecting') this.#collecting = true;
    else this.#answer(seen, payload);
    if (!this.#isBack && this.#answered && this.#counted >= this.#goal) this.#arrive();
  }

  closed(socket: RawSocket): void {
    // A socket that this client destroyed needs no handling.
    if (socket !== this.#socket) return;
    if (this.#isBack) this.#returns.firstDropAt ??= performance.now();
    this.#returns.failed++;
    this.#away();
    const bound = this.#tries === 0 ? FIRST_TRY_MS : Math.min(CAP_MS, BASE_MS * 2 ** (this.#tries - 1));
    this.#tries++;
    setTimeout(() => this.#connect(), Math.random() * bound);
  }

  #connect(): void {
    this.#triedAt = performance.now();
    this.#socket = RawSocket.connect(this.#url, this);
  }

  #away(): void {
    this.#socket?.close();
    this.#socket = undefined;
    if (this.#isBack) this.#returns.back--;
    this.#isBack = false;
    this.#answered = false;
    this.#collecting = false;
    this.#last = this.#counted;
    this.#skipped = 0;
  }

  #take(number: number): void {
    if (number <= this.#last) {
      this.#returns.repeated++;
      return;
    }
    this.#skipped += number - this.#last - 1;
    this.#last = number;
    if (!this.#collecting) this.#count();
  }

  #count(): void {
    this.#counted = this.#last;
    this.#returns.lost += this.#skipped;
    this.#skipped = 0;
  }

  #answer(seen: 'resumed' | 'anew', payload: Buffer): void {
    this.#collecting = false;
    // A snapshot contains every message up to its last one.
    if (seen === 'anew') this.#last = Math.max(this.#last, numberIn(payload) ?? 0);
    this.#count();
    if (seen === 'anew' && this.#wasThere) this.#returns.anew++;
    this.#resumed = seen === 'resumed';
    this.#answered = true;
  }

  #arrive(): void {
    const now = performance.now();
    this.#isBack = true;
    this.#tries = 0;
    this.#returns.back++;
    if (this.#wasThere) {
      this.#returns.returned++;
      this.#returns.backAt.push(now);
      if (this.#resumed) this.#returns.replay.add(now - this.#openedAt);
    }
    this.#wasThere = true;
  }
}
