import { PairMap } from './pair-map.js';

interface Round<T> {
  readonly running: Promise<T>;
  next: Promise<T> | undefined;
}

/**
 * Reads of things with two names, one at a time for each thing. Whoever asks while one runs shares the next with all who ask until it
 * begins: an answer is never older than its question, and any number of questions cost two reads.
 */
export class Rounds<T> {
  readonly #rounds = new PairMap<Round<T>>();

  run(first: string, second: string, read: () => Promise<T>): Promise<T> {
    const round = this.#rounds.get(first, second);
    if (round === undefined) return this.#begin(first, second, read);
    const next = () => this.#begin(first, second, read);
    round.next ??= round.running.then(next, next);
    return round.next;
  }

  #begin(first: string, second: string, read: () => Promise<T>): Promise<T> {
    const round: Round<T> = { running: read(), next: undefined };
    this.#rounds.set(first, second, round);
    const ended = () => {
      if (round.next === undefined) this.#rounds.delete(first, second);
    };
    round.running.then(ended, ended);
    return round.running;
  }
}
