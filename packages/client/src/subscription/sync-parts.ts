import type { GroupSyncFrame, ItemSyncFrame, Position } from '@rivulet/protocol';
import type { Item } from './mirror.js';

/** The state of a group that comes in parts (RV-11). One that comes whole is its own only part. */
export class SyncParts {
  readonly position: Position;
  readonly reason: string | undefined;
  readonly #items: Item<unknown>[] = [];
  #next = 1;

  constructor(first: GroupSyncFrame, position: Position, ids: readonly string[], created: readonly number[]) {
    this.position = position;
    this.reason = first.reason;
    this.#push(first, ids, created);
  }

  /** False when it is not the next part of the same state. */
  add(frame: GroupSyncFrame, ids: readonly string[], created: readonly number[]): boolean {
    const { position } = frame;
    if (frame.part !== this.#next || position?.offset !== this.position.offset || position.epoch !== this.position.epoch) return false;
    this.#next++;
    this.#push(frame, ids, created);
    return true;
  }

  items(): readonly Item<unknown>[] {
    return this.#items;
  }

  #push({ data }: GroupSyncFrame, ids: readonly string[], created: readonly number[]): void {
    const { offset } = this.position;
    for (const [index, id] of ids.entries()) this.#items.push({ id, data: data[index], created: created[index] ?? offset, offset });
  }
}

/**
 * The items of a `sync` that names none: the member `id` of a value does, as existing clients have it. Values without one can't be told apart
 * later and get names that no item has.
 */
export function itemsOfGroup(data: readonly unknown[], count: () => number): readonly Item<unknown>[] {
  return data.map((value) => {
    const created = count();
    const named = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
    const id = typeof named === 'string' || typeof named === 'number' ? String(named) : `\u0000${created}`;
    return { id, data: value, created, offset: created };
  });
}

export function itemsOfItem({ itemId, data, position }: ItemSyncFrame, created: number): readonly Item<unknown>[] {
  return [{ id: itemId, data, created, offset: position?.offset ?? created }];
}
