import type { Random } from '@rivulet/testkit/random';
import type { BuiltStore } from './built-store.js';

const PAGE = 4_096;
const SECTOR = 512;
const MARKER = 'marker';

/** One damage of a store. */
export interface Damage {
  readonly kind: string;
  readonly text: string;
  readonly data: Buffer;
  readonly marker: Buffer;
  /** Another file has taken the place of the whole data file. */
  readonly isOther: boolean;
}

type Apply = (data: Buffer, random: Random, store: BuiltStore, foreign: BuiltStore) => Pick<Damage, 'data' | 'text'> & Partial<Damage>;

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
    bytesOf(random, PAGE).copy(data, page * PAGE);
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
    const texts = [Buffer.alloc(0), Buffer.from('{"this":"is no database"}'), bytesOf(random, data.length), foreign.earlier[0] ?? data];
    const index = random.below(texts.length + 1);
    const whole = texts[index];
    if (whole !== undefined) return { data: whole, text: `foreign file ${index}`, isOther: true };
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

/** Damages of the marker, a file beside the data file. */
function damageOfMarker(random: Random, { marker }: BuiltStore): { readonly marker: Buffer; readonly text: string } {
  const damaged = Buffer.from(marker);
  const at = random.below(damaged.length);
  switch (random.below(4)) {
    case 0:
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8));
      return { marker: damaged, text: `marker, byte ${at} flipped` };
    case 1:
      return { marker: damaged.subarray(0, at), text: `marker, cut to ${at} bytes` };
    case 2:
      return { marker: bytesOf(random, damaged.length), text: 'marker, random' };
    default:
      damaged.fill(0, at);
      return { marker: damaged, text: `marker, zeroed from ${at} on` };
  }
}

/** Returns the files of a store with one damage, which the numbers of `random` choose. */
export function damageOf(random: Random, store: BuiltStore, foreign: BuiltStore): Damage {
  const kind = random.pick([...NAMES, MARKER]);
  if (kind === MARKER) return { kind, data: store.data, isOther: false, ...damageOfMarker(random, store) };
  const apply = KINDS[kind] as Apply;
  return { kind, marker: store.marker, isOther: false, ...apply(Buffer.from(store.data), random, store, foreign) };
}

function bytesOf(random: Random, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = random.below(256);
  return bytes;
}
