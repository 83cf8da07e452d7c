import { type Position, RivuletError } from '@rivulet/protocol';
import { chunked } from '../../structures/chunked.js';
import { type NamesPage, type PageBounds, SortedNames } from '../../structures/sorted-names.js';
import { charsOf } from '../shared/chars-of.js';
import type { ChangeEntry, Changes, GroupRef, ItemRead, Snapshot, StoredItem } from '../store.js';
import type { RedisReply } from './connection/redis-client.js';
import { type GroupClient, type GroupState, listOf, type Page, textOf } from './group-client.js';
import { PARTITIONS } from './keys.js';
import { itemOf, tombstoneOf } from './records.js';

/** Bounds of one script. Redis runs one script at a time, so a larger page would delay all other commands. */
const PAGE: Page = { items: 512, bytes: 1_048_576 };
const CHUNK_ITEMS = 256;
/** Members of an index that one command reads, and partitions that are read at the same time. */
const SCAN_MEMBERS = '1000';
const SCANS_AT_ONCE = 32;
/** Attempts of a read. Each attempt but the last failed because the epoch or the floor changed meanwhile. */
const MOST_TRIES = 5;

/** Reads one item. */
export async function readItem(groups: GroupClient, ref: GroupRef, item: string): Promise<ItemRead> {
  const { position, timestamp, rest } = await groups.read(ref, [item]);
  const [, value, meta] = rest;
  return { value: value ? itemOf(item, value, meta) : undefined, position, timestamp };
}

/**
 * Reads all items as they are at one position.
 *
 * Redis keeps no old values. A group of several pages is read page by page, and then the changes since the first page, so that all items
 * are true at the last position. The whole group is in memory at the end.
 */
export async function readSnapshot(groups: GroupClient, ref: GroupRef): Promise<Snapshot> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const items = new Map<string, StoredItem>();
    let last = await groups.created(ref, 0, PAGE);
    const { epoch, offset } = last.position;
    for (let after = -1; ; last = await groups.created(ref, after, PAGE)) {
      const page = itemsOf(last);
      for (const item of page) items.set(item.item, item);
      if (isLast(page.length, bytesOf(last))) break;
      after = page.at(-1)?.created ?? after;
    }
    let { position, timestamp } = last;
    if (position.epoch === epoch && position.offset !== offset) {
      const changes = await readEntries(groups, ref, { epoch, offset });
      if (changes === 'floor' || changes === 'epoch') continue;
      for (const entry of changes.entries) {
        if (entry.kind === 'item') items.set(entry.item, entry);
        else items.delete(entry.item);
      }
      ({ position, timestamp } = changes);
    }
    if (position.epoch !== epoch) continue;
    const ordered = [...items.values()].sort((a, b) => a.created - b.created);
    return { position, timestamp, chunks: () => chunked(ordered, CHUNK_ITEMS, () => {}, charsOf), close() {} };
  }
  throw tooOften();
}

/**
 * Reads one page of an index that is spread over all partitions. It reads every member and keeps only those of the page. A member that
 * exists during the whole read is found.
 */
export async function readUnion({ redis }: GroupClient, keyOf: (partition: number) => string, bounds: PageBounds): Promise<NamesPage> {
  const found = new SortedNames(bounds);
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition).values();
  const scan = async () => {
    for (const partition of partitions) {
      for (let cursor = ''; cursor !== '0'; ) {
        const reply = await redis.command('SSCAN', keyOf(partition), cursor || '0', 'COUNT', SCAN_MEMBERS);
        const [next, members = []] = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
        for (const member of listOf(members)) found.add(member);
        cursor = textOf(next) || '0';
      }
    }
  };
  await Promise.all(Array.from({ length: SCANS_AT_ONCE }, scan));
  return found.page(bounds);
}

/** Reads the items that changed after a position, and the tombstones of deleted ones. */
export async function readChanges(groups: GroupClient, ref: GroupRef, since: Position): Promise<Changes> {
  const read = await readEntries(groups, ref, since);
  if (read === 'epoch' || read === 'floor') return { kind: 'stale', reason: read };
  const { position, timestamp, entries } = read;
  return {
    kind: 'changes',
    position,
    timestamp,
    chunks: () => chunked(entries, CHUNK_ITEMS, () => {}, charsOf),
    close() {},
  };
}

interface Entries {
  readonly position: Position;
  readonly timestamp: number;
  /** Entries in the order of their changes. */
  readonly entries: readonly ChangeEntry[];
}

/** Reads changes page by page. An item that changes meanwhile comes again on a later page, and its last state counts. */
async function readEntries(groups: GroupClient, ref: GroupRef, since: Position): Promise<Entries | 'epoch' | 'floor'> {
  const entries = new Map<string, ChangeEntry>();
  for (let after = since.offset; ; ) {
    const page = await groups.changed(ref, after, PAGE);
    if (page.position.epoch !== since.epoch) return 'epoch';
    if (since.offset < page.floor) return 'floor';
    const found = entriesOf(page);
    for (const entry of found) entries.set(entry.item, entry);
    if (isLast(found.length, bytesOf(page))) {
      const { position, timestamp } = page;
      return { position, timestamp, entries: [...entries.values()].sort((a, b) => a.changed - b.changed) };
    }
    after = found.at(-1)?.changed ?? after;
  }
}

/** Whether the page was the last one. */
function isLast(items: number, bytes: number): boolean {
  return items < PAGE.items && bytes < PAGE.bytes;
}

function bytesOf({ rest }: GroupState): number {
  let bytes = 0;
  for (let at = 1; at < rest.length; at += 3) bytes += rest[at]?.length ?? 0;
  return bytes;
}

function itemsOf({ rest }: GroupState): StoredItem[] {
  const items: StoredItem[] = [];
  for (let at = 0; at < rest.length; at += 3) {
    const [item, value, meta] = [rest[at], rest[at + 1], rest[at + 2]];
    if (item && value) items.push(itemOf(item.toString(), value, meta));
  }
  return items;
}

function entriesOf({ rest }: GroupState): ChangeEntry[] {
  const entries: ChangeEntry[] = [];
  for (let at = 0; at < rest.length; at += 3) {
    const [name, value, meta] = [rest[at], rest[at + 1], rest[at + 2]];
    if (!name) continue;
    const item = name.toString();
    entries.push(value ? { kind: 'item', ...itemOf(item, value, meta) } : tombstoneOf(item, meta));
  }
  return entries;
}

function tooOften(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the epoch of the group changed during each of several reads; try again');
}
