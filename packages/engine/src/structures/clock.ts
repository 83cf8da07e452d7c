/** A timer that has not ended. */
export interface ClockTimer {
  /** Lets the process end while the timer runs. */
  unref(): unknown;
}

/** Timers that follow a clock. */
export interface ClockTimers {
  /** Calls `run` once, when this many milliseconds of the clock have passed. */
  once(milliseconds: number, run: () => void): ClockTimer;
  /** Calls `run` each time that this many milliseconds have passed. `run` does what is due, so an additional call does no harm. */
  every(milliseconds: number, run: () => void): ClockTimer;
  /** Ends a timer. Idempotent. */
  cancel(timer: ClockTimer | undefined): void;
}

/** Time. Tests and simulations inject their own clock. */
export interface Clock {
  /** Returns Unix milliseconds. They jump when somebody sets the clock of the machine. */
  now(): number;
  /** Returns milliseconds since an arbitrary start. They never jump, so intervals and deadlines use them. */
  monotonic(): number;
  /**
   * Timers of deadlines that users set: times to live, leases, time-outs of calls, the end of an access.
   * @default the timers of the system
   */
  readonly timers?: ClockTimers;
  /**
   * The clock of bounds on rates. A clock that stands still needs it, because a rate would otherwise never allow more.
   * @default this clock
   */
  readonly pace?: Pick<Clock, 'monotonic'>;
}

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
};

const SYSTEM_TIMERS: ClockTimers = {
  once: (milliseconds, run) => setTimeout(run, milliseconds),
  every: (milliseconds, run) => setInterval(run, milliseconds),
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

/** Returns the timers of a clock. */
export function timersOf({ timers }: Pick<Clock, 'timers'>): ClockTimers {
  return timers ?? SYSTEM_TIMERS;
}

/** Returns the clock by which rates are measured. */
export function paceOf(clock: Pick<Clock, 'monotonic' | 'pace'>): Pick<Clock, 'monotonic'> {
  return clock.pace ?? clock;
}
