import { charsOf, type NamesPage, type PageBounds } from '../../../structures/sorted-names.js';
import type { TurnBudget } from '../../../structures/turn-budget.js';
import type { Table, View } from '../env/environment.js';
import { decodeHead, headKey, isSound, splitHeadKey } from '../tables/records.js';
import type { DamagedPlace } from './damage-log.js';

/**
 * LMDB sorts names by their bytes in UTF-8, which is the order of code points. Lists are sorted by UTF-16 code units. The orders differ for
 * one kind of pair. One name has a code point above U+FFFF (in UTF-8, F0 to F4). At the same place, the other name has one from U+E000 to
 * U+FFFF (EE or EF). In UTF-16 the first name comes first, in UTF-8 the second one.
 */
const FIRST_PRIVATE = 0xee;
const FIRST_ASTRAL = 0xf0;
const BEYOND = 0xf8;

/** Keys from `start` on that are before `end`, in the order of bytes. */
export interface KeyRange {
  readonly start: Buffer;
  readonly end: Buffer;
  /** Number of bytes that all names of the range share. */
  readonly depth: number;
}

/**
 * Returns the ranges of all names behind `after`, in the order of UTF-16 code units. Inside a range, the orders agree up to the first name
 * for which `splitAt` returns ranges.
 */
function rangesAfter(prefix: Buffer, after: string | undefined): KeyRange[] {
  const end = above(prefix);
  if (after === undefined) return [{ start: prefix, end, depth: prefix.length }];
  const name = Buffer.concat([prefix, Buffer.from(after)]);
  const ranges: KeyRange[] = [];
  let start: Buffer = Buffer.concat([name, Buffer.from([0])]);
  for (let at = name.length - 1; at >= prefix.length; at--) {
    const byte = name[at] as number;
    if (byte < FIRST_PRIVATE) continue;
    const shared = name.subarray(0, at);
    const isAstral = byte >= FIRST_ASTRAL;
    ranges.push({ start, end: followedBy(shared, isAstral ? BEYOND : FIRST_ASTRAL), depth: at + 1 });
    if (isAstral) ranges.push(privateRange(shared));
    start = followedBy(shared, BEYOND);
  }
  ranges.push({ start, end, depth: prefix.length });
  return ranges;
}

/**
 * Returns the ranges that replace the rest of `range`, which begins with this key. `undefined` when the key is also next in the order of
 * UTF-16.
 */
function splitAt(key: Buffer, range: KeyRange): KeyRange[] | undefined {
  for (let at = range.depth; at < key.length; at++) {
    if ((key[at] as number) < FIRST_PRIVATE) continue;
    const shared = Buffer.from(key.subarray(0, at));
    const astral = { start: followedBy(shared, FIRST_ASTRAL), end: followedBy(shared, BEYOND), depth: at + 1 };
    return [astral, privateRange(shared), { start: followedBy(shared, BEYOND), end: range.end, depth: range.depth }];
  }
  return undefined;
}

function privateRange(shared: Buffer): KeyRange {
  return { start: followedBy(shared, FIRST_PRIVATE), end: followedBy(shared, FIRST_ASTRAL), depth: shared.length + 1 };
}

function followedBy(shared: Buffer, byte: number): Buffer {
  return Buffer.concat([shared, Buffer.from([byte])]);
}

/** Returns a key above every key that begins with `prefix`. */
function above(prefix: Buffer): Buffer {
  return prefix.length === 0 ? Buffer.from([0xff]) : Buffer.concat([prefix, Buffer.from([0xff])]);
}

export interface NamesSource {
  readonly heads: Table;
  readonly turns: TurnBudget;
  /** Called for a group whose head is damaged. */
  readonly onDamage: (place: DamagedPlace) => void;
  /** Returns a new view; the caller must end it. */
  readonly view: () => View;
}

/**
 * Returns a page of the groups of a stream that have items, or without `stream` of the streams that have such groups, in the order of
 * UTF-16 code units. The event loop turns meanwhile, and each slice reads a new view.
 */
export async function readNames(source: NamesSource, stream: string | undefined, bounds: PageBounds): Promise<NamesPage> {
  const scan = new NamesScan(stream, bounds, source.onDamage);
  for (;;) {
    await source.turns.free();
    const view = source.view();
    try {
      if (scan.run(source.heads, view, () => source.turns.over)) return scan.page;
    } finally {
      view.done();
    }
  }
}

/** A scan with its state between two slices. */
class NamesScan {
  readonly #stream: string | undefined;
  readonly #bounds: PageBounds;
  readonly #onDamage: NamesSource['onDamage'];
  readonly #names: string[] = [];
  #ranges: KeyRange[];
  #chars = 0;
  #more = false;

  constructor(stream: string | undefined, bounds: PageBounds, onDamage: NamesSource['onDamage']) {
    this.#onDamage = onDamage;
    this.#stream = stream;
    this.#bounds = bounds;
    this.#ranges = rangesAfter(stream === undefined ? Buffer.alloc(0) : headKey(stream, ''), bounds.after);
    // The other groups of the stream `after` must be skipped too.
    const [first] = this.#ranges;
    if (stream === undefined && bounds.after !== undefined && first !== undefined)
      this.#ranges[0] = { ...first, start: followedBy(Buffer.from(bounds.after), 1) };
  }

  get page(): NamesPage {
    return { names: this.#names, more: this.#more };
  }

  /** Scans until the page is complete (true) or `late` returns true (false). */
  run(heads: Table, view: View, late: () => boolean): boolean {
    for (let range = this.#ranges[0]; range !== undefined; range = this.#ranges[0]) {
      const step = this.#readRange(heads, view, range, late);
      if (step === 'full') return true;
      if (step === 'late') return false;
      if (step === 'read') this.#ranges.shift();
    }
    return true;
  }

  #readRange(heads: Table, view: View, range: KeyRange, late: () => boolean): 'read' | 'moved' | 'late' | 'full' {
    const goOn = (...ranges: readonly KeyRange[]) => {
      this.#ranges = [...ranges, ...this.#ranges.slice(1)];
    };
    for (const { key, value } of heads.getRange({ start: range.start, end: range.end, transaction: view })) {
      const place = Buffer.from(key);
      const name = this.#stream === undefined ? place.subarray(0, place.indexOf(0)) : place;
      const split = splitAt(name, range);
      if (split !== undefined) {
        goOn(...split);
        return 'moved';
      }
      const isFilled = this.#isFilled(place, value);
      if (isFilled && !this.#take(place)) return 'full';
      const behind = isFilled && this.#stream === undefined ? followedBy(name, 1) : followedBy(place, 0);
      if (late()) {
        goOn({ ...range, start: behind });
        return 'late';
      }
      if (isFilled && this.#stream === undefined) {
        goOn({ ...range, start: behind });
        return 'moved';
      }
    }
    return 'read';
  }

  /** A group whose head is damaged is in no list. */
  #isFilled(key: Buffer, record: Buffer): boolean {
    if (isSound(key, record)) return decodeHead(key, record).items > 0;
    this.#onDamage({ ...splitHeadKey(key), problem: 'the head of the group fails its checksum' });
    return false;
  }

  /** Adds a name to the page. Returns false when the page is full. */
  #take(key: Buffer): boolean {
    const { stream, group } = splitHeadKey(key);
    const name = this.#stream === undefined ? stream : group;
    this.#chars += charsOf(name);
    const { limit, chars } = this.#bounds;
    this.#more = this.#names.length >= limit || (this.#names.length > 0 && this.#chars > chars);
    if (!this.#more) this.#names.push(name);
    return !this.#more;
  }
}
