/** Returns the group for a call of a writer. The calls are numbered from 1. */
export type Places = (call: number) => string;

/** Step between two groups. It is odd and no multiple of 5, so that it meets each group once when their number is a power of 2 or 10. */
const STEP = 61_803;

/** Returns `group`, or one of several groups in turn. Groups with neighbouring numbers are far apart in time. */
export function placesOf({ group, groups }: { readonly group: string; readonly groups?: number }): Places {
  return groups === undefined ? () => group : (call) => `${group}-${(call * STEP) % groups}`;
}
