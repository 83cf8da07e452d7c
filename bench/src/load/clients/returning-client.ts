import { Latencies } from '../../measure/statistics.js';
import { type FrameReader, RawSocket } from './raw-socket.js';
import type { Standpoint } from './standpoint.js';
import { numberIn } from './update.js';

/** The first try after a loss comes within this time, the following ones within a bound that doubles; milliseconds, full jitter. */
const FIRST_TRY_MS = 1_000;
const BASE_MS = 500;
const CAP_MS = 20_000;

/** What all clients of a load that come back see together. */
export class Returns {
  /** From the reopened socket to everything that had been published until then; without those that began anew. */
  readonly replay = new Latencies();
  /** From the attempt to connect to the open socket. */
  readonly open = new Latencies();
  /** Attempts to connect that came to nothing, and connections that the server ended. */
  failed = 0;
  /** Clients that have everything that had been published when their socket opened. */
  back = 0;
  /** Of those, how many came back after they had been there. */
  returned = 0;
  lost = 0;
  /** Messages that came a second time, or behind a later one. */
  repeated = 0;
  /** Answers that were no resumption of a client that had been there. */
  anew = 0;
  /** When each client was back last, by `performance.now()`; those that the server dropped. */
  readonly backAt: number[] = [];
  firstDropAt: number | undefined;
  /** Number of the last message that was published. */
  published = 0;
}

/** A subscriber that checks every message, may lose its connection at any time, and comes back to where it stood. */
export class ReturningClient implements FrameReader {
  readonly #url: string;
  readonly #standpoint: Standpoint;
  readonly #returns: Returns;
  #socket: RawSocket | undefined;
  #tries = 0;
  /** Number of the last message that counts, of the last that came, and how many were skipped between them. */
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

  /** Number of the last message that it has. */
  get last(): number {
    return this.#counted;
  }

  /** Destroys its socket, if it has one, and opens another after so many milliseconds. */
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
    // One that was destroyed here has nothing to say any more.
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
    // A snapshot shows everything up to its last message.
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
