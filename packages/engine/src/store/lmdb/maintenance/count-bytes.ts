import type { BoundsOf } from '../../bounds.js';
import type { LmdbEnvironment } from '../env/environment.js';
import { decodeHead, encodeHead, splitHeadKey } from '../tables/records.js';
import type { Tables } from '../tables/tables.js';
import { type DiskBudget, RECORD_BYTES } from '../writing/disk-space.js';
import { storedBytes } from '../writing/group-contents.js';
import { requireDamage } from './expiry.js';

/** Heads that one transaction writes, and items that it counts. */
const HEADS_AT_ONCE = 1_000;
const ITEMS_AT_ONCE = 20_000;

export interface CountedStore {
  readonly environment: LmdbEnvironment;
  readonly tables: Tables;
  readonly disk: DiskBudget;
  readonly boundsOf: BoundsOf;
}

/**
 * Counts the bytes of each group that has a bound of bytes and no count yet: the bound is new, or the group comes from an import. Otherwise
 * the first write to a large group would wait for the count, and other writes with it. Call it before the first write.
 */
export async function countMissingBytes({ environment, tables, disk, boundsOf }: CountedStore): Promise<void> {
  const missing = headsWithoutBytes(environment, tables, boundsOf);
  while (missing.length > 0) {
    // With a full disk, the first write to each group counts.
    if (disk.forNext() < HEADS_AT_ONCE * RECORD_BYTES) return;
    disk.spend(Math.min(missing.length, HEADS_AT_ONCE) * RECORD_BYTES);
    await environment.transaction(() => {
      let items = 0;
      for (const key of missing.splice(0, HEADS_AT_ONCE)) {
        if (items > ITEMS_AT_ONCE) missing.push(key);
        else items += countGroup(tables, key);
      }
    });
  }
}

/** Returns the keys of these heads. The heads of a stream without the bound are skipped at once. */
function headsWithoutBytes(environment: LmdbEnvironment, tables: Tables, boundsOf: BoundsOf): Buffer[] {
  const view = environment.readView();
  const missing: Buffer[] = [];
  try {
    for (let start: Buffer | undefined, isDone = false; !isDone; ) {
      isDone = true;
      for (const { key, value } of tables.heads.getRange({ ...(start && { start }), transaction: view })) {
        const { stream } = splitHeadKey(key);
        if (boundsOf(stream)?.maxBytes === undefined) {
          // Names have no control characters, so this key comes before those of the next stream.
          start = Buffer.from(`${stream}\u0001`);
          isDone = false;
          break;
        }
        if (isUncounted(key, value)) missing.push(Buffer.from(key));
      }
    }
    return missing;
  } finally {
    view.done();
  }
}

/** A damaged head costs its group only, so the start goes on. */
function isUncounted(key: Buffer, record: Buffer): boolean {
  try {
    return decodeHead(key, record).bytes === undefined;
  } catch (error) {
    requireDamage(error);
    return false;
  }
}

/** Returns the number of items. */
function countGroup(tables: Tables, key: Buffer): number {
  const record = tables.heads.get(key);
  if (record === undefined) return 0;
  const head = decodeHead(key, record);
  tables.heads.put(key, encodeHead(key, { ...head, bytes: storedBytes(tables, head.number) }));
  return head.items;
}
