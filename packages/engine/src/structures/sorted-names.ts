const MOST_IN_BLOCK = 512;

/** A part of a sorted list. */
export interface NamesPage {
  readonly names: readonly string[];
  /** There are others behind. */
  readonly more: boolean;
}

export interface PageBounds {
  /** The page begins behind this name, which need not exist; `undefined`: with the first. */
  readonly after: string | undefined;
  /** Names of the page. */
  readonly limit: number;
  /** UTF-16 code units that they take as a JSON array, commas included and escapes left out. The first name always fits. */
  readonly chars: number;
}

export const EVERYTHING: PageBounds = { after: undefined, limit: Number.POSITIVE_INFINITY, chars: Number.POSITIVE_INFINITY };

/** Names sorted by UTF-16 code units, in blocks: to add, to remove and to find one costs little, however many there are. */
export class SortedNames {
  readonly #kept: PageBounds | undefined;
  #blocks: string[][] = [];
  #size = 0;
  #chars = 0;

  /** With bounds it keeps only what a page of them needs: one name more than the page. */
  constructor(kept?: PageBounds) {
    this.#kept = kept;
  }

  get size(): number {
    return this.#size;
  }

  add(name: string): void {
    if (this.#kept?.after !== undefined && name <= this.#kept.after) return;
    const size = this.#size;
    this.#insert(name);
    if (this.#size === size) return;
    this.#chars += charsOf(name);
    if (this.#kept !== undefined) this.#shorten(this.#kept);
  }

  #insert(name: string): void {
    const at = this.#blockOf(name);
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push([name]);
      this.#size++;
      return;
    }
    const place = placeIn(block, name);
    if (block[place] === name) return;
    block.splice(place, 0, name);
    this.#size++;
    if (block.length > MOST_IN_BLOCK) this.#blocks.splice(at + 1, 0, block.splice(MOST_IN_BLOCK / 2));
  }

  delete(name: string): void {
    const at = this.#blockOf(name);
    const block = this.#blocks[at];
    if (block === undefined) return;
    const place = placeIn(block, name);
    if (block[place] !== name) return;
    block.splice(place, 1);
    this.#size--;
    this.#chars -= charsOf(name);
    if (block.length === 0) this.#blocks.splice(at, 1);
  }

  #shorten({ limit, chars }: PageBounds): void {
    for (;;) {
      const last = this.#blocks.at(-1)?.at(-1);
      if (last === undefined) return;
      // Without the last one there would still be more than a page.
      const isEnough = this.#size - 1 > limit || (this.#size > 2 && this.#chars - charsOf(last) > chars);
      if (!isEnough) return;
      this.delete(last);
    }
  }

  /** The names behind `after`, in order. The list must not change meanwhile. */
  *from(after: string | undefined): IterableIterator<string> {
    let at = after === undefined ? 0 : this.#blockOf(after);
    const first = this.#blocks[at];
    let place = after === undefined || first === undefined ? 0 : placeIn(first, after);
    if (first?.[place] === after) place++;
    for (; at < this.#blocks.length; at++, place = 0) {
      const block = this.#blocks[at] as string[];
      for (; place < block.length; place++) yield block[place] as string;
    }
  }

  page(bounds: PageBounds): NamesPage {
    return pageOf(this.from(bounds.after), bounds);
  }

  /** Index of the block that has the name, or to which it belongs. */
  #blockOf(name: string): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (((this.#blocks[middle] as string[]).at(-1) as string) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Takes from sorted names what a page may have. */
export function pageOf(names: Iterable<string>, { limit, chars }: PageBounds): NamesPage {
  const page: string[] = [];
  let used = 0;
  for (const name of names) {
    used += charsOf(name);
    if (page.length >= limit || (page.length > 0 && used > chars)) return { names: page, more: true };
    page.push(name);
  }
  return { names: page, more: false };
}

/** UTF-16 code units of a name in a JSON array, without escapes. */
export function charsOf(name: string): number {
  return name.length + 3;
}

/** Index of a name in a sorted array, or of the first greater one. */
function placeIn(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
