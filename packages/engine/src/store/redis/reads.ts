import { type Position, RivuletError } from '@rivulet/protocol';
import { chunked } from '../../structures/chunked.js';
import { type NamesPage, type PageBounds, SortedNames } from '../../structures/sorted-names.js';
import { charsOf } from '../shared/chars-of.js';
import type { ChangeEntry, Changes, GroupRef, ItemRead, Snapshot, StoredItem } from '../store.js';
import type { RedisReply } from './connection/redis-client.js';
import { listOf, type Page, type RedisGroups, type Standing, textOf } from './group-client.js';
import { PARTITIONS } from './keys.js';
import { itemOf, tombstoneOf } from './records.js';

/** What one script reads: it holds up everybody else for so long. */
const PAGE: Page = { items: 512, bytes: 1_048_576 };
const CHUNK_ITEMS = 256;
/** Members of an index that one command looks at, and partitions that are looked at together. */
const SCAN_MEMBERS = '1000';
const SCANS_AT_ONCE = 32;
/** So often a read begins again because the history it read ended meanwhile. */
const MOST_TRIES = 5;

export async function readItem(groups: RedisGroups, ref: GroupRef, item: string): Promise<ItemRead> {
  const { position, timestamp, rest } = await groups.read(ref, [item]);
  const [, value, meta] = rest;
  return { value: value ? itemOf(item, value, meta) : undefined, position, timestamp };
}

/**
 * All items as they are at one position. Redis keeps no old values: a group of several pages is read page by page, and then what changed
 * meanwhile, until nothing more has. So it is in memory as a whole when it is there.
 */
export async function readSnapshot(groups: RedisGroups, ref: GroupRef): Promise<Snapshot> {
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
      const meanwhile = await readEntries(groups, ref, { epoch, offset });
      if (meanwhile === 'floor' || meanwhile === 'epoch') continue;
      for (const entry of meanwhile.entries) {
        if (entry.kind === 'item') items.set(entry.item, entry);
        else items.delete(entry.item);
      }
      ({ position, timestamp } = meanwhile);
    }
    if (position.epoch !== epoch) continue;
    const ordered = [...items.values()].sort((a, b) => a.created - b.created);
    return { position, timestamp, chunks: () => chunked(ordered, CHUNK_ITEMS, () => {}, charsOf), close() {} };
  }
  throw tooOften();
}

/**
 * A page of the members of an index that every partition has a part of: page by page, of some partitions at once. Every member is read, and only
 * what the page may have is kept. What is there all the time is found.
 */
export async function readUnion({ redis }: RedisGroups, keyOf: (partition: number) => string, bounds: PageBounds): Promise<NamesPage> {
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

export async function readChanges(groups: RedisGroups, ref: GroupRef, since: Position): Promise<Changes> {
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
  /** In the order of their changes. */
  readonly entries: readonly ChangeEntry[];
}

/** Page by page: what changes meanwhile comes again behind, and its last state counts. */
async function readEntries(groups: RedisGroups, ref: GroupRef, since: Position): Promise<Entries | 'epoch' | 'floor'> {
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

/** Whether a page held everything that there was. */
function isLast(items: number, bytes: number): boolean {
  return items < PAGE.items && bytes < PAGE.bytes;
}

function bytesOf({ rest }: Standing): number {
  let bytes = 0;
  for (let at = 1; at < rest.length; at += 3) bytes += rest[at]?.length ?? 0;
  return bytes;
}

function itemsOf({ rest }: Standing): StoredItem[] {
  const items: StoredItem[] = [];
  for (let at = 0; at < rest.length; at += 3) {
    const [item, value, meta] = [rest[at], rest[at + 1], rest[at + 2]];
    if (item && value) items.push(itemOf(item.toString(), value, meta));
  }
  return items;
}

function entriesOf({ rest }: Standing): ChangeEntry[] {
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
  return new RivuletError('STORE_UNAVAILABLE', 'the group changed its history while it was read, several times; try again');
}
