/** Time. Tests and simulations inject their own clock. */
export interface Clock {
  /** Returns Unix milliseconds. They jump when somebody sets the clock of the machine. */
  now(): number;
  /** Returns milliseconds since an arbitrary start. They never jump, so intervals and deadlines use them. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
};
