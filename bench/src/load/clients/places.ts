/** The group that a call of a writer goes to; its calls are numbered from 1. */
export type Places = (call: number) => string;

/** Odd and no multiple of 5: with numbers of groups that are powers of 2 and 10, so many steps meet each group once. */
const STEP = 61_803;

/** Writes to `group`, or round so many groups, in an order in which neighbours by number are far apart in time. */
export function placesOf({ group, groups }: { readonly group: string; readonly groups?: number }): Places {
  return groups === undefined ? () => group : (call) => `${group}-${(call * STEP) % groups}`;
}
