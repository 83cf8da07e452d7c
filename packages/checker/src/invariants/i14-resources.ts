import type { SampleOp } from '../history/op.js';
import type { Invariant } from './invariant.js';

/** Defines which growth of a figure is a violation. The end of the figure's name selects the bound. */
interface Bound {
  readonly ending: string;
  /** Growth up to this value is no violation. */
  readonly allowance: number;
  /** Smallest number of samples. A shorter series is not judged. */
  readonly samples: number;
}

const MIB = 1024 * 1024;

/**
 * Counts do not vary, and neither does memory after garbage collection, except for caches up to their bounds. The total memory of a process
 * also contains garbage, so it is stable only after a long run.
 */
const BOUNDS: readonly Bound[] = [
  { ending: 'anonymousBytes', allowance: 48 * MIB, samples: 45 },
  { ending: 'heldBytes', allowance: 16 * MIB, samples: 3 },
  { ending: '', allowance: 2, samples: 3 },
];

/** Figures that are sampled under the same conditions do not grow from the middle third of a run to the last third. */
export const resources: Invariant = {
  id: 'I14',
  name: 'resources stay bounded',
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
          const bound = BOUNDS.find(({ ending }) => key.endsWith(ending));
          if (bound === undefined || samples.length < bound.samples) continue;
          const third = Math.floor(samples.length / 3);
          const middle = samples.slice(third, samples.length - third).map(({ value }) => value);
          const last = samples.slice(samples.length - third).map(({ value }) => value);
          const growth = median(last) - median(middle);
          if (growth > Math.max(bound.allowance, median(middle) * 0.25))
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
