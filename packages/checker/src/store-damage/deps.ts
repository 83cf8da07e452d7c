import type { LmdbStoreOptions } from '@rivulet/engine/stores';

/** Options of all stores of this harness. */
export const CLOCK = {
  durability: 'commit',
  saveIntervalMs: 1_000,
  space: { minFreeBytes: 0, minFreePercent: 0, ballastBytes: 0 },
  clock: { now: Date.now, monotonic: () => performance.now() },
} as const satisfies Partial<LmdbStoreOptions>;

/** Returns a logger that writes nothing. */
export function silent(): LmdbStoreOptions['logger'] {
  const nothing = () => {};
  return { debug: nothing, info: nothing, warn: nothing, error: nothing };
}
