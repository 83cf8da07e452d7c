import { RivuletError } from '@rivulet/protocol';
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
import type { Tables } from '../writing/write-batch.js';

/** Tombstones that one sweep removes, and heads that it looks at. */
export const SWEPT_AT_ONCE = 2_000;

export interface Sweep {
  /** Runs after the commit: the new heads are the heads now. */
  readonly adopt: () => void;
  /** What the store keeps beside groups, after it. */
  readonly state: StoreState;
  /** Records that failed their checksum. */
  readonly damaged: number;
  /** As many tombstones were found as one sweep takes: there may be others. */
  readonly more: boolean;
  /** The head at which the next sweep begins; `undefined`: at the first. */
  readonly nextHead: Buffer | undefined;
}

interface Gone extends GroupRef {
  readonly head: Head;
}

/**
 * Inside a write transaction: removes tombstones of deletes before `oldest` and raises the floor of their groups; a head goes with
 * its last tombstone when no items are left, and the store remembers how far it had come. So does, a part of the heads at each sweep, that
 * of a group which never held an item, such as one of events. A damaged record takes nothing with it: the entry of the sweep goes, so
 * that it is met once, and what it should have led to stays as it is. `atOnce`: tombstones, and heads, at most.
 */
export function sweepTombstones(
  tables: Tables,
  heads: HeadCache,
  state: StoreState,
  oldest: number,
  firstHead: Buffer | undefined,
  atOnce = SWEPT_AT_ONCE,
): Sweep {
  const touched = new Map<string, { stream: string; group: string; head: Head }>();
  const end = numbersKey(Math.max(0, oldest), 0, 0);
  const graves = [...tables.tombstones.getRange({ end, limit: atOnce })];
  let damaged = 0;
  for (const { key, value } of graves) {
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
      if (!(error instanceof RivuletError) || error.code !== 'CORRUPT_ITEM') throw error;
      damaged++;
    }
  }
  const next = { ...state };
  const gone: Gone[] = [];
  const kept: Gone[] = [];
  for (const entry of touched.values()) (entry.head.items === 0 && !hasVersions(tables, entry.head.number) ? gone : kept).push(entry);
  for (const { stream, group, head } of kept) {
    const key = headKey(stream, group);
    tables.heads.put(key, encodeHead(key, head));
  }
  const idle = idleHeads(tables, heads, oldest, firstHead, atOnce);
  gone.push(...idle.gone.filter(({ stream, group }) => !touched.has(headKey(stream, group).toString())));
  for (const { stream, group, head } of gone) {
    tables.heads.remove(headKey(stream, group));
    next.removedOffset = Math.max(next.removedOffset, head.offset, head.reserved);
    next.removedTimestamp = Math.max(next.removedTimestamp, head.timestamp);
  }
  if (gone.length > 0) writeState(tables.meta, next);
  const adopt = () => {
    Object.assign(state, next);
    for (const entry of gone) heads.forget(entry);
    for (const entry of kept) heads.set(entry, entry.head, true);
  };
  return { adopt, state: next, damaged, more: graves.length === atOnce, nextHead: idle.next };
}

/** Groups without items or tombstones whose last event is older than `oldest`. */
function idleHeads(
  tables: Tables,
  heads: HeadCache,
  oldest: number,
  start: Buffer | undefined,
  atOnce: number,
): { readonly gone: readonly Gone[]; readonly next: Buffer | undefined } {
  const records = [...tables.heads.getRange({ limit: atOnce, ...(start === undefined ? {} : { start }) })];
  const gone: Gone[] = [];
  for (const { key, value } of records) {
    const ref = splitHeadKey(key);
    try {
      // What is in memory is newer: events change the record only now and then.
      const head = heads.cached(ref) ?? decodeHead(key, value);
      if (head.items === 0 && head.timestamp <= oldest && !hasVersions(tables, head.number)) gone.push({ ...ref, head });
    } catch (error) {
      if (!(error instanceof RivuletError) || error.code !== 'CORRUPT_ITEM') throw error;
      // Whoever opens the group is told.
    }
  }
  const last = records.at(-1)?.key;
  return { gone, next: last === undefined || records.length < atOnce ? undefined : Buffer.from(last) };
}

/** What a delete has left; nothing when it was followed by a new item of the same id. */
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
