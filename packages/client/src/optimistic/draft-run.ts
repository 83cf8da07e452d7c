import { StreamError } from '../access/stream-error.js';
import type { CallGroup, Draft, DraftGroup } from '../calls/call-types.js';
import type { Item } from '../subscription/mirror.js';
import { keyOf } from './draft-layer.js';
import { type Effect, type Effects, itemAfter, merge } from './effects.js';

/** The items of one group that a draft can read. */
export interface DraftBase {
  items(): readonly Item<unknown>[];
  get(id: string): Item<unknown> | undefined;
}

/** The result of one run of a draft function. */
export interface DraftRun {
  /** The groups that the function has named. */
  readonly named: ReadonlySet<string>;
  /** The groups in which it has called a method that changes items, with its effects. */
  readonly changed: ReadonlyMap<string, CallGroup & { readonly effects: Effects }>;
}

/** Runs a draft function. `baseOf` gets the key of a group. Throws what the function throws. */
export function runDraft(change: (draft: Draft) => void, baseOf: (key: string) => DraftBase, order: number): DraftRun {
  const groups = new Map<string, DraftedGroup>();
  let isOver = false;
  const check = () => {
    if (isOver) throw new StreamError('INVALID_OPTIONS', 'a draft can be used only while its function runs');
  };
  const draft: Draft = {
    group<T>(stream: string, group: string): DraftGroup<T> {
      check();
      const key = keyOf({ stream, group });
      let drafted = groups.get(key);
      if (drafted === undefined) {
        drafted = new DraftedGroup(stream, group, baseOf(key), order, check);
        groups.set(key, drafted);
      }
      return drafted as DraftGroup<unknown> as DraftGroup<T>;
    },
  };
  try {
    const returned: unknown = change(draft);
    if (returned instanceof Promise) {
      returned.catch(() => {});
      throw new StreamError('INVALID_OPTIONS', 'a draft function must change the draft at once, and not return a promise');
    }
  } finally {
    isOver = true;
  }
  return { named: new Set(groups.keys()), changed: new Map([...groups].filter(([, { isChanged }]) => isChanged)) };
}

/** Returns whether two runs have changed the same item. */
export function haveSameItem(one: DraftRun, other: DraftRun): boolean {
  return [...one.changed].some(([key, { effects }]) => [...effects.keys()].some((id) => other.changed.get(key)?.effects.has(id)));
}

class DraftedGroup implements DraftGroup<unknown> {
  readonly stream: string;
  readonly group: string;
  readonly effects = new Map<string, Effect>();
  isChanged = false;
  readonly #base: DraftBase;
  readonly #order: number;
  readonly #check: () => void;

  constructor(stream: string, group: string, base: DraftBase, order: number, check: () => void) {
    this.stream = stream;
    this.group = group;
    this.#base = base;
    this.#order = order;
    this.#check = check;
  }

  get items(): readonly Item<unknown>[] {
    this.#check();
    return merge(this.#base.items(), new Map(Array.from(this.effects.keys(), (id) => [id, this.get(id)])));
  }

  get(id: string): Item<unknown> | undefined {
    this.#check();
    const before = this.#base.get(id);
    return this.effects.has(id) ? itemAfter(this.effects.get(id), id, before, this.#order) : before;
  }

  set(id: string, data: unknown): void {
    this.#set(id, { data });
  }

  update(id: string, change: (old: unknown) => unknown): void {
    const before = this.get(id);
    if (before === undefined) this.isChanged = true;
    else this.#set(id, { data: change(before.data) });
  }

  delete(id: string): void {
    this.#set(id, undefined);
  }

  #set(id: string, effect: Effect): void {
    this.#check();
    this.isChanged = true;
    this.effects.set(id, effect);
  }
}
