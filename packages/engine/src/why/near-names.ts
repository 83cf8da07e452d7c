/** Names that an answer shows. */
const SHOWN = 3;
/** Longest name that is compared letter by letter. */
const MOST_CHARS = 64;

/** Returns the names that differ from `name` by at most two letters, by case, or in an end. The nearest comes first. */
export function nearNames(name: string, others: Iterable<string>): readonly string[] {
  const found: { readonly name: string; readonly distance: number }[] = [];
  for (const other of others) {
    const distance = distanceOf(name.toLowerCase(), other.toLowerCase());
    if (distance <= 2) found.push({ name: other, distance });
  }
  return found
    .toSorted((one, next) => one.distance - next.distance)
    .slice(0, SHOWN)
    .map((each) => each.name);
}

/** Returns the number of letters to add, remove or replace; 2 for a name that is the beginning of the other one. */
function distanceOf(one: string, other: string): number {
  if (one === other) return 0;
  if (Math.abs(one.length - other.length) > 2 || one.length > MOST_CHARS || other.length > MOST_CHARS)
    return one.startsWith(other) || other.startsWith(one) ? 2 : Number.POSITIVE_INFINITY;
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at++) {
    const next = [at];
    for (let to = 1; to <= other.length; to++) {
      const replaced = (row[to - 1] ?? 0) + Number(one[at - 1] !== other[to - 1]);
      next.push(Math.min(replaced, (row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? Number.POSITIVE_INFINITY;
}
