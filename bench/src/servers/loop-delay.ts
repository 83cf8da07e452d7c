import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

/** Looks every 10 ms at how late the event loop is; answers what it saw until now, in milliseconds. */
export function watchLoop(): () => Readonly<Record<'p50' | 'p99' | 'max', number>> {
  const seen = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  seen.enable();
  // It records the time from one look to the next.
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1_000_000 - RESOLUTION_MS);
  return () => ({ p50: late(seen.percentile(50)), p99: late(seen.percentile(99)), max: late(seen.max) });
}
