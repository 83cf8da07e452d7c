import { type StoreState, type Tables, writeState } from './store-lmdb-batch.js';
import type { HeadCache } from './store-lmdb-heads.js';
import {
  decodeItem,
  decodeText,
  decodeVersion,
  encodeHead,
  type Head,
  headKey,
  itemKey,
  numberAt,
  numbersKey,
  splitHeadKey,
} from './store-lmdb-records.js';

/** Tombstones that one sweep removes. */
const SWEPT_AT_ONCE = 2_000;

/**
 * Inside a write transaction: removes tombstones of deletes before `oldest` and raises the floor of their groups; a head goes with
 * its last tombstone when no items are left, and the store remembers how far it had come. The answer adopts the new heads and runs
 * after the commit.
 */
export function sweepTombstones(tables: Tables, heads: HeadCache, state: StoreState, oldest: number): () => void {
  const touched = new Map<string, { stream: string; group: string; head: Head }>();
  const end = numbersKey(Math.max(0, oldest), 0, 0);
  const graves = [...tables.tombstones.getRange({ end, limit: SWEPT_AT_ONCE })];
  for (const { key, value } of graves) {
    tables.tombstones.remove(key);
    const name = decodeText(key, value);
    const ref = splitHeadKey(Buffer.from(name));
    const head = touched.get(name)?.head ?? copy(heads.get(ref));
    if (head === undefined || head.number !== numberAt(key, 1)) continue;
    touched.set(name, { ...ref, head });
    const changed = numberAt(key, 2);
    head.floor = Math.max(head.floor, changed);
    removeTombstone(tables, head.number, changed);
  }
  const next = { ...state };
  const gone = [...touched.values()].filter(({ head }) => head.items === 0 && !hasVersions(tables, head.number));
  for (const { stream, group, head } of touched.values()) {
    const key = headKey(stream, group);
    if (gone.some((each) => each.head === head)) {
      tables.heads.remove(key);
      next.removedOffset = Math.max(next.removedOffset, head.offset, head.reserved);
      next.removedTimestamp = Math.max(next.removedTimestamp, head.timestamp);
    } else tables.heads.put(key, encodeHead(key, head));
  }
  if (gone.length > 0) writeState(tables.meta, next);
  return () => {
    Object.assign(state, next);
    for (const entry of touched.values()) {
      if (gone.includes(entry)) heads.forget(entry);
      else heads.set(entry, entry.head, true);
    }
  };
}

/** A delete that was followed by a new item of the same id has left no tombstone. */
function removeTombstone(tables: Tables, group: number, changed: number): void {
  const version = numbersKey(group, changed);
  const record = tables.versions.get(version);
  if (record === undefined) return;
  const { live, item } = decodeVersion(version, record);
  if (live) return;
  tables.versions.remove(version);
  const key = itemKey(group, item);
  const marker = tables.items.get(key);
  if (marker !== undefined && !decodeItem(key, marker).live) tables.items.remove(key);
}

function hasVersions(tables: Tables, group: number): boolean {
  const range = { start: numbersKey(group, 0), end: numbersKey(group + 1, 0), limit: 1 };
  for (const _ of tables.versions.getRange(range)) return true;
  return false;
}

function copy(head: Head | undefined): Head | undefined {
  return head === undefined ? undefined : { ...head };
}
