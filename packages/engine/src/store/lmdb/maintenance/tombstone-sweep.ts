import type { GroupRef } from '../../store.js';
import type { HeadCache } from '../tables/head-cache.js';
import {
  decodeHead,
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
} from '../tables/records.js';
import { type StoreState, writeState } from '../tables/store-meta.js';
import type { Tables } from '../tables/tables.js';
import { requireDamage } from './expiry.js';

/** Tombstones that one slice of a sweep removes, and heads that it reads. */
export const SWEPT_AT_ONCE = 2_000;

export interface Sweep {
  /** Takes the new heads over into memory. Call it when the transaction is durable. */
  readonly commitHeads: () => void;
  /** The state of the store after the sweep. */
  readonly state: StoreState;
  /** Number of records that failed their checksum. */
  readonly damaged: number;
  /** Other old tombstones may be left. */
  readonly more: boolean;
  /** The head at which the next sweep begins; `undefined`: at the first one. */
  readonly nextHead: Buffer | undefined;
}

interface GroupHead extends GroupRef {
  readonly head: Head;
}

/**
 * Removes up to `atOnce` tombstones of deletes before `oldest` (Unix milliseconds) and raises the floors of their groups. Call it inside a
 * write transaction.
 *
 * A group without items loses its head together with its last tombstone. Groups that never held an item, such as groups of events only, are
 * checked in turn: each sweep reads `atOnce` heads from `firstHead` on. The store remembers the highest offset and timestamp of removed
 * heads, so that a group that comes back never uses an offset twice.
 *
 * When a record is damaged, its entry in the list of tombstones is removed, so that no later sweep finds it again. The records that the
 * entry should have led to stay.
 */
export function sweepTombstones(
  tables: Tables,
  heads: HeadCache,
  state: StoreState,
  oldest: number,
  firstHead: Buffer | undefined,
  atOnce = SWEPT_AT_ONCE,
): Sweep {
  const touched = new Map<string, GroupHead>();
  const end = numbersKey(Math.max(0, oldest), 0, 0);
  const tombstones = [...tables.tombstones.getRange({ end, limit: atOnce })];
  let damaged = 0;
  for (const { key, value } of tombstones) {
    tables.tombstones.remove(key);
    try {
      const name = decodeText(key, value);
      const ref = splitHeadKey(Buffer.from(name));
      const head = touched.get(name)?.head ?? copy(heads.get(ref));
      if (head === undefined || head.number !== numberAt(key, 1)) continue;
      const changed = numberAt(key, 2);
      touched.set(name, { ...ref, head });
      head.floor = Math.max(head.floor, changed);
      const found = findTombstone(tables, head.number, changed);
      if (found === undefined) continue;
      tables.versions.remove(found.version);
      if (found.marker !== undefined) tables.items.remove(found.marker);
    } catch (error) {
      requireDamage(error);
      damaged++;
    }
  }
  const next = { ...state };
  const removed: GroupHead[] = [];
  const kept: GroupHead[] = [];
  for (const entry of touched.values()) (entry.head.items === 0 && !hasVersions(tables, entry.head.number) ? removed : kept).push(entry);
  for (const { stream, group, head } of kept) {
    const key = headKey(stream, group);
    tables.heads.put(key, encodeHead(key, head));
  }
  const idle = idleHeads(tables, heads, oldest, firstHead, atOnce);
  removed.push(...idle.found.filter(({ stream, group }) => !touched.has(headKey(stream, group).toString())));
  for (const { stream, group, head } of removed) {
    tables.heads.remove(headKey(stream, group));
    next.removedOffset = Math.max(next.removedOffset, head.offset, head.reserved);
    next.removedTimestamp = Math.max(next.removedTimestamp, head.timestamp);
  }
  if (removed.length > 0) writeState(tables.meta, next);
  const commitHeads = () => {
    Object.assign(state, next);
    for (const entry of removed) heads.forget(entry);
    for (const entry of kept) heads.set(entry, entry.head, true);
  };
  return { commitHeads, state: next, damaged, more: tombstones.length === atOnce, nextHead: idle.next };
}

/** Returns groups without items and tombstones whose last event is older than `oldest`, among `atOnce` heads from `start` on. */
function idleHeads(
  tables: Tables,
  heads: HeadCache,
  oldest: number,
  start: Buffer | undefined,
  atOnce: number,
): { readonly found: readonly GroupHead[]; readonly next: Buffer | undefined } {
  const records = [...tables.heads.getRange({ limit: atOnce, ...(start === undefined ? {} : { start }) })];
  const found: GroupHead[] = [];
  for (const { key, value } of records) {
    const ref = splitHeadKey(key);
    try {
      // The head in memory is newer, because most events do not change the record.
      const head = heads.cached(ref) ?? decodeHead(key, value);
      if (head.items === 0 && head.timestamp <= oldest && !hasVersions(tables, head.number)) found.push({ ...ref, head });
    } catch (error) {
      // The next caller who opens the group gets the error.
      requireDamage(error);
    }
  }
  const last = records.at(-1)?.key;
  return { found, next: last === undefined || records.length < atOnce ? undefined : Buffer.from(last) };
}

/** Returns the records of a delete; `marker` is `undefined` when an item of the same id was created after the delete. */
function findTombstone(tables: Tables, group: number, changed: number): { version: Buffer; marker: Buffer | undefined } | undefined {
  const version = numbersKey(group, changed);
  const record = tables.versions.get(version);
  if (record === undefined) return undefined;
  const { live, item } = decodeVersion(version, record);
  if (live) return undefined;
  const key = itemKey(group, item);
  const marker = tables.items.get(key);
  return { version, marker: marker !== undefined && !decodeItem(key, marker).live ? key : undefined };
}

function hasVersions(tables: Tables, group: number): boolean {
  const range = { start: numbersKey(group, 0), end: numbersKey(group + 1, 0), limit: 1 };
  for (const _ of tables.versions.getRange(range)) return true;
  return false;
}

function copy(head: Head | undefined): Head | undefined {
  return head === undefined ? undefined : { ...head };
}
