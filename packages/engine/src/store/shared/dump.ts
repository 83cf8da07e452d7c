import type { JsonText } from '@rivulet/protocol';
import type { GroupRef } from '../store.js';

/**
 * The content of a store, as the tools that export and import carry it. A source yields groups, and each group its items in the order of
 * their creation. Tombstones and idempotency keys are not part of it.
 */
export interface DumpSource {
  readonly store: DumpedStore;
  /** Yields each group once. Read the items of a group before the next group. */
  groups(): AsyncIterable<DumpedGroup>;
  close(): Promise<void>;
}

/** A store that can be read as a whole while it works. */
export interface DumpableStore {
  /** Throws STORE_UNAVAILABLE when the store is not open. */
  dump(): DumpSource;
}

/** Returns the content of a store; `undefined` when it cannot be read as a whole while it works. */
export function dumpOf(store: object): DumpSource | undefined {
  return 'dump' in store && typeof store.dump === 'function' ? (store as DumpableStore).dump() : undefined;
}

export interface DumpedStore {
  readonly epoch: string;
  /** The highest offset and timestamp of groups that were forgotten. */
  readonly removedOffset: number;
  readonly removedTimestamp: number;
}

export interface DumpedHead extends GroupRef {
  readonly offset: number;
  /** Unix milliseconds of the last change. */
  readonly timestamp: number;
}

export interface DumpedGroup extends DumpedHead {
  /** Yields the items in chunks. */
  chunks(): AsyncIterable<readonly DumpedItem[]> | Iterable<readonly DumpedItem[]>;
}

export interface DumpedItem {
  readonly item: string;
  readonly data: JsonText;
  /** The offset of the creation. */
  readonly created: number;
  /** The offset of the last change. */
  readonly changed: number;
  /** `undefined` for a permanent item. */
  readonly expiry: DumpedExpiry | undefined;
}

export type DumpedExpiry =
  /** Unix milliseconds at which the item ends. */
  | { readonly kind: 'ttl'; readonly at: number }
  /** The item was leased. It ends this time after the next start, unless its client leases it again. */
  | { readonly kind: 'leased'; readonly graceMs: number };

/** Takes the content of a store. Call the methods in the order of this interface; `add` once for each chunk of the group. */
export interface DumpSink {
  beginGroup(head: DumpedHead): Promise<void>;
  add(items: readonly DumpedItem[]): Promise<void>;
  endGroup(): Promise<void>;
  /** Makes everything durable. `epoch` replaces that of the store; `undefined` begins a new one. */
  finish(store: Omit<DumpedStore, 'epoch'>, epoch: string | undefined): Promise<void>;
  /** Ends the sink, also after a failure. */
  close(): Promise<void>;
}

/** Items of a chunk, and characters of its values. */
const CHUNK_ITEMS = 256;
const CHUNK_CHARS = 1_048_576;

/** Collects items into chunks of bounded size. */
export function* chunksOf(items: Iterable<DumpedItem>): Iterable<readonly DumpedItem[]> {
  let chunk: DumpedItem[] = [];
  let chars = 0;
  for (const item of items) {
    chunk.push(item);
    chars += item.data.length;
    if (chunk.length < CHUNK_ITEMS && chars < CHUNK_CHARS) continue;
    yield chunk;
    chunk = [];
    chars = 0;
  }
  if (chunk.length > 0) yield chunk;
}
