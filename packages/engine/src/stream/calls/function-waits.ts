import { LIMITS } from '@rivulet/protocol';
import type { PendingCall } from '../../core/fabric/fabric.js';
import type { FunctionFabric } from '../../core/fabric/function-fabric.js';
import { type ClockTimers, timersOf } from '../../structures/clock.js';

interface Wait {
  /** Returns whether the call can go on. */
  readonly isServed: () => boolean;
  readonly wake: () => void;
}

/**
 * The calls, and the decisions about clients, whose function no worker serves now. After a restart of the engine, clients often reconnect
 * before the workers. A worker that is replaced is away for a moment too. They wait, so that no page loses a write because of it.
 */
export class FunctionWaits {
  /** In the order of the calls. */
  readonly #waits = new Set<Wait>();
  readonly #timers: ClockTimers;
  #isDue = false;
  #stopped = false;

  constructor(fabric: Pick<FunctionFabric, 'onServed' | 'clock'>) {
    this.#timers = timersOf(fabric.clock);
    fabric.onServed(() => this.#served());
  }

  /** Whether a worker has registered a function since the waits were last looked at. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** Whether the engine stops, so that nothing waits any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /**
   * Runs `then` when `isServed` is true after a registration of any function, after `clientFunctionWaitMs` or the shorter `mostMs`, or when
   * the engine stops.
   */
  wait(isServed: () => boolean, then: () => void, mostMs: number = LIMITS.clientFunctionWaitMs): PendingCall {
    if (this.#stopped) {
      // The clock of the engine may stand still, as in tests of applications. A stop must not wait for it.
      const immediate = setImmediate(then);
      return { cancel: () => clearImmediate(immediate) };
    }
    const cancel = () => {
      this.#timers.cancel(timer);
      this.#waits.delete(wait);
    };
    const wake = () => {
      cancel();
      then();
    };
    const wait = { isServed, wake };
    const timer = this.#timers.once(Math.min(mostMs, LIMITS.clientFunctionWaitMs), wake);
    this.#waits.add(wait);
    return { cancel };
  }

  stop(): void {
    this.#stopped = true;
    for (const { wake } of this.#waits) wake();
  }

  /** A worker registers its functions one after another, and calls of different ones must keep their order. So this waits for a turn. */
  #served(): void {
    if (this.#isDue || this.#waits.size === 0) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      for (const { isServed, wake } of this.#waits) if (isServed()) wake();
    });
  }
}
