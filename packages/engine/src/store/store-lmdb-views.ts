import { RivuletError } from '@rivulet/protocol';
import type { View } from '../storage/lmdb-environment.js';

/** Views that reads of large groups hold at one time; the environment has twice as many places, so a transaction always finds one. */
export const PINNED_VIEWS = 512;
/** Reads that wait for one of them. */
export const WAITING_READS = 65_536;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A view held for a reader that takes its chunks when it can. */
export interface Pin {
  /** Reads `source` of this view; fails with STORE_UNAVAILABLE once the pin is closed, as what was read so far is not the whole. */
  read<T>(source: Iterator<T>): Iterable<T>;
  close(): void;
}

/**
 * LMDB has a fixed number of places for views, and a reader that stalls keeps its own. So the views held at one time are bounded:
 * beyond, reads wait in line. Reads of one and the same view share a place.
 */
export class PinnedViews {
  readonly #onWait: () => void;
  readonly #pinned = new Map<View, Set<HeldPin>>();
  #line: Waiting[] = [];
  /** Places given to reads that have not taken them yet. */
  #promised = 0;
  #closed = false;

  /** `onWait` runs when the first has to wait. */
  constructor(onWait: () => void) {
    this.#onWait = onWait;
  }

  /** Keeps `view` beyond the `done` of the caller; `undefined` when there is no place. `place`: the caller has had its `turn`. */
  pin(view: View, place: boolean): Pin | undefined {
    if (this.#closed) throw closed();
    const shared = this.#pinned.get(view);
    if (shared === undefined && !place && this.#full) return undefined;
    const pins = shared ?? new Set();
    this.#pinned.set(view, pins);
    const pin = new HeldPin(view, () => {
      pins.delete(pin);
      if (pins.size > 0) return;
      this.#pinned.delete(view);
      this.#callNext();
    });
    pins.add(pin);
    if (place) this.giveBack();
    return pin;
  }

  /** Resolves when a place is kept for the caller: it must `pin` with it, or `giveBack`. First come, first served. */
  turn(): Promise<void> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#line.length >= WAITING_READS) {
      return Promise.reject(new RivuletError('OVERLOADED', `more than ${WAITING_READS} reads of large groups wait; try again later`));
    }
    if (this.#line.length === 0) this.#onWait();
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
    for (const pin of [...this.#pinned.values()].flatMap((pins) => [...pins])) pin.close();
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

class HeldPin implements Pin {
  readonly #view: View;
  readonly #released: () => void;
  readonly #sources: Iterator<unknown>[] = [];
  #open = true;

  constructor(view: View, released: () => void) {
    this.#view = view;
    this.#released = released;
    view.use();
  }

  *read<T>(source: Iterator<T>): Iterable<T> {
    this.#sources.push(source);
    try {
      for (;;) {
        if (!this.#open) throw closed();
        const next = source.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      source.return?.();
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    // A cursor that is still open would keep the view.
    for (const source of this.#sources) source.return?.();
    this.#view.done();
    this.#released();
  }
}

function closed(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store or this read of it was closed; read again');
}
