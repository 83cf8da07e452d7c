import { RivuletError } from '@rivulet/protocol';
import type { ReadPace } from '../../store.js';
import type { View } from '../env/environment.js';

/** Views that reads of large groups hold at one time; the environment has twice as many places, so a transaction always finds one. */
const PINNED_VIEWS = 512;
/** Reads that wait for one of them. */
const WAITING_READS = 65_536;

/** When a view ends although its reader has not read everything. */
export interface ViewLimits {
  /** Milliseconds since it was opened. */
  readonly milliseconds: number;
  /** Bytes that were written to the store since; half of the live bytes when that is more. */
  readonly bytes: number;
}

export interface PinnedViewsOptions {
  /** Runs when the first read has to wait. */
  readonly onWait: () => void;
  /** Runs when reads were ended because a limit of their view was reached. */
  readonly onEnd: (reads: number) => void;
  readonly limits: ViewLimits;
  readonly monotonic: () => number;
  /** Bytes written to the store; only grows. */
  readonly written: () => number;
  /** Bytes of the store that hold something. */
  readonly live: () => number;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A view held for a reader that takes its chunks when it can. */
export interface Pin {
  /**
   * Reads `source` of this view, of about `entries` entries; fails with STORE_UNAVAILABLE once the store is closed, and with OVERLOADED once
   * the view has ended, as what was read so far is not the whole.
   */
  read<T>(source: Iterator<T>, entries: number): Iterable<T>;
  close(): void;
}

interface PinnedView {
  readonly pins: Set<HeldPin>;
  readonly openedAt: number;
  readonly writtenAt: number;
}

/** How often it is checked whether the time of a view is over. */
const CHECK_MS = 250;
/** A read at the engine's own pace that reads nothing for this time counts as stalled. */
const IDLE_MS = 1_000;
/** Even a read that goes on ends after this time. */
const LONGEST_MS = 60_000;
/** The writer waits for no read that has read nothing for this time. */
const PACED_MS = 100;
/** Live bytes are counted again after this time. */
const LIVE_MS = 1_000;
const PACE_MS = 2;

/**
 * LMDB has a fixed number of places for views, and what is deleted or overwritten while a view is open takes new space. So the views held at
 * one time are bounded (beyond, reads wait in line), and each view ends: one for a reader at its limits, one for the engine when it stalls.
 * The writer waits for reads of the engine that would not be done within the limit of bytes. Reads of one and the same view share a place.
 */
export class PinnedViews {
  readonly #options: PinnedViewsOptions;
  readonly #pinned = new Map<View, PinnedView>();
  #line: Waiting[] = [];
  /** Places given to reads that have not taken them yet. */
  #promised = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #live = { bytes: 0, countedAt: Number.NEGATIVE_INFINITY };

  constructor(options: PinnedViewsOptions) {
    this.#options = options;
  }

  /** Keeps `view` beyond the `done` of the caller; `undefined` when there is no place. `place`: the caller has had its `turn`. */
  pin(view: View, place: boolean, pace: ReadPace): Pin | undefined {
    if (this.#closed) throw closed();
    const shared = this.#pinned.get(view);
    if (shared === undefined && !place && this.#full) return undefined;
    const { monotonic, written } = this.#options;
    const pinned = shared ?? { pins: new Set(), openedAt: monotonic(), writtenAt: written() };
    this.#pinned.set(view, pinned);
    const released = () => {
      pinned.pins.delete(pin);
      if (pinned.pins.size > 0) return;
      this.#pinned.delete(view);
      if (this.#pinned.size === 0) this.#stopTimer();
      this.#callNext();
    };
    const pin = new HeldPin(view, { pace, monotonic, released });
    pinned.pins.add(pin);
    this.#timer ??= setInterval(() => this.check(), CHECK_MS).unref();
    if (place) this.giveBack();
    return pin;
  }

  /** Ends the reads whose view has reached a limit. */
  check(): void {
    const now = this.#options.monotonic();
    let ended = 0;
    for (const pinned of Array.from(this.#pinned.values())) {
      const age = now - pinned.openedAt;
      const late = age >= this.#options.limits.milliseconds;
      if (!late && this.#used(pinned) < 1) continue;
      for (const pin of Array.from(pinned.pins)) {
        const goesOn = pin.pace === 'engine' && (!late || now - pin.readAt < IDLE_MS);
        if (goesOn && age < LONGEST_MS) continue;
        pin.end();
        ended++;
      }
    }
    if (ended > 0) this.#options.onEnd(ended);
  }

  /**
   * The writer calls it before each transaction. It resolves when every read of the engine has read as large a share of its entries as was
   * written of the limit of bytes, so that each is done when the limit is reached. It does not wait for a read that stalls.
   */
  async keepPace(): Promise<void> {
    if (this.#pinned.size === 0) return;
    this.check();
    while (this.#isBehind()) await new Promise((resolve) => setTimeout(resolve, PACE_MS));
  }

  #isBehind(): boolean {
    const now = this.#options.monotonic();
    for (const pinned of this.#pinned.values()) {
      const used = this.#used(pinned);
      for (const pin of pinned.pins) if (pin.pace === 'engine' && pin.share < used && now - pin.readAt < PACED_MS) return true;
    }
    return false;
  }

  /** The share of the limit of bytes that was written since the view was opened. */
  #used({ writtenAt }: PinnedView): number {
    const { monotonic, live, limits, written } = this.#options;
    const now = monotonic();
    if (now - this.#live.countedAt >= LIVE_MS) this.#live = { bytes: live(), countedAt: now };
    return (written() - writtenAt) / Math.max(limits.bytes, this.#live.bytes / 2);
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Resolves when a place is kept for the caller: it must `pin` with it, or `giveBack`. First come, first served. */
  turn(): Promise<void> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#line.length >= WAITING_READS) {
      return Promise.reject(new RivuletError('OVERLOADED', `more than ${WAITING_READS} reads of large groups wait; try again later`));
    }
    if (this.#line.length === 0) this.#options.onWait();
    return new Promise((resolve, reject) => {
      this.#line.push({ resolve, reject });
      this.#callNext();
    });
  }

  giveBack(): void {
    this.#promised--;
    this.#callNext();
  }

  /** Ends all reads: the environment closes, and a view must not outlive it. */
  close(): void {
    this.#closed = true;
    const line = this.#line;
    this.#line = [];
    for (const { reject } of line) reject(closed());
    for (const pin of [...this.#pinned.values()].flatMap(({ pins }) => [...pins])) pin.close();
    this.#stopTimer();
  }

  get #full(): boolean {
    return this.#line.length > 0 || this.#pinned.size + this.#promised >= PINNED_VIEWS;
  }

  #callNext(): void {
    while (this.#pinned.size + this.#promised < PINNED_VIEWS) {
      const next = this.#line.shift();
      if (next === undefined) return;
      this.#promised++;
      next.resolve();
    }
  }
}

interface PinDeps {
  readonly pace: ReadPace;
  readonly monotonic: () => number;
  readonly released: () => void;
}

class HeldPin implements Pin {
  readonly #view: View;
  readonly #deps: PinDeps;
  readonly #sources: Iterator<unknown>[] = [];
  #state: 'open' | 'closed' | 'ended' = 'open';
  #entries = 1;
  #read = 0;
  /** Monotonic milliseconds at which the last entry was read. */
  readAt = Number.NEGATIVE_INFINITY;

  constructor(view: View, deps: PinDeps) {
    this.#view = view;
    this.#deps = deps;
    view.use();
  }

  get pace(): ReadPace {
    return this.#deps.pace;
  }

  /** The share of its entries that were read. */
  get share(): number {
    return this.#read / this.#entries;
  }

  *read<T>(source: Iterator<T>, entries: number): Iterable<T> {
    this.#sources.push(source);
    this.#entries = Math.max(1, entries);
    try {
      for (;;) {
        if (this.#state === 'closed') throw closed();
        if (this.#state === 'ended') throw ended();
        const next = source.next();
        if (next.done === true) return;
        this.#read++;
        if (this.#read % READS_BETWEEN === 1) this.readAt = this.#deps.monotonic();
        yield next.value;
      }
    } finally {
      source.return?.();
    }
  }

  close(): void {
    this.#release('closed');
  }

  /** As `close`, because a limit was reached. */
  end(): void {
    this.#release('ended');
  }

  #release(state: 'closed' | 'ended'): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    // A cursor that is still open would keep the view.
    for (const source of this.#sources) source.return?.();
    this.#view.done();
    this.#deps.released();
  }
}

/** The time is noted once for this many entries. */
const READS_BETWEEN = 16;

function closed(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store or this read of it was closed; read again');
}

function ended(): RivuletError {
  return new RivuletError('OVERLOADED', 'the read took so long that the data file would have grown without end; read again, in pages');
}
