import type { Figure, Target } from '../scenario.js';
import { median } from './statistics.js';

/** Collects one value of each run under a name, and keeps the order of the names. */
export class Figures {
  readonly #runs = new Map<string, { unit: string; values: number[] }>();

  add(name: string, unit: string, value: number): void {
    const entry = this.#runs.get(name);
    if (entry === undefined) this.#runs.set(name, { unit, values: [value] });
    else entry.values.push(value);
  }

  median(name: string): number {
    return median(this.#runs.get(name)?.values ?? []);
  }

  list(): Figure[] {
    return [...this.#runs].map(([name, { unit, values }]) => ({ name, unit, runs: values, median: median(values) }));
  }
}

export function target(name: string, measured: number, sense: Target['sense'], bound: number): Target {
  return { name, measured, bound, sense, met: sense === 'at least' ? measured >= bound : measured <= bound };
}

/** The largest allowed loss against the build before, for every change to a hot path. */
const BEFORE_TOLERANCE = 0.1;

/**
 * Returns the bound of a figure of this build as a multiple of the build before.
 * `better` says in which direction the figure improves.
 */
export function beforeTarget(name: string, measured: number, before: number, better: 'higher' | 'lower'): Target {
  return better === 'higher'
    ? target(`${name}, as a multiple of the build before`, measured / before, 'at least', 1 - BEFORE_TOLERANCE)
    : target(`${name}, as a multiple of the build before`, measured / before, 'at most', 1 + BEFORE_TOLERANCE);
}
