import { silentLogger } from '../src/logging/logger.js';
import { createMemoryStore } from '../src/store/memory/memory-store.js';
import type { StreamStore, WritableStore } from '../src/store/store.js';
import type { CallOutcome, LedgerCall, LedgerEntry, LedgerRun } from '../src/stream/calls/call-ledger.js';
import { createCallLedger, type OwnedLedger } from '../src/stream/calls/ledger/open-ledger.js';
import type { Clock, ClockTimer, ClockTimers } from '../src/structures/clock.js';

interface Sleeper extends ClockTimer {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock that tests move. */
class TestClock implements Clock {
  wall = 1_700_000_000_000;
  #now = 0;
  #sleepers: Sleeper[] = [];

  now(): number {
    return this.wall + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  /** Timers that have not ended. */
  get waiting(): number {
    return this.#sleepers.length;
  }

  readonly timers: ClockTimers = {
    once: (milliseconds, wake) => this.#add(milliseconds, wake),
    every: () => {
      throw new Error('unused');
    },
    cancel: (timer) => {
      this.#sleepers = this.#sleepers.filter((each) => each !== timer);
    },
  };

  readonly sleep = (milliseconds: number): Promise<void> => new Promise((wake) => this.#add(milliseconds, wake));

  #add(milliseconds: number, wake: () => void): ClockTimer {
    const sleeper = { at: this.#now + milliseconds, wake, unref() {} };
    this.#sleepers.push(sleeper);
    return sleeper;
  }

  /** Moves the time, and wakes the sleepers in the order of their times. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await settle();
      const next = this.#sleepers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#sleepers = this.#sleepers.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#now = end;
    await settle();
  }
}

/** Waits until the store has answered everything. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export interface EngineOptions {
  readonly retentionMs?: number;
  readonly isShared?: boolean;
  readonly waitMs?: number;
  readonly callerCalls?: number;
}

/** Engines with a ledger each, over one store in memory. */
export class LedgerWorld {
  readonly clock = new TestClock();
  store: WritableStore = this.newStore();

  /** Returns an empty store. Its own timers are those of the system. */
  newStore(): WritableStore {
    const clock = { now: () => this.clock.now(), monotonic: () => this.clock.monotonic() };
    return createMemoryStore({ clock, tombstoneRetentionMs: 60_000 });
  }

  async start(): Promise<this> {
    await this.store.start({ onCommit() {}, onBreak() {} });
    return this;
  }

  /** Returns the ledger of another engine. */
  async engine(options: EngineOptions = {}, store: StreamStore = this.store): Promise<OwnedLedger> {
    const { clock } = this;
    const ledger = createCallLedger({
      store,
      retentionMs: 600_000,
      isShared: true,
      clock,
      logger: silentLogger,
      sleep: clock.sleep,
      ...options,
    });
    await ledger.start();
    return ledger;
  }
}

export const DONE: CallOutcome = { kind: 'result', text: '{"moved":true}' };

export function keyed(more: Partial<LedgerCall> = {}): LedgerCall {
  return { identity: 'ann', functionId: 'board::move', key: 'k1', repeatedAfterMs: undefined, idempotent: false, ...more };
}

/** Throws when the call may not run. */
export function runOf(entry: LedgerEntry): LedgerRun {
  if (entry.kind !== 'run') throw new Error(`the call does not run: ${JSON.stringify(entry)}`);
  return entry.run;
}
