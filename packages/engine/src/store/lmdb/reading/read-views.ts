import { RivuletError } from '@rivulet/protocol';
import type { ReadPace } from '../../store.js';
import type { View } from '../env/environment.js';

/** Views that reads of large groups keep at the same time. The environment has twice as many places, so a transaction always finds one. */
const PINNED_VIEWS = 512;
/** Reads that may wait for a view. */
const WAITING_READS = 65_536;

/** When the store ends a view before its reader has read everything. */
export interface ViewLimits {
  /** Milliseconds since the view was opened. */
  readonly milliseconds: number;
  /** Bytes that were written to the store since then. Half of the live bytes count instead when they are more. */
  readonly bytes: number;
}

export interface PinnedViewsOptions {
  /** Called when a read must wait and no other one waits. */
  readonly onWait: () => void;
  /** Called when reads ended because their view reached a limit. */
  readonly onEnd: (reads: number) => void;
  readonly limits: ViewLimits;
  readonly monotonic: () => number;
  /** Returns the bytes written to the store; the number only grows. */
  readonly written: () => number;
  /** Returns the bytes of the store that are in use. */
  readonly live: () => number;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A view that stays open for a reader until the reader has read everything, or until the store ends it. */
export interface Pin {
  /**
   * Reads `source`, which has about `entries` entries, from this view. Throws STORE_UNAVAILABLE when the store is closed, and OVERLOADED
   * when the view has ended before everything was read.
   */
  read<T>(source: Iterator<T>, entries: number): Iterable<T>;
  close(): void;
}

interface PinnedView {
  readonly pins: Set<OpenPin>;
  readonly openedAt: number;
  readonly writtenAt: number;
}

/** Between two checks of the limits. */
const CHECK_MS = 250;
/** A read of the engine that reads nothing for this time counts as stalled. */
const IDLE_MS = 1_000;
/** Every read ends after this time. */
const LONGEST_MS = 60_000;
/** The writer does not wait for a read that has read nothing for this time. */
const PACED_MS = 100;
/** Live bytes are counted once in this time. */
const LIVE_MS = 1_000;
/** Between two checks while the writer waits for reads. */
const PACE_MS = 2;

/**
 * The views that reads of large groups keep open. LMDB has a fixed number of places for views. While a view is open, LMDB cannot reuse the
 * pages that the view shows, so each write makes the file grow. Therefore:
 *
 * - At most `PINNED_VIEWS` views are open; other reads wait in line. Reads of the same view share a place.
 * - The view of a slow reader ends at its limits. The view of an engine read ends when that read stalls.
 * - The writer waits for engine reads that would otherwise not end within the limit of bytes.
 */
export class PinnedViews {
  readonly #options: PinnedViewsOptions;
  readonly #pinned = new Map<View, PinnedView>();
  #line: Waiting[] = [];
  /** Number of places that waiting reads got and have not used yet. */
  #promised = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #live = { bytes: 0, countedAt: Number.NEGATIVE_INFINITY };

  constructor(options: PinnedViewsOptions) {
    this.#options = options;
  }

  /** Keeps `view` open after the caller ends it. Returns `undefined` when there is no place. `place`: the caller got one from `turn`. */
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
    const pin = new OpenPin(view, { pace, monotonic, released });
    pinned.pins.add(pin);
    this.#timer ??= setInterval(() => this.check(), CHECK_MS).unref();
    if (place) this.giveBack();
    return pin;
  }

  /** Ends the reads whose views have reached a limit. */
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
   * The writer calls it before each transaction. Example: when a third of the limit of bytes was written, it resolves when each engine read
   * has read a third of its entries. So the reads end before the limit is reached. It does not wait for a stalled read.
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

  /** Returns the share of the limit of bytes that was written since the view was opened. */
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

  /** Resolves when the caller has a place, in the order of the calls. The caller must then call `pin` with it, or `giveBack`. */
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

  /** Returns a place that was not used. */
  giveBack(): void {
    this.#promised--;
    this.#callNext();
  }

  /** Ends all reads, because no view may be open when the environment closes. */
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

class OpenPin implements Pin {
  readonly #view: View;
  readonly #deps: PinDeps;
  readonly #sources: Iterator<unknown>[] = [];
  #state: 'open' | 'closed' | 'ended' = 'open';
  #entries = 1;
  #read = 0;
  /** Monotonic milliseconds at which entries were read last. */
  readAt = Number.NEGATIVE_INFINITY;

  constructor(view: View, deps: PinDeps) {
    this.#view = view;
    this.#deps = deps;
    view.use();
  }

  get pace(): ReadPace {
    return this.#deps.pace;
  }

  /** The share of the entries that were read. */
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

  /** Closes the read because its view reached a limit. */
  end(): void {
    this.#release('ended');
  }

  #release(state: 'closed' | 'ended'): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    // An open cursor would keep the view open.
    for (const source of this.#sources) source.return?.();
    this.#view.done();
    this.#deps.released();
  }
}

/** The clock is read once for this many entries. */
const READS_BETWEEN = 16;

function closed(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store or this read of it was closed; read again');
}

function ended(): RivuletError {
  return new RivuletError('OVERLOADED', 'the read took so long that the data file would have grown without end; read again, in pages');
}
