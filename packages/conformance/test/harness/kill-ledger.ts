export const PAD = 'x'.repeat(100);

/** The value of an item after a numbered operation, which names that operation; nothing after a delete. */
interface Operation {
  readonly n: number;
  readonly kind: 'set' | 'delete';
}

/** An item that a store has after a crash. */
export interface Found {
  readonly n: number;
  readonly pad: string;
}

interface Known {
  /** Operations in the order in which they were sent, from the newest settled one on. */
  operations: Operation[];
  /** The newest operation that was acknowledged, or that a reader has seen. */
  settled: number;
}

/**
 * Records what writers sent, what the engine acknowledged and what readers saw, over many crashes. All operations of an item come from one
 * connection and have growing numbers. After a crash, an item must have the value of the newest settled operation, or of a later one.
 */
export class KillLedger {
  acks = 0;
  shown = 0;
  readonly #items = new Map<string, Known>();
  #next = 1;
  #awaited = { acks: 0, reached: () => {} };

  /** Resolves when this number of further operations was acknowledged. */
  acknowledgedMore(acks: number): Promise<void> {
    return new Promise((resolve) => {
      this.#awaited = { acks: this.acks + acks, reached: resolve };
    });
  }

  sent(item: string, kind: Operation['kind']): number {
    const n = this.#next++;
    const known = this.#items.get(item) ?? { operations: [], settled: 0 };
    this.#items.set(item, known);
    known.operations.push({ n, kind });
    return n;
  }

  acknowledged(item: string, n: number): void {
    this.acks++;
    if (this.acks === this.#awaited.acks) this.#awaited.reached();
    this.#settle(item, n);
  }

  seen(item: string, n: number): void {
    this.shown++;
    this.#settle(item, n);
  }

  /**
   * Returns the errors in `found`, which is everything that the store has; an empty list when there are none. From now on, the operations
   * that `found` shows are settled: a later crash must not change them.
   */
  check(found: ReadonlyMap<string, Found>): string[] {
    const problems = [...found.keys()].filter((item) => !this.#items.has(item)).map((item) => `${item} was never sent`);
    for (const [item, known] of this.#items) {
      const value = found.get(item);
      const allowed = known.operations.filter(({ n }) => n >= known.settled);
      if (value === undefined) {
        if (known.settled > 0 && !allowed.some(({ kind }) => kind === 'delete'))
          problems.push(`${item} is missing, ${known.settled} was settled`);
        continue;
      }
      if (value.pad !== PAD) problems.push(`${item} is not whole`);
      if (allowed.some(({ n, kind }) => n === value.n && kind === 'set')) this.#settle(item, value.n);
      else problems.push(`${item} is ${value.n}, ${known.settled} was settled`);
    }
    return problems;
  }

  #settle(item: string, n: number): void {
    const known = this.#items.get(item);
    if (known === undefined) throw new Error(`${item} was shown and never sent`);
    if (n <= known.settled) return;
    known.settled = n;
    known.operations = known.operations.filter((each) => each.n >= n);
  }
}
