import { decodeHead, splitHeadKey } from '../tables/records.js';

/** The facts of a head that a check needs. */
interface CheckedHead {
  readonly offset: number;
  readonly items: number;
  /** Bytes of the items; `undefined` when the head does not count them. */
  readonly bytes: number | undefined;
}

/** The heads of all groups, found by the number of the group. Plain arrays, because a store may have a million groups. */
export class HeadList {
  readonly #numbers: number[] = [];
  readonly #offsets: number[] = [];
  readonly #items: number[] = [];
  /** Few groups count their bytes. */
  readonly #bytes = new Map<number, number>();
  readonly #keys: Buffer[] = [];
  /** Indexes in the order of numbers. */
  #order: number[] = [];

  get size(): number {
    return this.#numbers.length;
  }

  /** The highest number; 0 without groups. */
  get lastNumber(): number {
    const last = this.#order.at(-1);
    return last === undefined ? 0 : (this.#numbers[last] ?? 0);
  }

  /** Adds a sound record. */
  add(key: Buffer, record: Buffer): void {
    const { number, offset, reserved, items, bytes } = decodeHead(key, record);
    this.#numbers.push(number);
    this.#offsets.push(Math.max(offset, reserved));
    this.#items.push(items);
    if (bytes !== undefined) this.#bytes.set(number, bytes);
    this.#keys.push(Buffer.from(key));
  }

  /** Call it once, after the last `add`. */
  sort(): void {
    this.#order = this.#numbers.map((_, index) => index).sort((a, b) => (this.#numbers[a] ?? 0) - (this.#numbers[b] ?? 0));
  }

  find(number: number): CheckedHead | undefined {
    const index = this.#indexOf(number);
    if (index === undefined) return undefined;
    return { offset: this.#offsets[index] ?? 0, items: this.#items[index] ?? 0, bytes: this.#bytes.get(number) };
  }

  /** Returns the names of a group; nothing when it has no sound head. */
  nameOf(number: number): { readonly stream?: string; readonly group?: string } {
    const index = this.#indexOf(number);
    const key = index === undefined ? undefined : this.#keys[index];
    return key === undefined ? {} : splitHeadKey(key);
  }

  /** Returns the numbers of groups that have items. */
  numbersWithItems(): Set<number> {
    return new Set(this.#numbers.filter((_, index) => (this.#items[index] ?? 0) > 0));
  }

  #indexOf(number: number): number | undefined {
    let low = 0;
    let high = this.#order.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const index = this.#order[middle] ?? 0;
      const found = this.#numbers[index] ?? 0;
      if (found === number) return index;
      if (found < number) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}
