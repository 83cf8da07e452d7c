import type { SampleOp } from '../history/op.js';
import type { Invariant } from './invariant.js';

/** When the growth of a figure means something, by the end of its name. */
interface Bound {
  readonly ending: string;
  /** Growth below this means nothing. */
  readonly allowance: number;
  /** A shorter series is not judged. */
  readonly samples: number;
}

const MIB = 1024 * 1024;

/**
 * Counts do not breathe, and neither does memory that is held after garbage collection, but for caches that fill up to their bounds. All
 * memory of a process also has garbage and the young generation, so only a process that has run for long is at its plateau.
 */
const BOUNDS: readonly Bound[] = [
  { ending: 'anonymousBytes', allowance: 48 * MIB, samples: 45 },
  { ending: 'heldBytes', allowance: 16 * MIB, samples: 3 },
  { ending: '', allowance: 2, samples: 3 },
];

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
