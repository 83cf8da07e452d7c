export const PAD = 'x'.repeat(100);

/** What a numbered operation leaves: a value that names it, or nothing. */
interface Operation {
  readonly n: number;
  readonly kind: 'set' | 'delete';
}

/** An item as a store has it after a crash. */
export interface Found {
  readonly n: number;
  readonly pad: string;
}

interface Known {
  /** In the order in which they were sent; those before the newest that must count are dropped. */
  operations: Operation[];
  /** The newest that was acknowledged or shown to anybody. */
  settled: number;
}

/**
 * What writers sent, what was acknowledged and what was shown, over many crashes. All operations of an item come from one connection and
 * have growing numbers, so after a crash an item must be as the newest settled operation left it, or a later one that was really sent.
 */
export class KillLedger {
  acks = 0;
  shown = 0;
  readonly #items = new Map<string, Known>();
  #next = 1;
  #awaited = { acks: 0, reached: () => {} };

  /** Resolves when so many more were acknowledged. */
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
   * What is wrong with `found`, which is everything that is stored; nothing, if all is well. What it shows is settled from now on: it must
   * not change in a later crash either.
   */
  check(found: ReadonlyMap<string, Found>): string[] {
    const problems = [...found.keys()].filter((item) => !this.#items.has(item)).map((item) => `${item} was never sent`);
    for (const [item, known] of this.#items) {
      const value = found.get(item);
      const allowed = known.operations.filter(({ n }) => n >= known.settled);
      if (value === undefined) {
        if (known.settled > 0 && !allowed.some(({ kind }) => kind === 'delete'))
          problems.push(`${item} is gone, ${known.settled} was settled`);
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
