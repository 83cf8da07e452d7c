import type { Position, StreamChangeFrame, StreamEventFrame } from '@rivulet/protocol';
import { Listeners } from './listeners.js';
import { type Item, Mirror } from './mirror.js';

/**
 * A change of one item. Each change is reported once, in the order of offsets. While the client catches up, one change may stand for
 * several changes of the item. It then has the newest value.
 */
export type Change<T> =
  | { readonly type: 'create'; readonly id: string; readonly data: T; readonly offset: number }
  /** `old`: the value that the client held before. */
  | { readonly type: 'update'; readonly id: string; readonly data: T; readonly old: T; readonly offset: number }
  | { readonly type: 'delete'; readonly id: string; readonly old: T; readonly offset: number };

/**
 * An event that a worker sent with `stream::send`. It is not stored, so a client without a connection may miss it. `onGap` reports that.
 */
export interface StreamEvent {
  readonly name: string;
  readonly data: unknown;
  /** The item that the event was addressed to. `undefined`: the whole group. */
  readonly id: string | undefined;
  /** `undefined` with a server without positions. */
  readonly offset: number | undefined;
}

/** A replacement of all items at once. Values that you derived from changes must be derived again from `items`. */
export interface Reset {
  /**
   * - `first`: the client knew nothing before.
   * - `restored`: the items come from the persistent copy.
   * - `sync`: the server has no positions.
   * - Any other value is the reason why the server could not continue (RV-8).
   */
  readonly reason: 'first' | 'restored' | 'sync' | (string & NonNullable<unknown>);
  readonly position: Position | undefined;
}

/**
 * Lost events. Their offsets are above `after` and at most `through`. `count` is the number of lost events. Without a count, events may
 * have been lost or not.
 */
export interface Gap {
  readonly after: number;
  readonly through: number;
  readonly count: number | undefined;
}

/** Receives what a persistent copy must save. */
export interface Journal {
  /** Called when all items were replaced. */
  replaced(): void;
  /** Called when one item was changed or deleted. */
  changed(id: string): void;
  /** Called when the position has changed, after all changes that lead to it. */
  moved(): void;
}

/** The items that views show. */
export interface ShownItems {
  /** The same array until an item changes. */
  readonly items: readonly Item<unknown>[];
  readonly size: number;
  get(id: string): Item<unknown> | undefined;
}

/** Shows other items than those of the mirror, while calls are pending. */
export interface ItemOverlay extends ShownItems {
  /** Called after frames were applied, before the listeners run. */
  moved(): void;
  /**
   * Called after all items were replaced, before the listeners run. `before`: the last position. `isSync`: the items came from the server
   * now.
   */
  replaced(before: Position | undefined, isSync: boolean): void;
}

/**
 * The state that the client holds of one target, and the listeners for its changes. Frames that belong together are applied in one step,
 * and the listeners run after the step. So a listener never sees half of a batch.
 */
export class Replica {
  readonly changes = new Listeners<Change<unknown>>();
  readonly events = new Listeners<StreamEvent>();
  readonly resets = new Listeners<Reset>();
  readonly gaps = new Listeners<Gap>();
  readonly mirror = new Mirror<unknown>();
  readonly #changed: (isUrgent?: boolean) => void;
  #position: Position | undefined;
  #known = false;
  journal: Journal | undefined;
  overlay: ItemOverlay | undefined;

  /** `changed` is called after each step, before the listeners run. */
  constructor(changed: (isUrgent?: boolean) => void) {
    this.#changed = changed;
  }

  /** The position at which the items are true. `undefined` before the first state, and with a server without positions. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Whether the replica holds a state, which may be an old one. */
  get known(): boolean {
    return this.#known;
  }

  /** The items for views. Listeners of changes and the persistent copy get those of the mirror. */
  get shown(): ShownItems {
    return this.overlay ?? this.mirror;
  }

  /** Tells the views that they show other items, because the overlay has changed. `isUrgent`: the user has just made the change. */
  notify(isUrgent = false): void {
    this.#changed(isUrgent);
  }

  /** Replaces all items. Without `reason` the server has no positions. */
  replace(items: Iterable<Item<unknown>>, position: Position | undefined, reason: string | undefined): void {
    const why = reason ?? (this.#known ? 'sync' : 'first');
    this.mirror.clear();
    for (const item of items) this.mirror.set(item);
    this.#known = true;
    const before = this.#position;
    this.#position = position;
    this.journal?.replaced();
    this.overlay?.replaced(before, why !== 'restored' && why !== 'initial');
    this.#changed();
    this.resets.emit({ reason: why, position });
  }

  /** Applies frames in one step. They must be in ascending order. `offset` becomes the position, unless the position is ahead of it. */
  apply(frames: readonly (StreamChangeFrame | StreamEventFrame)[], offset: number): void {
    const changes = frames.map((frame) => (frame.type === 'event' ? undefined : this.#change(frame, frame.offset ?? offset)));
    const position = this.#position;
    if (position !== undefined && offset > position.offset) this.#position = { epoch: position.epoch, offset };
    this.journal?.moved();
    this.overlay?.moved();
    this.#changed();
    for (const [index, frame] of frames.entries()) {
      const change = changes[index];
      if (change !== undefined) this.changes.emit(change);
      else if (frame.type === 'event') this.events.emit({ name: frame.name, data: frame.data, id: frame.itemId, offset: frame.offset });
    }
  }

  #change(frame: StreamChangeFrame, offset: number): Change<unknown> | undefined {
    const { itemId: id, data, type } = frame;
    const old = this.mirror.get(id);
    if (type === 'delete') {
      // The item was created and deleted while the client was not connected.
      if (old === undefined) return undefined;
      this.mirror.delete(id);
      this.journal?.changed(id);
      return { type, id, old: old.data, offset };
    }
    const { created: at = type === 'update' ? old?.created : undefined } = frame;
    // An item that existed at the position is the same item. It keeps its place, because an initial state does not say when it was created.
    const created = old !== undefined && at !== undefined && at <= (this.#position?.offset ?? -1) ? old.created : (at ?? offset);
    this.mirror.set({ id, data, created, offset });
    this.journal?.changed(id);
    return old === undefined ? { type: 'create', id, data, offset } : { type: 'update', id, data, old: old.data, offset };
  }
}
