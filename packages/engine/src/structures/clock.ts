/** Time, injected. `now` is Unix milliseconds and may jump; `monotonic` is milliseconds that never do, for intervals and deadlines. */
export interface Clock {
  now(): number;
  monotonic(): number;
}

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
};
