import type { Clock } from '@rivulet/engine/parts';

interface Timer {
  at: number;
  readonly order: number;
  readonly every: number | undefined;
  readonly run: () => void;
  cancelled: boolean;
}

/** Stands in for what Node gives for a timer. */
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
 * Time that passes only when everything that can run has run: timers, immediates and clocks of this thread, in place of the real ones
 * while it is installed. Between two callbacks all microtasks run, as in Node; nothing real is waited for.
 */
export class VirtualTime implements Clock {
  #now = 0;
  #order = 0;
  /** A heap by time, then by order of creation. */
  readonly #timers: Timer[] = [];
  #immediates: (() => void)[] = [];

  now(): number {
    return BEGUN + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  /** Timers that wait, cancelled ones aside. */
  get pending(): number {
    return this.#timers.filter(({ cancelled }) => !cancelled).length;
  }

  after(milliseconds: number, run: () => void): Timer {
    return this.#add(milliseconds, undefined, run);
  }

  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve));
  }

  /** Replaces the global timers and clocks; answers what puts them back. */
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

  /** Runs everything until `done` answers true or nothing is left before `until`. */
  async runUntil(until: number, done: () => boolean = () => false): Promise<void> {
    await settled();
    for (;;) {
      await this.#turn();
      if (done()) return;
      const next = this.#next();
      if (next === undefined || next.at > until) break;
      this.#now = Math.max(this.#now, next.at);
      // All that is due at this moment happens in one turn of the loop, as sockets that became readable together.
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

  /** An interval goes on as the same timer, so that who cleared it finds it. */
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
 * All microtasks have run: ticks come when none is left. It costs a hundredth of a turn of the real event loop, which must come now and
 * then, or nobody else in the process lives.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    if (++calls % REAL_TURN === 0) realImmediate(resolve);
    else process.nextTick(resolve);
  });
}
