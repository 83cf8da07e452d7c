import { accessSync, constants, copyFileSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, secondsSinceBoot } from '../../../structures/boot-id.js';
import { usedBytes } from '../pages/meta-pages.js';
import { PageFile } from '../pages/page-file.js';
import { overwriteText, readSmallFile, replaceFile, syncFile } from './file-pages.js';
import { StoreOpenError } from './store-open-error.js';

/** Version of the files of a store, written into the marker. Format 1 did not say how the store was closed. Format 2 had no log. */
const FORMAT = 3;
/** The first format whose marker says how the store was closed. */
const STATE_FORMAT = 2;
export const MARKER = 'rivulet-store.json';
/** Bytes of a marker. A longer one is damaged. */
const LONGEST_MARKER = 65_536;
/** A file that exists from before the data file is created until the marker is written. */
const CREATING = 'rivulet-store.creating';
export const DATA_FILE = 'data.mdb';
export const LOCK_FILE = 'lock.mdb';
/** The folder in which a command builds a store, inside the directory of the store. */
export const STAGE = 'rivulet-new';

/** The content of the marker, a file beside the data file. */
export interface Marker {
  readonly format: number;
  readonly storeId: string;
  /** Size of the data file when the store was last opened or closed. LMDB never makes it smaller. */
  readonly bytes: number;
  /** `undefined` when it is not known, as after a restore. */
  readonly state?: MarkerState;
}

type MarkerState =
  | {
      readonly kind: 'closed';
      readonly facts: DataFacts;
    }
  | {
      readonly kind: 'open';
      /** Id of the boot of the kernel; empty where the system has none. */
      readonly boot: string;
      /** Seconds from the boot to the begin of the run. */
      readonly opened: number;
      /** Number of short runs before this one that ended without a close, one right after the other. */
      readonly unclean: number;
      /** 1 when the run was no short one. Overwritten in its place. @default 0 */
      readonly lasted?: 0 | 1;
      /** LMDB met damage in this run, so the next start checks everything. @default false */
      readonly suspect?: boolean;
    };

/** Facts about a data file that change with each write of LMDB, and with most damages. */
interface DataFacts {
  readonly bytes: number;
  /** Time of the last write in nanoseconds. */
  readonly modified: string;
  readonly inode: string;
  readonly transaction: number;
  /** Id of the boot of the kernel; empty where the system has none. */
  readonly boot: string;
}

/**
 * Throws StoreOpenError when a command has begun to build a store in a directory and did not end. Otherwise an engine would begin with
 * nothing, or with one of two stores. A command that was killed after its last step has left an empty stage.
 */
export function requireFinished(directory: string): void {
  const stage = join(directory, STAGE);
  if (!existsSync(stage)) return;
  if (existsSync(join(directory, MARKER)) && ![DATA_FILE, MARKER].some((file) => existsSync(join(stage, file)))) return;
  throw new StoreOpenError(
    `${directory} has a part of a store: a restore, an import or a salvage did not end; run that command again, or delete ${stage}`,
    { code: 'RESTORE_UNFINISHED' },
  );
}

/**
 * Returns the marker of a directory; `undefined` when it has no store yet. Throws StoreOpenError for a damaged or newer marker, and for a
 * store that is not complete.
 */
export function readMarker(directory: string): Marker | undefined {
  requireFinished(directory);
  const file = join(directory, MARKER);
  if (!existsSync(file)) return undefined;
  let marker: Partial<Record<keyof Marker, unknown>> | null;
  accessSync(file, constants.R_OK);
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- inside a try; the text is a file of the operator
    marker = JSON.parse(readSmallFile(file, LONGEST_MARKER)) as typeof marker;
  } catch (error) {
    throw damaged(file, { cause: error });
  }
  if (typeof marker !== 'object' || marker === null || typeof marker.storeId !== 'string') throw damaged(file);
  const { format, storeId, bytes, state } = marker;
  if (typeof format !== 'number' || !Number.isSafeInteger(format) || format < 1) {
    const says = format === undefined ? 'names no format' : `says format ${JSON.stringify(format)}, which no engine has written`;
    throw new StoreOpenError(`${file} ${says}; restore the directory from a backup`, { code: 'STORE_FORMAT_UNKNOWN' });
  }
  if (format > FORMAT) {
    throw new StoreOpenError(`${file} says format ${format}, this engine reads up to ${FORMAT}; start a newer engine`, {
      code: 'STORE_FORMAT_UNKNOWN',
    });
  }
  const known = format >= STATE_FORMAT && isState(state) ? { state } : {};
  return { format, storeId, bytes: typeof bytes === 'number' ? bytes : 0, ...known };
}

function damaged(file: string, options?: ErrorOptions): StoreOpenError {
  return new StoreOpenError(`${file} is damaged; restore it from a backup of the directory`, { ...options, code: 'CORRUPT_STORE' });
}

/** A state that is no state counts as unknown. Then the whole store is checked. */
function isState(state: unknown): state is MarkerState {
  if (typeof state !== 'object' || state === null) return false;
  const { kind, boot, opened, unclean, facts } = state as Readonly<Record<string, unknown>>;
  if (kind === 'open') return typeof boot === 'string' && typeof opened === 'number' && typeof unclean === 'number';
  return kind === 'closed' && typeof facts === 'object' && facts !== null && areFacts(facts as Readonly<Record<string, unknown>>);
}

function areFacts({ bytes, modified, inode, transaction, boot }: Readonly<Record<string, unknown>>): boolean {
  return (
    Number.isSafeInteger(bytes) && Number.isSafeInteger(transaction) && [modified, inode, boot].every((each) => typeof each === 'string')
  );
}

/**
 * Throws StoreOpenError when something that is no file has the name of the data file, or of the lock file of LMDB. LMDB would crash on a
 * directory, and a pipe would block the process.
 */
export function requireFiles(directory: string): void {
  for (const name of [DATA_FILE, LOCK_FILE]) {
    const file = join(directory, name);
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined || stats.isFile()) continue;
    const remedy = name === LOCK_FILE ? 'remove it; the engine makes a new one' : 'move it away, and restore a backup of the directory';
    throw new StoreOpenError(`${file} is no file; ${remedy}`, { code: name === LOCK_FILE ? 'STORE_UNAVAILABLE' : 'CORRUPT_STORE' });
  }
}

/**
 * Throws StoreOpenError when the data file is missing, empty or shorter than it was. LMDB would take an empty file for a new store, and the
 * process would die when LMDB reads a page behind the end.
 */
export function requireData(directory: string, marker: Marker): void {
  const file = join(directory, DATA_FILE);
  const size = existsSync(file) ? statSync(file).size : 0;
  if (size === 0) {
    throw new StoreOpenError(
      `${file} is missing or empty although ${MARKER} says there is a store; restore it, or move the directory away to begin anew`,
      { code: 'CORRUPT_STORE' },
    );
  }
  // One of the two signs alone is no damage: free pages may lie behind the end of the file, and a compacted copy is smaller.
  const used = usedBytes(file);
  if (size >= marker.bytes || used === undefined || size >= used) return;
  throw new StoreOpenError(
    `${file} is cut off: it has ${size} bytes of at least ${marker.bytes}; restore the whole directory from a backup, or move it away to begin anew`,
    { code: 'CORRUPT_STORE' },
  );
}

/**
 * Notes durably that the store of a directory is being created. Removes the files of an earlier creation that did not end. After a power
 * cut only a part of such a data file may be on the disk, and LMDB would crash on it. Nobody has written to such a store. A data file
 * without this note stays as it is.
 */
export function beginCreation(directory: string): void {
  const note = join(directory, CREATING);
  const files = [DATA_FILE, LOCK_FILE].map((name) => join(directory, name));
  if (existsSync(note)) for (const file of files) rmSync(file, { force: true });
  else if (!files.some((file) => existsSync(file))) replaceFile(note, '');
}

/** Records that the store exists, after its data file is on the disk. */
function endCreation(directory: string, marker: Omit<Marker, 'format'>): void {
  syncFile(join(directory, DATA_FILE));
  writeMarker(directory, marker);
  rmSync(join(directory, CREATING), { force: true });
}

/** Writes the marker durably, and returns its text. At any moment, the directory has either the old or the new one. */
export function writeMarker(directory: string, marker: Omit<Marker, 'format'>): string {
  const text = `${JSON.stringify({ format: FORMAT, ...marker })}\n`;
  replaceFile(join(directory, MARKER), text);
  return text;
}

/** The marker of an older format, kept until the first clean stop, followed by the number of its format. */
const OLD_MARKER = `${MARKER}.format-`;
/**
 * After more short runs without a close than this, the next start checks everything: perhaps damage ended them. The fifth start must say
 * what is wrong, because systemd gives up after five starts in ten seconds.
 */
const UNCLEAN_RUNS = 3;
/**
 * A run that lives for this time is no short one, in seconds. Within it, clients have read their groups, and the first sweep has read the
 * oldest tombstones. A process that is killed later costs no check, however often that happens.
 */
const SHORT_RUN_S = 90;

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
  if (state.kind === 'open') {
    const isWhole = state.boot !== '' && state.boot === bootId() && state.suspect !== true;
    return isWhole && shortRuns(state) <= UNCLEAN_RUNS ? 'roots' : 'everything';
  }
  return JSON.stringify(state.facts) === JSON.stringify(factsOf(directory)) ? 'roots' : 'everything';
}

/** Returns the number of short runs that ended without a close, up to now and one right after the other. */
function shortRuns(before: MarkerState | undefined): number {
  return before?.kind === 'open' && before.lasted !== 1 ? before.unclean + 1 : 0;
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

/**
 * Keeps the marker of a store true while an environment is open. A failure only makes the next start check more. A process that has lost
 * the lock of the directory does not change the marker of the next owner.
 */
export class MarkerRecord {
  readonly #directory: string;
  readonly #storeId: string;
  readonly #lock: { readonly isHeld: boolean };
  #bytes: number;
  /** The text of the marker that this process has written last. */
  #text = '';
  #open: (MarkerState & { readonly kind: 'open' }) | undefined;

  constructor(directory: string, storeId: string, marker: Marker | undefined, lock: { readonly isHeld: boolean }) {
    this.#directory = directory;
    this.#storeId = storeId;
    this.#lock = lock;
    this.#bytes = marker?.bytes ?? 0;
  }

  /**
   * Records that the store is open. `checked`: everything was checked, so damage has not ended the runs before. Throws StoreOpenError when
   * the marker keeps an older format: an older engine would not know the log.
   */
  opened(marker: Marker | undefined, checked: boolean): void {
    const unclean = checked ? 0 : shortRuns(marker?.state);
    if (marker !== undefined && marker.format < FORMAT) this.#keepOld(marker.format);
    if (marker === undefined) endCreation(this.#directory, { storeId: this.#storeId, bytes: 0 });
    this.#open = { kind: 'open', boot: bootId(), opened: secondsSinceBoot(), unclean, lasted: 0 };
    const isWritten = this.#write(this.#open);
    if (!isWritten && marker !== undefined && marker.format < FORMAT)
      throw new StoreOpenError(
        `${MARKER} in ${this.#directory} can't be replaced, so the store keeps its older format; give the disk room`,
      );
  }

  /**
   * Records that this run is no short one, as soon as that is true. It needs no sync, because after a power cut everything is checked. If
   * it fails, the run counts as a short one.
   */
  outlive(): void {
    if (this.#open === undefined || this.#open.lasted === 1 || secondsSinceBoot() - this.#open.opened < SHORT_RUN_S) return;
    this.#open = { ...this.#open, lasted: 1 };
    try {
      if (this.#lock.isHeld) overwriteText(join(this.#directory, MARKER), this.#text, '"lasted":0', '"lasted":1');
    } catch {}
  }

  /** Records that LMDB met damage, so that the next start checks everything and refuses the store with the remedy. */
  suspect(): void {
    if (this.#open === undefined || this.#open.suspect === true) return;
    this.#open = { ...this.#open, suspect: true };
    this.#write(this.#open);
  }

  /** Records the file as the close has left it. */
  closed(): void {
    const facts = factsOf(this.#directory);
    // A store in which LMDB met damage stays open in the marker, so the next start checks everything.
    if (this.#open?.suspect === true || facts === undefined || !this.#write({ kind: 'closed', facts })) return;
    for (const name of readdirSync(this.#directory)) if (name.startsWith(OLD_MARKER)) rmSync(join(this.#directory, name), { force: true });
  }

  /** A migration changes only the marker, so its copy is everything that the older engine needs. */
  #keepOld(format: number): void {
    const copy = join(this.#directory, OLD_MARKER + String(format));
    if (!existsSync(copy)) copyFileSync(join(this.#directory, MARKER), copy);
  }

  #write(state: MarkerState): boolean {
    if (!this.#lock.isHeld) return false;
    try {
      const bytes = statSync(join(this.#directory, DATA_FILE)).size;
      const most = Math.max(bytes, state.kind === 'open' ? this.#bytes : 0);
      this.#text = writeMarker(this.#directory, { storeId: this.#storeId, bytes: most, state });
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
