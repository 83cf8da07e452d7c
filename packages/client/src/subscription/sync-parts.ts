import type { GroupSyncFrame, ItemSyncFrame, Position } from '@rivulet/protocol';
import type { Item } from './mirror.js';

/** Collects the state of a group, which the engine sends in parts (RV-11). A state in one frame has one part. */
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

  /** Adds the next part. Returns false, and adds nothing, if the frame is not the next part of the same state. */
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
 * Returns the items of a `sync` that has no ids. The member `id` of a value is its id, as the official clients have it. A value without
 * this member gets an id that no other item can have, so later frames never match it.
 */
export function itemsOfGroup(data: readonly unknown[], count: () => number): readonly Item<unknown>[] {
  return data.map((value) => {
    const created = count();
    const named = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
    const id = typeof named === 'string' || typeof named === 'number' ? String(named) : `\u0000${created}`;
    return { id, data: value, created, offset: created };
  });
}

/** Returns the item of a `sync` to a single item. */
export function itemsOfItem({ itemId, data, position }: ItemSyncFrame, created: number): readonly Item<unknown>[] {
  return [{ id: itemId, data, created, offset: position?.offset ?? created }];
}
