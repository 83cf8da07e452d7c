import type { Position, StreamChangeFrame, StreamEventFrame } from '@rivulet/protocol';
import { Listeners } from './listeners.js';
import { type Item, Mirror } from './mirror.js';

/** What happened to one item, told once, in the order of offsets. While catching up one change may stand for several: the newest value counts. */
export type Change<T> =
  | { readonly type: 'create'; readonly id: string; readonly data: T; readonly offset: number }
  /** `old`: what the client held before. */
  | { readonly type: 'update'; readonly id: string; readonly data: T; readonly old: T; readonly offset: number }
  | { readonly type: 'delete'; readonly id: string; readonly old: T; readonly offset: number };

/** Sent with `stream::send`. It is nowhere kept: who is not connected may miss it, which `onGap` tells. */
export interface StreamEvent {
  readonly name: string;
  readonly data: unknown;
  /** Of the item that it was addressed to. */
  readonly id: string | undefined;
  /** Absent with servers that have no positions. */
  readonly offset: number | undefined;
}

/** All items were replaced at once; what was derived from changes is to be derived anew from `items`. */
export interface Reset {
  /** `first`: nothing was known before. `restored`: from the persistent store. `sync`: a server without positions. Else why the server could not continue (RV-8). */
  readonly reason: 'first' | 'restored' | 'sync' | (string & NonNullable<unknown>);
  readonly position: Position | undefined;
}

/** Events with offsets in (`after`, `through`] were lost, `count` of them if that is known; or, without a count, may have been. */
export interface Gap {
  readonly after: number;
  readonly through: number;
  readonly count: number | undefined;
}

/** Hears what a persistent copy has to follow. */
export interface Journal {
  replaced(): void;
  changed(id: string): void;
  /** The position has changed, after everything that leads to it. */
  moved(): void;
}

/** What the client holds of one target, and who is told. Everything that belongs together is applied before anyone is told of any of it. */
export class Replica {
  readonly changes = new Listeners<Change<unknown>>();
  readonly events = new Listeners<StreamEvent>();
  readonly resets = new Listeners<Reset>();
  readonly gaps = new Listeners<Gap>();
  readonly mirror = new Mirror<unknown>();
  readonly #changed: () => void;
  #position: Position | undefined;
  #known = false;
  journal: Journal | undefined;

  /** `changed` is called after each step, before it is told. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Everything up to its offset is in here. Absent with servers that have no positions. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Whether it holds a state at all, be it an old one. */
  get known(): boolean {
    return this.#known;
  }

  replace(items: Iterable<Item<unknown>>, position: Position | undefined, reason: string | undefined): void {
    const why = reason ?? (this.#known ? 'sync' : 'first');
    this.mirror.clear();
    for (const item of items) this.mirror.set(item);
    this.#known = true;
    this.#position = position;
    this.journal?.replaced();
    this.#changed();
    this.resets.emit({ reason: why, position });
  }

  /** One step. Frames in ascending order; `offset` becomes the position, unless it lies before it. */
  apply(frames: readonly (StreamChangeFrame | StreamEventFrame)[], offset: number): void {
    const changes = frames.map((frame) => (frame.type === 'event' ? undefined : this.#change(frame, frame.offset ?? offset)));
    const position = this.#position;
    if (position !== undefined && offset > position.offset) this.#position = { epoch: position.epoch, offset };
    this.journal?.moved();
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
      // Created and deleted while nobody looked.
      if (old === undefined) return undefined;
      this.mirror.delete(id);
      this.journal?.changed(id);
      return { type, id, old: old.data, offset };
    }
    const created = frame.created ?? (type === 'update' ? old?.created : undefined) ?? offset;
    this.mirror.set({ id, data, created, offset });
    this.journal?.changed(id);
    return old === undefined ? { type: 'create', id, data, offset } : { type: 'update', id, data, old: old.data, offset };
  }
}
