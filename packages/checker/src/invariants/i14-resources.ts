import type { SampleOp } from '../history/op.js';
import type { Invariant } from './invariant.js';

/**
 * Below it the growth of a figure means nothing, by what its name ends with. Counts do not breathe; bytes do: the young generation of a process
 * that was started again a moment ago grows to three spaces of 16 MiB.
 */
const ALLOWANCES: readonly (readonly [ending: string, least: number])[] = [
  ['Bytes', 48 * 1024 * 1024],
  ['', 2],
];
const LEAST_SAMPLES = 3;

/** Figures sampled at like moments do not grow: the last third stands where the middle third stood. */
export const resources: Invariant = {
  id: 'I14',
  name: 'nothing grows for ever',
  begin: (report) => {
    const series = new Map<string, { readonly value: number; readonly op: SampleOp }[]>();
    return {
      see: (op) => {
        if (op.f !== 'sample') return;
        for (const [name, value] of Object.entries(op.values)) {
          const key = `${op.p}|${name}`;
          series.set(key, [...(series.get(key) ?? []), { value, op }]);
        }
      },
      end: () => {
        for (const [key, samples] of series) {
          if (samples.length < LEAST_SAMPLES) continue;
          const third = Math.floor(samples.length / 3);
          const middle = samples.slice(third, samples.length - third).map(({ value }) => value);
          const last = samples.slice(samples.length - third).map(({ value }) => value);
          const growth = median(last) - median(middle);
          const least = ALLOWANCES.find(([ending]) => key.endsWith(ending))?.[1] ?? 0;
          if (growth > Math.max(least, median(middle) * 0.25))
            report(`${key} grows from ${median(middle)} to ${median(last)}`, samples[third]?.op, samples.at(-1)?.op);
        }
      },
    };
  },
};

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
