import type { Clock } from '@rivulet/engine/parts';

interface Timer {
  at: number;
  readonly order: number;
  readonly every: number | undefined;
  readonly run: () => void;
  cancelled: boolean;
}

/** Replaces the timer objects of Node. */
class TimerHandle {
  readonly timer: Timer;

  constructor(timer: Timer) {
    this.timer = timer;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    return this;
  }

  close(): this {
    this.timer.cancelled = true;
    return this;
  }

  [Symbol.toPrimitive](): number {
    return this.timer.order;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const realImmediate = globalThis.setImmediate;
const BEGUN = 1_700_000_000_000;
const REAL_TURN = 1_024;
let calls = 0;

/**
 * A clock that advances only when nothing else can run. While installed, it replaces the timers, immediates and clocks of this thread.
 * Between two callbacks all microtasks run, as in Node. Nothing waits for real time.
 */
export class VirtualTime implements Clock {
  #now = 0;
  #order = 0;
  /** A heap, ordered by time and then by creation. */
  readonly #timers: Timer[] = [];
  #immediates: (() => void)[] = [];

  now(): number {
    return BEGUN + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  /** Number of waiting timers, without cancelled ones. */
  get pending(): number {
    return this.#timers.filter(({ cancelled }) => !cancelled).length;
  }

  after(milliseconds: number, run: () => void): Timer {
    return this.#add(milliseconds, undefined, run);
  }

  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve));
  }

  /** Replaces the global timers and clocks. Returns a function that restores them. */
  install(): () => void {
    const saved = {
      setTimeout: globalThis.setTimeout,
      setInterval: globalThis.setInterval,
      setImmediate: globalThis.setImmediate,
      clearTimeout: globalThis.clearTimeout,
      clearInterval: globalThis.clearInterval,
      clearImmediate: globalThis.clearImmediate,
    };
    const { now } = Date;
    const clear = (handle: unknown) => {
      if (handle instanceof TimerHandle) handle.timer.cancelled = true;
    };
    Object.assign(globalThis, {
      setTimeout: (run: (...args: unknown[]) => void, milliseconds = 0, ...args: unknown[]) =>
        new TimerHandle(this.#add(milliseconds, undefined, () => run(...args))),
      setInterval: (run: (...args: unknown[]) => void, milliseconds = 0, ...args: unknown[]) =>
        new TimerHandle(this.#add(milliseconds, Math.max(1, milliseconds), () => run(...args))),
      setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) => {
        this.#immediates.push(() => run(...args));
      },
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: () => {},
    });
    Date.now = () => this.now();
    Object.defineProperty(performance, 'now', { value: () => this.#now, configurable: true, writable: true });
    return () => {
      Object.assign(globalThis, saved);
      Date.now = now;
      Reflect.deleteProperty(performance, 'now');
    };
  }

  /** Runs callbacks until `done` returns true or none is due before `until`. */
  async runUntil(until: number, done: () => boolean = () => false): Promise<void> {
    await settled();
    for (;;) {
      await this.#turn();
      if (done()) return;
      const next = this.#next();
      if (next === undefined || next.at > until) break;
      this.#now = Math.max(this.#now, next.at);
      // Everything that is due now runs in one turn of the loop, as sockets do that become readable together.
      for (let due = this.#next(); due !== undefined && due.at <= this.#now; due = this.#next()) {
        this.#pop();
        if (due.every !== undefined) this.#push({ ...due, at: this.#now + due.every }, due);
        due.run();
        await settled();
      }
    }
    this.#now = Math.max(this.#now, until);
  }

  async #turn(): Promise<void> {
    while (this.#immediates.length > 0) {
      const immediates = this.#immediates;
      this.#immediates = [];
      for (const run of immediates) {
        run();
        await settled();
      }
    }
  }

  #add(milliseconds: number, every: number | undefined, run: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, Math.round(milliseconds)), order: ++this.#order, every, run, cancelled: false };
    this.#insert(timer);
    return timer;
  }

  /** An interval continues as the same timer, so that `clearInterval` finds it. */
  #push(next: Timer, timer: Timer): void {
    timer.at = next.at;
    this.#insert(timer);
  }

  #insert(timer: Timer): void {
    const heap = this.#timers;
    heap.push(timer);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at] as Timer, heap[parent] as Timer)) break;
      [heap[at], heap[parent]] = [heap[parent] as Timer, heap[at] as Timer];
      at = parent;
    }
  }

  #next(): Timer | undefined {
    while (this.#timers[0]?.cancelled === true) this.#pop();
    return this.#timers[0];
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const least = right < heap.length && before(heap[right] as Timer, heap[left] as Timer) ? right : left;
      if (!before(heap[least] as Timer, heap[at] as Timer)) return;
      [heap[at], heap[least]] = [heap[least] as Timer, heap[at] as Timer];
      at = least;
    }
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/**
 * Resolves when all microtasks have run, because ticks run after them. A tick costs a hundredth of a real turn of the event loop. A real
 * turn must run now and then, or other work of the process would starve.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    if (++calls % REAL_TURN === 0) realImmediate(resolve);
    else process.nextTick(resolve);
  });
}
