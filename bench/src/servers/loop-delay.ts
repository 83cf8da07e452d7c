import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

/** Measures every 10 ms how late the event loop is. The returned function gives the delays until now, in milliseconds. */
export function watchLoop(): () => Readonly<Record<'p50' | 'p99' | 'max', number>> {
  const seen = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  seen.enable();
  // The histogram records the time between two samples, so subtract the planned pause.
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1_000_000 - RESOLUTION_MS);
  return () => ({ p50: late(seen.percentile(50)), p99: late(seen.percentile(99)), max: late(seen.max) });
}
