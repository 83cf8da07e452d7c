/** Counts coded events of the engine by name. The names come from the code, never from a peer, so their number is bounded. */
export class EventCounters {
  readonly #counts = new Map<string, number>();

  add(event: string, times = 1): void {
    this.#counts.set(event, (this.#counts.get(event) ?? 0) + times);
  }

  /** Returns how often each event has happened since the start. An event that never happened is absent. */
  read(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
