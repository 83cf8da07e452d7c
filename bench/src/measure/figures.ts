import type { Figure, Target } from '../scenario.js';
import { median } from './statistics.js';

/** Collects one value per run under a name, and keeps the order in which names appeared. */
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
