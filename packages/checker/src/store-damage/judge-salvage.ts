import type { BuiltStore } from './built-store.js';
import type { ObservedSalvage } from './observe-salvage.js';

const PAGE = 4_096;

/** Numbers of items, over one or more damages. */
export interface SalvageCounts {
  /** Items whose own pages the damage did not touch, and how many of them came back with their value. */
  readonly undamaged: number;
  readonly returned: number;
  /** All items, and how many of them came back with their value. */
  readonly items: number;
  readonly returnedItems: number;
  /** Items that came back with an older value, and deleted items that came back. */
  readonly older: number;
  readonly revived: number;
}

export const NO_COUNTS: SalvageCounts = { undamaged: 0, returned: 0, items: 0, returnedItems: 0, older: 0, revived: 0 };

export function addCounts(a: SalvageCounts, b: SalvageCounts): SalvageCounts {
  return {
    undamaged: a.undamaged + b.undamaged,
    returned: a.returned + b.returned,
    items: a.items + b.items,
    returnedItems: a.returnedItems + b.returnedItems,
    older: a.older + b.older,
    revived: a.revived + b.revived,
  };
}

/** Returns the pages that differ between a built file and its damaged copy. */
export function touchedPages(built: Buffer, damaged: Buffer): ReadonlySet<number> {
  const touched = new Set<number>();
  for (let at = 0; at < built.length; at += PAGE)
    if (!built.subarray(at, at + PAGE).equals(damaged.subarray(at, at + PAGE))) touched.add(at / PAGE);
  return touched;
}

/** Compares a salvaged store with what its writers left. A broken promise is a violation; a lost item is counted. */
export function judgeSalvage(
  { groups }: Pick<BuiltStore, 'groups'>,
  touched: ReadonlySet<number>,
  salvaged: ObservedSalvage,
): { readonly counts: SalvageCounts; readonly violations: readonly string[] } {
  const violations: string[] = [];
  const counts = { ...NO_COUNTS };
  if (salvaged.refusal?.startsWith('uncoded') === true) violations.push(`salvage failed without a code: ${salvaged.refusal}`);
  const unnamed = new Set(salvaged.unnamed.map(([item, data]) => `${item} ${data}`));
  for (const [index, { stream, group, items, pages }] of groups.entries()) {
    const found = salvaged.groups[index] ?? [];
    const values = new Map(found);
    const expected = new Map(items);
    for (const [at, [item, data]] of items.entries()) {
      const isBack = values.get(item) === data || unnamed.has(`${item} ${data}`);
      const isTouched = pages[at]?.some((page) => touched.has(page)) === true;
      counts.items++;
      if (isBack) counts.returnedItems++;
      else if (values.has(item)) counts.older++;
      if (isTouched) continue;
      counts.undamaged++;
      if (isBack) counts.returned++;
    }
    // An older record also has the place of an older moment.
    const order = items.filter(([item, data]) => values.get(item) === data).map(([item]) => item);
    const listed = found.filter(([item, data]) => expected.get(item) === data).map(([item]) => item);
    counts.revived += found.filter(([item]) => !expected.has(item)).length;
    if (order.join() !== listed.join()) violations.push(`salvage has ${stream}/${group} in another order`);
  }
  if (counts.older + counts.revived > salvaged.unconfirmed)
    violations.push(`salvage returned ${counts.older + counts.revived} older values, and reported ${salvaged.unconfirmed}`);
  return { counts, violations };
}
