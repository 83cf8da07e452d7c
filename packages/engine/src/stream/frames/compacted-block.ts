import type { ChangeEntry, GroupRef } from '../../store/store.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { FrameEncoder } from './frame-encoder.js';

/** Chooses the items whose changes a reader gets. */
export interface EntryFilter {
  /** The reader wants every item. */
  readonly wantsAll: boolean;
  wants(item: string): boolean;
}

/**
 * Finished frames of some changed items, in offset order, for every cursor at or after `from`. Some items were created after `from` and
 * changed later. Such an item is a `create` for a cursor before its creation, and an `update` for a later cursor; the block holds both.
 */
export class CompactedBlock {
  readonly #bytes: Buffer;
  readonly #entries: readonly Entry[];
  /** Offset below which every cursor gets the block as it is. */
  readonly #sharedBelow: number;

  constructor(entries: readonly Entry[]) {
    this.#bytes = Buffer.concat(entries.map(({ frame }) => frame));
    let at = 0;
    let sharedBelow = Number.POSITIVE_INFINITY;
    this.#entries = entries.map((entry) => {
      const frame = this.#bytes.subarray(at, at + entry.frame.length);
      at += frame.length;
      if (entry.update !== undefined) sharedBelow = Math.min(sharedBelow, entry.created);
      return { ...entry, frame };
    });
    this.#sharedBelow = sharedBelow;
  }

  /** Offset of the last change in the block. */
  get last(): number {
    return this.#entries.at(-1)?.changed ?? 0;
  }

  /** Returns the frames for a cursor at `since`, or `undefined` when there are none. The buffer may be shared. */
  framesFor(since: number, filter: EntryFilter): Buffer | undefined {
    const first = this.#entries.findIndex(({ changed }) => changed > since);
    if (first === -1) return undefined;
    const { wantsAll } = filter;
    if (wantsAll && since < this.#sharedBelow) return first === 0 ? this.#bytes : this.#bytes.subarray(this.#startOf(first));
    const chosen: Buffer[] = [];
    for (const { item, created, frame, update } of this.#entries.slice(first)) {
      if (wantsAll || filter.wants(item)) chosen.push(update === undefined || created > since ? frame : update);
    }
    return chosen.length === 0 ? undefined : Buffer.concat(chosen);
  }

  #startOf(index: number): number {
    let at = 0;
    for (let before = 0; before < index; before++) at += this.#entries[before]?.frame.length ?? 0;
    return at;
  }
}

/** A changed item with its finished frames. */
export interface Entry {
  readonly item: string;
  readonly changed: number;
  readonly created: number;
  readonly frame: Buffer;
  /** Replaces `frame` for a cursor at or after `created`; `undefined` when `frame` is for every cursor. */
  readonly update: Buffer | undefined;
}

/** Encodes one entry for every cursor at or after `from`. */
export function encodeEntry(frames: FrameEncoder, ref: GroupRef, entry: ChangeEntry, from: number, timestamp: number): Entry {
  const { item, changed, created } = entry;
  const frame = encodeTextFrame(frames.compacted(ref, entry, from, timestamp));
  const both = entry.kind === 'item' && created > from && created < changed;
  const update = both ? encodeTextFrame(frames.compacted(ref, entry, created, timestamp)) : undefined;
  return { item, changed, created, frame, update };
}

/** Bytes that an entry costs beside its frames: objects and array slots. */
const ENTRY_BYTES = 240;

/** Returns the bytes that an entry is charged for. */
export function bytesOf({ frame, update }: Entry): number {
  return ENTRY_BYTES + frame.length + (update?.length ?? 0);
}
