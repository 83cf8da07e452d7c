import { LIMITS, RivuletError } from '@rivulet/protocol';
import type { Clock } from '../../../structures/clock.js';
import { CallWindow } from './call-window.js';

/**
 * The calls that the ledger remembers, and the bytes of their outcomes: of all callers, and of each one. So a caller that uses up its share
 * leaves room for the others.
 *
 * The table has only callers with a remembered call or outcome. So its size has the bound of these calls.
 */
export class CallShares {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #retentionMs: number;
  readonly #callerCalls: number;
  readonly #all: CallWindow;
  /** By caller, in the order of their last calls: the one that ends first stands first. */
  readonly #shares = new Map<string, CallWindow>();

  /** `retentionMs`: how long the ledger remembers a call, in milliseconds. `callerCalls`: the most calls of one caller. */
  constructor(clock: Pick<Clock, 'monotonic'>, retentionMs: number, callerCalls: number = LIMITS.callerKeyedCalls) {
    this.#callerCalls = callerCalls;
    this.#clock = clock;
    this.#retentionMs = retentionMs;
    this.#all = new CallWindow(clock, retentionMs);
  }

  /** Callers with a remembered call. */
  get size(): number {
    return this.#shares.size;
  }

  /** Throws when the ledger takes no further call of this caller. */
  requireCapacity(caller: string): void {
    const all = this.#all.refresh().calls;
    if (all >= LIMITS.keyedCalls) throw full(`the engine remembers ${all} calls`);
    const own = this.#shares.get(caller)?.refresh().calls ?? 0;
    if (own >= this.#callerCalls) throw full(`the engine remembers ${own} calls of this user or address`);
  }

  addCall(caller: string): void {
    this.#add(caller, 1, 0);
  }

  /** Adds the bytes of an outcome. Returns false when there is no room for them. */
  takeBytes(caller: string, bytes: number): boolean {
    const own = this.#shares.get(caller)?.refresh().bytes ?? 0;
    if (this.#all.refresh().bytes + bytes > LIMITS.callOutcomesBytes || own + bytes > LIMITS.callerOutcomesBytes) return false;
    this.#add(caller, 0, bytes);
    return true;
  }

  #add(caller: string, calls: number, bytes: number): void {
    const share = this.#shares.get(caller) ?? new CallWindow(this.#clock, this.#retentionMs);
    share.add(calls, bytes);
    this.#all.add(calls, bytes);
    this.#shares.delete(caller);
    this.#shares.set(caller, share);
    for (const [oldest, window] of this.#shares) {
      if (!window.refresh().isEmpty) return;
      this.#shares.delete(oldest);
    }
  }
}

function full(reason: string): RivuletError {
  return new RivuletError('OVERLOADED', `${reason} and takes no more with an idempotency key; call again later`);
}
