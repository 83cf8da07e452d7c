import type { Clock } from '../connection/clock.js';
import type { Replica } from '../subscription/replica.js';
import type { PersistStore } from './persist-store.js';
import type { PersistBounds, PersistentCopy } from './persistent-copy.js';

/** Milliseconds for which the code and the record of a copy may delay the join, and the end of the client. */
const LOAD_MS = 2_000;

/** The persistent copy of one target. */
export interface Copy {
  /** Fills the replica from the store, and saves its changes from then on. Resolves after 2 s at the latest, and never rejects. */
  restore(): Promise<void>;
  /** Deletes the record and ends, because the client may not watch the target any more. */
  forget(): void;
  /** Makes the last save and ends. */
  close(): Promise<void>;
}

/** The persistent copies of a client. Their code is a module of its own, which is loaded with the first view. */
export class Copies {
  readonly #persist: string | PersistStore;
  readonly #clock: Clock;
  readonly #bounds: PersistBounds;
  readonly #failed: (cause: unknown) => void;
  #loading: Promise<(key: string, replica: Replica) => PersistentCopy> | undefined;

  constructor(persist: string | PersistStore, clock: Clock, bounds: PersistBounds, failed: (cause: unknown) => void) {
    this.#persist = persist;
    this.#clock = clock;
    this.#bounds = bounds;
    this.#failed = failed;
  }

  /** Returns the copy of a new target. Without its code it does nothing, and the error is reported. */
  of(key: string, replica: Replica): Copy {
    const copy = this.#load().then(
      (open) => open(key, replica),
      (error: unknown) => {
        this.#loading = undefined;
        this.#failed(error);
      },
    );
    const when = async (act: (opened: PersistentCopy) => Promise<void> | void) => {
      const opened = await copy;
      if (opened !== undefined) await act(opened);
    };
    return {
      restore: () => this.#withinBound(when((opened) => opened.restore())),
      forget: () => {
        when((opened) => opened.forget()).catch(this.#failed);
      },
      close: () => this.#withinBound(when((opened) => opened.close())),
    };
  }

  #load() {
    this.#loading ??= import('./persistence.js').then(({ copiesIn }) => copiesIn(this.#persist, this.#clock, this.#bounds, this.#failed));
    return this.#loading;
  }

  async #withinBound(done: Promise<void>): Promise<void> {
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = this.#clock.setTimer(resolve, LOAD_MS);
    });
    await Promise.race([done, late]).finally(() => this.#clock.clearTimer(timer));
  }
}
