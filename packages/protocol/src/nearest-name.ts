/** The longest name that is compared. The comparison takes quadratic time. */
const COMPARED_CHARS = 100;
/** The longest name that may differ in one place only. With two places, `meta` would count as a mistake for `data`. */
const SHORT = 4;
/** The shortest beginning that counts. */
const LEAST_PREFIX = 3;

/** Returns the known name that a misspelt name most likely means, or `undefined` if no name is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  return nearestWithin(name, known, () => Math.max(2, Math.floor(name.length / 4)));
}

/**
 * Returns the known name that an unknown name probably means, or `undefined` if there is none. A known name is near if it differs in at
 * most two places (in one place for short names), or if one of the two names begins with the other. Case does not count.
 */
export function nearMiss(name: string, known: Iterable<string>): string | undefined {
  const candidates = [...known];
  const near = nearestWithin(name, candidates, (candidate) => placesOf(Math.min(name.length, candidate.length)));
  return near ?? candidates.find((candidate) => isBeginning(name, candidate) || isBeginning(candidate, name));
}

/** Returns in how many places a name of this length may differ. It is always fewer than all of them. */
function placesOf(length: number): number {
  return length > SHORT ? 2 : Math.min(1, length - 1);
}

function isBeginning(beginning: string, name: string): boolean {
  return beginning.length >= LEAST_PREFIX && name.toLowerCase().startsWith(beginning.toLowerCase());
}

function nearestWithin(name: string, known: Iterable<string>, most: (candidate: string) => number): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const bound = Math.min(most(candidate), bestDistance - 1);
    if (Math.abs(name.length - candidate.length) > bound) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance > bound) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** Returns the least number of insertions, deletions, replacements and swaps of neighbours that turn one text into the other. */
function editDistance(left: string, right: string): number {
  if (left.length > COMPARED_CHARS || right.length > COMPARED_CHARS) return Number.POSITIVE_INFINITY;
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      const replaced = (last[column - 1] ?? 0) + (same ? 0 : 1);
      const swapped = isSwap(left, row, right, column) ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min(replaced, swapped, (last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    beforeLast = last;
    last = current;
  }
  return last[right.length] ?? 0;
}

function isSwap(left: string, row: number, right: string, column: number): boolean {
  return row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
}
