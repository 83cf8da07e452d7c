import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../../logging/logger.js';
import type { Clock } from '../../../structures/clock.js';
import { checkStore } from '../checking/check-store.js';
import { LmdbEnvironment, type Table, type View } from '../env/environment.js';
import { syncFile } from '../env/file-pages.js';
import { diskSpace } from '../env/free-space.js';
import { DATA_FILE } from '../env/store-marker.js';
import { TABLES } from '../tables/tables.js';

/** The folder of the new data file. An interrupted compaction leaves it, and the next one removes it. */
const STAGE = 'rivulet-compact';
/** Records of one transaction, and bytes of their values. */
const TRANSACTION_RECORDS = 8_192;
const TRANSACTION_BYTES = 8_388_608;

/** When a store compacts its data file at its start. */
export interface CompactionLimits {
  /** Smaller files stay as they are, in bytes. */
  readonly leastFileBytes: number;
  /** Files with more bytes in use stay as they are, so that the start does not take long. */
  readonly mostUsedBytes: number;
}

export const DEFAULT_COMPACTION: CompactionLimits = { leastFileBytes: 67_108_864, mostUsedBytes: 268_435_456 };

/** Sizes of the data file in bytes. */
export interface Compaction {
  readonly before: number;
  readonly after: number;
}

/**
 * Writes the pages in use into a new data file, checks it, closes the environment, and puts the new file in place of the old one in one
 * step. A crash at any moment leaves the old file or the new one. Rejects before it changes anything; the environment is closed then too.
 * `onStep` runs while the pages are copied; if it throws, the old file stays.
 */
export async function compactAndClose(environment: LmdbEnvironment, directory: string, onStep?: () => void): Promise<Compaction> {
  const stage = join(directory, STAGE);
  const data = join(directory, DATA_FILE);
  const copy = join(stage, DATA_FILE);
  try {
    removeCompaction(directory);
    requireSpace(directory, environment.liveBytes());
    mkdirSync(stage, { mode: 0o700 });
    await copyRecords(environment, stage, onStep);
    requireSound(stage);
    syncFile(copy);
    const before = statSync(data).size;
    await environment.close(undefined, () => {
      renameSync(copy, data);
      syncFile(directory);
    });
    return { before, after: statSync(data).size };
  } catch (error) {
    await environment.close(undefined).catch(() => {});
    throw error;
  } finally {
    removeCompaction(directory);
  }
}

/** Removes what a killed compaction has left. The caller has the lock of the directory. */
export function removeCompaction(directory: string): void {
  rmSync(join(directory, STAGE), { recursive: true, force: true });
}

/** Returns whether more than half of the data file is free, and its size is within the limits. */
function isSparse(environment: LmdbEnvironment, { leastFileBytes, mostUsedBytes }: CompactionLimits): boolean {
  // The start must see first what a relaxed store that was not closed has lost.
  if (environment.leftover.kind !== 'closed') return false;
  const used = environment.liveBytes();
  const free = environment.reusableBytes();
  return used > 0 && used <= mostUsedBytes && free > used && used + free >= leastFileBytes;
}

export interface CompactAtStart {
  readonly path: string;
  readonly limits: CompactionLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Compacts a sparse environment. Returns it, or the one that `reopen` opens after the compaction. A failure costs only the space. */
export async function compactAtStart(
  environment: LmdbEnvironment,
  reopen: () => Promise<LmdbEnvironment>,
  { path, limits, clock, logger }: CompactAtStart,
): Promise<LmdbEnvironment> {
  if (!isSparse(environment, limits)) return environment;
  const began = clock.monotonic();
  try {
    const { before, after } = await compactAndClose(environment, path);
    logger.info('store_compacted', { path, before, after, milliseconds: Math.round(clock.monotonic() - began) });
  } catch (error) {
    const consequence = 'the data file keeps its size; compact_at_start: false ends these attempts';
    logger.warn('store_compaction_failed', { path, error: error instanceof Error ? error.message : String(error), consequence });
  }
  return await reopen();
}

/**
 * Copies all records into a new store. The compacting copy of LMDB itself is not used: its pages do not carry the transactions that a check
 * expects, and a damaged page could end the process.
 */
async function copyRecords(from: LmdbEnvironment, to: string, onStep: (() => void) | undefined): Promise<void> {
  const copy = await LmdbEnvironment.open({ path: to, relaxed: false, bulk: true, tables: TABLES });
  const view = from.readView();
  try {
    for (const name of TABLES) {
      const [source, target] = [from.table(name), copy.table(name)];
      for (let start = Buffer.alloc(0); ; ) {
        const records = nextRecords(source, start, view);
        const last = records.at(-1);
        if (last === undefined) break;
        onStep?.();
        await copy.transaction(() => {
          for (const { key, value } of records) target.put(key, value);
        });
        start = Buffer.concat([last.key, Buffer.of(0)]);
      }
    }
  } finally {
    view.done();
    await copy.close(undefined);
  }
}

/** Returns the records from a key on, as many as one transaction takes. */
function nextRecords(table: Table, start: Buffer, view: View): readonly Entry[] {
  const records: Entry[] = [];
  let bytes = 0;
  for (const { key, value } of table.getRange({ start, limit: TRANSACTION_RECORDS, transaction: view })) {
    records.push({ key: Buffer.from(key), value: Buffer.from(value) });
    bytes += value.length;
    if (bytes >= TRANSACTION_BYTES) break;
  }
  return records;
}

interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

function requireSpace(directory: string, bytes: number): void {
  const space = diskSpace(directory);
  // The engine refuses writes when less than 2 percent of the disk are free.
  if (space === undefined || space.freeBytes - bytes >= space.totalBytes / 50) return;
  throw new RivuletError('STORE_FULL', `the disk of ${directory} has no room for a copy of ${bytes} bytes; give it room`);
}

function requireSound(stage: string): void {
  const { findings } = checkStore(stage);
  const [first] = findings.list;
  if (first === undefined) return;
  throw new RivuletError('CORRUPT_STORE', `the store is damaged (table ${first.table}: ${first.problem}); run rivulet check`);
}
