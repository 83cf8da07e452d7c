import type { Figure, Samples } from './overview-wire.js';

/** Samples that a chart shows: five minutes. */
export const WINDOW = 300;

/** The samples on screen. A new answer has only those since the last one, and its samples push out the oldest. */
export class SampleWindow {
  #samples: Samples | undefined;

  /** The time of the newest sample in Unix milliseconds; 0 before the first one. The next request asks for later ones. */
  get newestMs(): number {
    return this.#samples?.at_ms.at(-1) ?? 0;
  }

  get samples(): Samples | undefined {
    return this.#samples;
  }

  /** Adds the samples of an answer, without samples that the window has already. */
  add(answer: Samples): void {
    const before = this.#samples;
    const newest = this.newestMs;
    const from = answer.at_ms.findIndex((at) => at > newest);
    if (from < 0) {
      this.#samples ??= answer;
      return;
    }
    const joined = Object.entries(answer).map(([name, values]) => {
      const old = before?.[name as Figure | 'at_ms'] ?? [];
      return [name, [...old, ...values.slice(from)].slice(-WINDOW)];
    });
    this.#samples = Object.fromEntries(joined) as Samples;
  }

  /** Drops everything, such as after a restart of the engine, whose clock may have changed. */
  clear(): void {
    this.#samples = undefined;
  }
}
