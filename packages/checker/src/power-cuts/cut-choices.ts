import type { Random } from '@rivulet/testkit/random';
import type { CutChoices } from './disk-model.js';
import { PAGE_SECTORS, type SectorChoice, type SectorVersion } from './file-model.js';

/** The part of the writes after the last sync that a power cut leaves. Each returns a choice for one file. */
const VARIANTS: Readonly<Record<string, (random: Random) => SectorChoice>> = {
  nothing: () => () => 0,
  everything:
    () =>
    (_sector, { length }) =>
      length,
  // LMDB keeps the roots of its trees in the first two pages, and everything else behind them.
  'roots only':
    () =>
    (sector, { length }) =>
      sector < 2 * PAGE_SECTORS ? length : 0,
  'all but roots':
    () =>
    (sector, { length }) =>
      sector < 2 * PAGE_SECTORS ? 0 : length,
  'random sectors':
    (random) =>
    (_sector, { length }) =>
      random.between(0, length),
  'random pages': (random) => pages((versions) => random.between(0, versions)),
  'most pages': (random) => pages((versions) => (random.chance(0.9) ? versions : random.between(0, versions))),
  'few pages': (random) => pages((versions) => (random.chance(0.1) ? versions : 0)),
  'until a moment': (random) => {
    let until: number | undefined;
    return (_sector, versions) => {
      until ??= (versions.at(-1)?.moment ?? 0) - random.below(4);
      return countUntil(versions, until);
    };
  },
  'torn write': (random) => {
    let last: number | undefined;
    return (_sector, versions) => {
      last ??= versions.at(-1)?.moment ?? 0;
      return random.chance(0.5) ? versions.length : countUntil(versions, last - 1);
    };
  },
};

export const VARIANT_NAMES: readonly string[] = Object.keys(VARIANTS);

export function choicesOf(variant: string, random: Random): CutChoices {
  const choose = VARIANTS[variant];
  if (choose === undefined) throw new Error(`there is no variant ${variant}`);
  const all = variant === 'everything';
  const pick = (pending: number) => (all ? pending : random.between(0, pending));
  return { sector: () => choose(random), sizes: (_path, pending) => pick(pending), entries: (_directory, pending) => pick(pending) };
}

/** All sectors of a page have the same age. */
function pages(choose: (versions: number) => number): SectorChoice {
  const ages = new Map<number, number>();
  return (sector, versions) => {
    const page = Math.floor(sector / PAGE_SECTORS);
    let age = ages.get(page);
    if (age === undefined) {
      const count = choose(versions.length);
      age = count === 0 ? -1 : count === versions.length ? Number.POSITIVE_INFINITY : (versions[count - 1]?.moment ?? -1);
      ages.set(page, age);
    }
    return countUntil(versions, age);
  };
}

function countUntil(versions: readonly SectorVersion[], moment: number): number {
  return versions.findLastIndex((version) => version.moment <= moment) + 1;
}
