import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { InvariantId } from '../invariants/invariant.js';
import type { SeedResult } from './seed-result.js';

export interface SeedsResult {
  readonly from: number;
  readonly seeds: number;
  readonly threads: number;
  readonly milliseconds: number;
  readonly ops: number;
  readonly deliveries: number;
  readonly violations: ReadonlyMap<InvariantId, number>;
  /** Seeds with violations, and the first lines of each description. */
  readonly broken: readonly SeedResult[];
}

const THREAD = fileURLToPath(new URL('../../dist/simulation/seed-thread.js', import.meta.url));

/** Runs seeds in threads. Calls `onSeed` after each seed. */
export async function runSeeds(from: number, seeds: number, threads: number, onSeed: (done: number) => void): Promise<SeedsResult> {
  const begun = performance.now();
  const violations = new Map<InvariantId, number>();
  const broken: SeedResult[] = [];
  const sums = { done: 0, ops: 0, deliveries: 0 };
  const take = (result: SeedResult) => {
    sums.done++;
    sums.ops += result.ops;
    sums.deliveries += result.deliveries;
    for (const invariant of result.violated) violations.set(invariant, (violations.get(invariant) ?? 0) + 1);
    if (result.violated.length > 0) broken.push(result);
    onSeed(sums.done);
  };
  await Promise.all(
    Array.from(
      { length: threads },
      (_, n) =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(THREAD, { workerData: { from: from + n, to: from + seeds, step: threads } });
          worker.on('message', take);
          worker.once('error', reject);
          worker.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a thread ended with ${code}`))));
        }),
    ),
  );
  broken.sort((a, b) => a.seed - b.seed);
  return {
    from,
    seeds: sums.done,
    threads,
    milliseconds: performance.now() - begun,
    ops: sums.ops,
    deliveries: sums.deliveries,
    violations,
    broken,
  };
}
