import { AddressQueue } from '../admission/address-queue.js';
import type { UpgradeRequest } from './upgrade-request.js';

export interface TurnsOptions {
  /** Number of turns at the same time. */
  readonly most: number;
  /** Number of requests that wait for one. */
  readonly mostWaiting: number;
  /** Milliseconds that a request waits at most. */
  readonly waitMs: number;
  /** Runs when a request loses its place, because too many wait. */
  readonly onFull?: (() => void) | undefined;
}

/** `busy`: too many requests wait, or this one waited too long, or its client has left. */
export type Turn = 'run' | 'busy';

/** The request that takes a turn. */
export type TurnTaker = Pick<UpgradeRequest, 'addressGroup' | 'whenGone'>;

interface Waiter {
  settle(turn: Turn): void;
}

/** Turns for work of which a bounded number may run at once. Further requests wait, and the addresses of their clients take turns. */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #queue: AddressQueue<Waiter>;
  #running = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#queue = new AddressQueue(options.mostWaiting);
  }

  /** Number of requests that run or wait. */
  get open(): number {
    return this.#running + this.#queue.size;
  }

  /** Number of requests that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Takes a turn, now if one is free. After `run` the caller must call `end` once. */
  take(request: TurnTaker): Turn | Promise<Turn> {
    if (this.#running >= this.#options.most) return this.#wait(request);
    this.#running++;
    return 'run';
  }

  /** Ends a turn. The next request that waits gets it. */
  end(): void {
    const next = this.#queue.next();
    if (next === undefined) this.#running--;
    else next.settle('run');
  }

  /** Resolves with `run` when an earlier turn has ended, or with `busy` when this request gives up. */
  #wait({ addressGroup, whenGone }: TurnTaker): Promise<Turn> {
    return new Promise((resolve) => {
      let stopWatching: (() => void) | undefined;
      const waiter: Waiter = {
        settle: (turn) => {
          clearTimeout(timer);
          stopWatching?.();
          resolve(turn);
        },
      };
      const giveUp = () => {
        this.#queue.delete(addressGroup, waiter);
        waiter.settle('busy');
      };
      const timer = setTimeout(giveUp, this.#options.waitMs);
      const crowded = this.#queue.add(addressGroup, waiter);
      if (crowded !== waiter) stopWatching = whenGone?.(giveUp);
      if (crowded === undefined) return;
      crowded.settle('busy');
      this.#options.onFull?.();
    });
  }
}
