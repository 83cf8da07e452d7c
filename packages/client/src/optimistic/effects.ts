import type { Item } from '../subscription/mirror.js';

/** The end of an item in a draft: its data, or `undefined` when the draft deletes the item. */
export type Effect = { readonly data: unknown } | undefined;

/** The effects on the items of one group, by id. */
export type Effects = ReadonlyMap<string, Effect>;

/** Items in place of those of the base, by id. `undefined`: the item is not shown. */
export type Overlaid = ReadonlyMap<string, Item<unknown> | undefined>;

/** The least `created` of an item that only a draft has created. It is above each offset that a group reaches. */
const DRAFTED = 2 ** 52;

/** Returns the item that a draft leaves. `order`: the number of the call. Items of later calls come later. */
export function itemAfter(effect: Effect, id: string, before: Item<unknown> | undefined, order: number): Item<unknown> | undefined {
  if (effect === undefined) return undefined;
  const { created, offset } = before ?? { created: DRAFTED + order, offset: DRAFTED + order };
  return { id, data: effect.data, created, offset, pending: true };
}

/** Returns the items of a base with those of an overlay. New items come last, in the order of their calls. */
export function merge(base: readonly Item<unknown>[], overlaid: Overlaid): readonly Item<unknown>[] {
  if (overlaid.size === 0) return base;
  const items: Item<unknown>[] = [];
  for (const item of base) {
    const shown = overlaid.has(item.id) ? overlaid.get(item.id) : item;
    if (shown?.created === item.created) items.push(shown);
  }
  const drafted = [...overlaid.values()].filter((item) => item !== undefined).filter(({ created }) => created >= DRAFTED);
  return [...items, ...drafted.sort((a, b) => a.created - b.created)];
}

/** Returns whether two values are the same JSON. */
export function isSameData(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Returns whether an item is what an effect leaves. */
export function isMet(effect: Effect, item: Item<unknown> | undefined): boolean {
  return effect === undefined || item === undefined ? effect === undefined && item === undefined : isSameData(effect.data, item.data);
}
