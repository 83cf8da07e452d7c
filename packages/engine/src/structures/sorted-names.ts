import type { TurnBudget } from './turn-budget.js';

/** Names above which a block is split in two. */
const MOST_IN_BLOCK = 512;

/** One page of a sorted list of names. */
export interface NamesPage {
  readonly names: readonly string[];
  /** Whether the list goes on after this page. */
  readonly more: boolean;
}

export interface PageBounds {
  /** The page begins with the first name after this one, which need not exist. `undefined` means from the start. */
  readonly after: string | undefined;
  /** Largest number of names in the page. */
  readonly limit: number;
  /** Largest size as a JSON array, in UTF-16 code units, with commas and without escapes. The first name always fits. */
  readonly chars: number;
}

/** Bounds of a page that holds all names. */
export const EVERYTHING: PageBounds = { after: undefined, limit: Number.POSITIVE_INFINITY, chars: Number.POSITIVE_INFINITY };

/**
 * A set of names, sorted by UTF-16 code units. It keeps them in blocks of at most `MOST_IN_BLOCK`, so an insertion moves few names even
 * when the set is large.
 */
export class SortedNames {
  readonly #kept: PageBounds | undefined;
  #blocks: string[][] = [];
  #size = 0;
  #chars = 0;

  /** With bounds, the set keeps only the names of that page and one more, which shows that the list goes on. */
  constructor(kept?: PageBounds) {
    this.#kept = kept;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a name. A name that is present already changes nothing. */
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

  /** Deletes a name, if it is present. */
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
      // The set holds more than the page and one name, so the last name is not needed.
      const isEnough = this.#size - 1 > limit || (this.#size > 2 && this.#chars - charsOf(last) > chars);
      if (!isEnough) return;
      this.delete(last);
    }
  }

  /** Yields the names after `after`, in order. The set must not change during the iteration. */
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

  /** Returns one page of the names. */
  page(bounds: PageBounds): NamesPage {
    return pageOf(this.from(bounds.after), bounds);
  }

  /** Returns the index of the block that contains the name, or into which it belongs. */
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

/** Returns the first page of sorted names. */
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

/** Names that one slice reads; a slice takes much less than a millisecond. */
const SLICE_NAMES = 2_048;

/**
 * Reads a page in slices, between which the event loop turns. `read` returns a page of the names as they are at its call, so a name that is
 * added or removed meanwhile may be in the page or not.
 */
export async function pageInSlices(read: (slice: PageBounds) => NamesPage, bounds: PageBounds, turns: TurnBudget): Promise<NamesPage> {
  const names: string[] = [];
  let { after, chars } = bounds;
  for (;;) {
    await turns.free();
    const slice = read({ after, limit: Math.min(bounds.limit - names.length, SLICE_NAMES), chars: Number.POSITIVE_INFINITY });
    for (const name of slice.names) {
      chars -= charsOf(name);
      if (chars < 0 && names.length > 0) return { names, more: true };
      names.push(name);
    }
    if (!slice.more || names.length >= bounds.limit) return { names, more: slice.more };
    after = names.at(-1);
  }
}

/** Returns the UTF-16 code units of a name in a JSON array: the name, two quotes and a comma, without escapes. */
export function charsOf(name: string): number {
  return name.length + 3;
}

/** Returns the index of a name in a sorted array, or of the first greater name. */
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
