import { copyFileSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PageFile } from '../pages/page-file.js';
import { bootId } from './boot-id.js';
import { DATA_FILE, type DataFacts, endCreation, FORMAT, MARKER, type Marker, type MarkerState, writeMarker } from './store-marker.js';
import { StoreOpenError } from './store-open-error.js';

/** The marker of an older format, kept until the first clean stop, followed by the number of its format. */
const OLD_MARKER = `${MARKER}.format-`;
/** After this many runs without a close, the next start checks everything: perhaps damage ended them. */
const UNCLEAN_RUNS = 3;

/** Parts of a store to check before it is opened. `roots`: the meta pages, and one path of each tree. */
export type PreflightScope = 'nothing' | 'roots' | 'everything';

/**
 * Decides how much of a store to check before it is opened. Within one boot, the kernel has every write of a killed process, so the file of
 * such a process is not read as a whole.
 */
export function scopeOf(directory: string, marker: Marker | undefined): PreflightScope {
  if (!existsSync(join(directory, DATA_FILE))) return 'nothing';
  const state = marker?.state;
  if (state === undefined) return 'everything';
  if (state.kind === 'open') return state.boot !== '' && state.boot === bootId() && state.unclean < UNCLEAN_RUNS ? 'roots' : 'everything';
  return JSON.stringify(state.facts) === JSON.stringify(factsOf(directory)) ? 'roots' : 'everything';
}

/** Throws StoreOpenError when the data file is of an earlier moment than its marker. */
export function requireNewest(directory: string, marker: Marker | undefined): void {
  if (marker?.state?.kind !== 'closed') return;
  const { transaction } = marker.state.facts;
  const found = factsOf(directory)?.transaction ?? 0;
  if (found >= transaction) return;
  throw new StoreOpenError(
    `${join(directory, DATA_FILE)} is older than its marker: it ends at transaction ${found} and not at ${transaction}; restore the whole directory from a backup`,
    { code: 'CORRUPT_STORE' },
  );
}

/** Keeps the marker of a store true while an environment is open. A failure only makes the next start check more. */
export class MarkerRecord {
  readonly #directory: string;
  readonly #storeId: string;
  #bytes: number;

  constructor(directory: string, storeId: string, marker: Marker | undefined) {
    this.#directory = directory;
    this.#storeId = storeId;
    this.#bytes = marker?.bytes ?? 0;
  }

  /** Records that the store is open. `checked`: everything was checked, so damage has not ended the runs before. */
  opened(marker: Marker | undefined, checked: boolean): void {
    const before = marker?.state;
    const unclean = before?.kind === 'open' && !checked ? before.unclean + 1 : 0;
    if (marker !== undefined && marker.format < FORMAT) this.#keepOld(marker.format);
    if (marker === undefined) endCreation(this.#directory, { storeId: this.#storeId, bytes: 0 });
    this.#write({ kind: 'open', boot: bootId(), unclean });
  }

  /** Records the file as the close has left it. */
  closed(): void {
    const facts = factsOf(this.#directory);
    if (facts === undefined || !this.#write({ kind: 'closed', facts })) return;
    for (const name of readdirSync(this.#directory)) if (name.startsWith(OLD_MARKER)) rmSync(join(this.#directory, name), { force: true });
  }

  /** A migration changes only the marker, so its copy is everything that the older engine needs. */
  #keepOld(format: number): void {
    const copy = join(this.#directory, OLD_MARKER + String(format));
    if (!existsSync(copy)) copyFileSync(join(this.#directory, MARKER), copy);
  }

  #write(state: MarkerState): boolean {
    try {
      const bytes = statSync(join(this.#directory, DATA_FILE)).size;
      writeMarker(this.#directory, { storeId: this.#storeId, bytes: Math.max(bytes, state.kind === 'open' ? this.#bytes : 0), state });
      this.#bytes = bytes;
      return true;
    } catch {
      return false;
    }
  }
}

function factsOf(directory: string): DataFacts | undefined {
  const path = join(directory, DATA_FILE);
  try {
    const { size, mtimeNs, ino } = statSync(path, { bigint: true });
    const file = new PageFile(path);
    const transaction = file.newest?.transaction;
    file.close();
    if (transaction === undefined) return undefined;
    return { bytes: Number(size), modified: String(mtimeNs), inode: String(ino), transaction, boot: bootId() };
  } catch {
    return undefined;
  }
}
