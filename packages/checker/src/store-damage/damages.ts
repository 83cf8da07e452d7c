import { randomBytes } from 'node:crypto';
import type { Random } from '@rivulet/testkit/random';
import type { BuiltStore } from './built-store.js';

const PAGE = 4_096;
const SECTOR = 512;

/** One damage of a data file. */
export interface Damage {
  readonly kind: string;
  readonly text: string;
  readonly data: Buffer;
}

type Apply = (data: Buffer, random: Random, store: BuiltStore, foreign: BuiltStore) => { readonly data: Buffer; readonly text: string };

/** The kinds of damage. All change a copy of the file. */
const KINDS: Readonly<Record<string, Apply>> = {
  'bit flip': (data, random) => {
    const flips = random.chance(0.7) ? 1 : random.between(2, 8);
    const places = Array.from({ length: flips }, () => [random.below(data.length), random.below(8)] as const);
    for (const [at, bit] of places) data[at] = (data[at] ?? 0) ^ (1 << bit);
    return { data, text: `bits ${places.map(([at, bit]) => `${at}.${bit}`).join(' ')}` };
  },
  // Most bytes are values and free space. Headers and node pointers are where LMDB trusts its file.
  'header flip': (data, random) => {
    const page = random.below(data.length / PAGE);
    const at = page * PAGE + (random.chance(0.5) ? random.below(24) : random.below(200));
    const bit = random.below(8);
    data[at] = (data[at] ?? 0) ^ (1 << bit);
    return { data, text: `bit ${at}.${bit} in the head of page ${page}` };
  },
  zeroed: (data, random) => {
    const page = random.below(data.length / PAGE);
    const pages = Math.min(random.chance(0.7) ? 1 : random.between(2, 5), data.length / PAGE - page);
    data.fill(0, page * PAGE, (page + pages) * PAGE);
    return { data, text: `${pages} pages from ${page} on zeroed` };
  },
  random: (data, random) => {
    const page = random.below(data.length / PAGE);
    randomBytes(PAGE).copy(data, page * PAGE);
    return { data, text: `page ${page} random` };
  },
  stale: (data, random, store) => {
    const old = random.pick(store.earlier);
    const pages = Array.from({ length: random.chance(0.7) ? 1 : random.between(2, 6) }, () =>
      random.below(Math.min(old.length, data.length) / PAGE),
    );
    for (const page of pages) old.copy(data, page * PAGE, page * PAGE, (page + 1) * PAGE);
    return { data, text: `pages ${pages.join(' ')} of an earlier moment` };
  },
  swapped: (data, random) => {
    const [a, b] = [random.below(data.length / PAGE), random.below(data.length / PAGE)];
    const first = Buffer.from(data.subarray(a * PAGE, (a + 1) * PAGE));
    data.copy(data, a * PAGE, b * PAGE, (b + 1) * PAGE);
    first.copy(data, b * PAGE);
    return { data, text: `pages ${a} and ${b} swapped` };
  },
  torn: (data, random, store) => {
    const old = random.pick(store.earlier);
    const page = random.below(Math.min(old.length, data.length) / PAGE);
    const sectors = random.between(1, 7);
    const at = page * PAGE + random.below(PAGE / SECTOR - sectors + 1) * SECTOR;
    if (random.chance(0.5)) old.copy(data, at, at, at + sectors * SECTOR);
    else data.fill(0, at, at + sectors * SECTOR);
    return { data, text: `${sectors} sectors at ${at} torn` };
  },
  truncated: (data, random) => {
    const bytes = random.chance(0.5) ? random.below(data.length) : random.below(data.length / PAGE) * PAGE;
    return { data: data.subarray(0, bytes), text: `cut to ${bytes} bytes` };
  },
  foreign: (data, random, _, foreign) => {
    const texts = [Buffer.alloc(0), Buffer.from('{"this":"is no database"}'), randomBytes(data.length), foreign.earlier[0] ?? data];
    const index = random.below(texts.length + 1);
    const whole = texts[index];
    if (whole !== undefined) return { data: whole, text: `foreign file ${index}` };
    const page = random.below(Math.min(foreign.data.length, data.length) / PAGE);
    foreign.data.copy(data, page * PAGE, page * PAGE, (page + 1) * PAGE);
    return { data, text: `page ${page} of another store` };
  },
  meta: (data, random, store) => {
    const page = random.below(2);
    const old = random.pick(store.earlier);
    const choice = random.below(4);
    if (choice === 0) old.copy(data, page * PAGE, page * PAGE, (page + 1) * PAGE);
    else if (choice === 1) data.fill(0, page * PAGE, page * PAGE + 200);
    else {
      const at = page * PAGE + random.below(168);
      data[at] = (data[at] ?? 0) ^ (1 << random.below(8));
    }
    return { data, text: `meta page ${page}` };
  },
};

const NAMES = Object.keys(KINDS);

/** Returns the file of a store with one damage, which the numbers of `random` choose. */
export function damageOf(random: Random, store: BuiltStore, foreign: BuiltStore): Damage {
  const kind = random.pick(NAMES);
  const apply = KINDS[kind] as Apply;
  return { kind, ...apply(Buffer.from(store.data), random, store, foreign) };
}
