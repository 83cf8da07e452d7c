import { closeSync, constants, existsSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bootId } from '../../../structures/boot-id.js';
import type { CommitLog } from '../log/commit-log.js';
import { ROOT_BYTES, readRoot } from '../pages/roots.js';
import { LockLostError } from './directory-lock.js';
import { readSmallFile, replaceFile, syncFile, unfinishedFile } from './file-pages.js';
import { isNoSpace, NoRoomError } from './free-space.js';
import { StoreOpenError } from './store-open-error.js';

/** A file that exists while a relaxed store is open, or after one that was not closed. */
export const CHECKPOINT = 'rivulet-checkpoint.json';
/** Bytes of a checkpoint. A longer one is damaged. */
const LONGEST_CHECKPOINT = 65_536;
/** Files with room on the disk. Each becomes a checkpoint: one may be on its way while a transaction gets room for the next. */
const ROOMS = ['rivulet-checkpoint-room', 'rivulet-checkpoint-room-next'] as const;
/** Room that a checkpoint needs on the disk. */
const RESERVED_BYTES = 4_096;
/** The content of a file that exists stays, with its room on the disk. */
const KEEPS_ROOM = constants.O_RDWR | constants.O_CREAT;

/** Bytes that a relaxed environment may write between two checkpoints, before it takes one early. */
export const CHECKPOINT_BYTES = 33_554_432;

/** The roots of all trees after a transaction. Every page that they lead to is on the disk. */
export interface Checkpoint {
  /**
   * The boot of the machine in which the store is open. Empty when the system has no such id, and while a store that lost writes has not
   * saved its new epoch: the next start must restore the checkpoint again.
   */
  readonly boot: string;
  readonly savedAt: number;
  readonly root: Buffer;
  /** The name of the log with the transactions that follow; `undefined` when the run has none. */
  readonly log: string | undefined;
}

/** Saves roots whose pages are on the disk. */
function saveCheckpointNow(directory: string, checkpoint: Checkpoint): void {
  replaceFile(join(directory, CHECKPOINT), contentOf(checkpoint));
}

/**
 * Does the same without a wait of the event loop for the disk. `room`: the file of `reserveRoom`, if there is one. `requireWanted` throws
 * when the checkpoint before must stay.
 */
async function saveCheckpoint(
  directory: string,
  checkpoint: Checkpoint,
  room: string | undefined,
  requireWanted: () => void,
): Promise<void> {
  const path = join(directory, CHECKPOINT);
  const content = contentOf(checkpoint);
  const next = room ?? unfinishedFile(path);
  const file = await open(next, KEEPS_ROOM, 0o600);
  try {
    await file.write(content, 0);
    await file.truncate(content.length);
    await file.sync();
  } finally {
    await file.close();
  }
  requireWanted();
  await rename(next, path);
  await syncDirectory(directory);
}

/** Gets room on the disk for a checkpoint, and returns the file that has it: another one than `taken`. Throws when the disk has none. */
function reserveRoom(directory: string, taken: string | undefined): string {
  const [first, second] = ROOMS.map((name) => unfinishedFile(join(directory, name))) as [string, string];
  const file = first === taken ? second : first;
  const handle = openSync(file, KEEPS_ROOM, 0o600);
  try {
    writeSync(handle, Buffer.alloc(RESERVED_BYTES), 0, RESERVED_BYTES, 0);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
  return file;
}

/**
 * Makes the next start go back to the saved checkpoint, in the same boot too. Overwrites the boot of the file in its place, so it needs no
 * space on the disk, and the rest of the file stays. If that fails, it tries a new file. A start in the same boot reads this from memory.
 */
export function distrustCheckpoint(directory: string): void {
  const path = join(directory, CHECKPOINT);
  const content = readSmallFile(path, LONGEST_CHECKPOINT);
  const [boot] = /^\{"boot":"[^"]*"/.exec(content) ?? [''];
  const distrusted = '{"boot":""'.padEnd(boot.length);
  if (boot === '' || content.startsWith(distrusted)) return;
  try {
    const handle = openSync(path, 'r+');
    try {
      writeSync(handle, distrusted);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    replaceFile(path, distrusted + content.slice(boot.length));
  }
}

/** Removes the checkpoint before anything is written. It needs no space on the disk. */
export function removeCheckpointNow(directory: string): void {
  rmSync(join(directory, CHECKPOINT), { force: true });
  syncFile(directory);
}

/** Removes the checkpoint of a store whose newest roots are on the disk. */
async function removeCheckpoint(directory: string): Promise<void> {
  await rm(join(directory, CHECKPOINT), { force: true });
  await syncDirectory(directory);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function contentOf({ boot, savedAt, root, log }: Checkpoint): string {
  return `${JSON.stringify({ boot, savedAt, root: root.toString('base64'), log })}\n`;
}

/** Returns the saved checkpoint; `undefined` when there is none. Throws StoreOpenError when it is damaged. */
export function readCheckpoint(directory: string): Checkpoint | undefined {
  const file = join(directory, CHECKPOINT);
  if (!existsSync(file)) return undefined;
  let saved: { readonly boot?: unknown; readonly savedAt?: unknown; readonly root?: unknown; readonly log?: unknown } = {};
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- inside a try; the text is a file of the operator
    saved = (JSON.parse(readSmallFile(file, LONGEST_CHECKPOINT)) ?? {}) as typeof saved;
  } catch {}
  const { boot, savedAt, log } = saved;
  const root = Buffer.from(typeof saved.root === 'string' ? saved.root : '', 'base64');
  if (typeof boot !== 'string' || typeof savedAt !== 'number' || root.length !== ROOT_BYTES || !isLogName(log)) {
    throw new StoreOpenError(`${file} is damaged; restore the directory from a backup, or remove the file if no power cut has happened`, {
      code: 'CORRUPT_STORE',
    });
  }
  return { boot, savedAt, root, log };
}

function isLogName(log: unknown): log is string | undefined {
  return log === undefined || (typeof log === 'string' && /^[0-9a-f]{16}$/.test(log));
}

export interface CheckpointsContext {
  readonly directory: string;
  readonly dataFile: string;
  /** Opens a view of the newest data. LMDB does not reuse a page while a view may need it. */
  readonly openView: () => { done(): void };
  /** Puts everything that was committed on the disk. */
  readonly sync: () => Promise<void>;
  /** Returns the bytes that transactions have written so far. */
  readonly writtenBytes: () => number;
  /** Bytes that may be written between two checkpoints, before one begins early. */
  readonly mostBytes: number;
  /** The data were put back to an earlier checkpoint, and readers may have seen later writes. */
  readonly isRestored: boolean;
  /** Whether this process still owns the directory. */
  readonly mayWrite: () => boolean;
  /** Makes each transaction durable before the next checkpoint. Without it, a power cut takes the environment back to a checkpoint. */
  readonly log: CommitLog | undefined;
}

/**
 * Keeps a state of a relaxed environment to which it can go back. The environment writes without syncs, so after a power cut any of its
 * pages may be missing. A checkpoint is a transaction whose pages are all on the disk, with its root in a file of its own. A view keeps
 * LMDB from the reuse of these pages until the next checkpoint is saved.
 *
 * A page that is freed meanwhile costs space. So the next checkpoint begins early after `mostBytes` bytes. Writes wait for it when they
 * have written as much again.
 */
export class Checkpoints {
  readonly #context: CheckpointsContext;
  /** Keeps the pages of the saved checkpoint. */
  #view: { done(): void } | undefined;
  /** The written bytes when the last checkpoint began, and when the saved one did. */
  #begunAt = 0;
  #savedAt = 0;
  readonly #boot = bootId();
  #isLossy: boolean;
  /** The next start must go back to the saved checkpoint. */
  #isDistrusted = false;
  #running: Promise<Error | undefined> | undefined;
  /** The file that has room for the next checkpoint. Never the one of the checkpoint that runs. */
  #room: string | undefined;
  /** The file that the checkpoint that runs has for its content. */
  #roomInUse: string | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(context: CheckpointsContext) {
    this.#context = context;
    this.#isLossy = context.isRestored;
  }

  /** Bytes that transactions have written since the saved checkpoint. The file may not reuse as many free bytes. */
  get heldBytes(): number {
    return this.#context.writtenBytes() - this.#savedAt;
  }

  /** The data have a new epoch, so the next checkpoint need not be restored by a start in the same boot. */
  confirmLoss(): void {
    this.#isLossy = false;
  }

  /** Saves a checkpoint before the first write. The event loop waits. */
  takeNow(): void {
    const { directory, dataFile, openView, writtenBytes } = this.#context;
    const view = openView();
    try {
      syncFile(dataFile);
      const checkpoint = this.#checkpoint();
      this.#requireWanted();
      saveCheckpointNow(directory, checkpoint);
    } catch (error) {
      view.done();
      throw error;
    }
    this.#replaceView(view);
    this.#begunAt = writtenBytes();
    this.#savedAt = this.#begunAt;
  }

  /**
   * Saves a checkpoint of everything that is committed, or joins the one that runs. No transaction may run when it begins. Rejects when the
   * sync failed. Resolves with the error when only the file of the checkpoint could not be written. The checkpoint before stays valid then,
   * and the next one may succeed.
   */
  take(): Promise<Error | undefined> {
    this.#running ??= this.#take().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Does the same for the last checkpoint, which must have everything: it does not join one that runs. */
  async takeLast(): Promise<void> {
    await this.#running?.catch(() => {});
    await this.take();
  }

  /**
   * Gets room on the disk for the record of the transaction that runs: in the log, or else for a forced checkpoint. Call it before LMDB
   * commits the transaction. Throws NoRoomError when the disk has no room. `freeSpace` is as for `takeForced`.
   */
  reserve(log: CommitLog, freeSpace: () => boolean): void {
    if (log.record.isEmpty || log.reserve() || this.#room !== undefined) return;
    const { directory } = this.#context;
    try {
      this.#room = reserveRoom(directory, this.#roomInUse);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      if (!freeSpace()) throw new NoRoomError({ cause: error });
      this.reserve(log, () => false);
    }
  }

  /**
   * Saves a checkpoint of everything, also of the transaction that runs: it is committed and not in the log. Rejects when that failed.
   * `freeSpace` frees space on a full disk, and returns whether it did.
   */
  async takeForced(freeSpace: () => boolean): Promise<void> {
    await this.#running?.catch(() => {});
    let error = await this.take();
    if (error !== undefined && isNoSpace(error) && freeSpace()) error = await this.take();
    if (error !== undefined) throw error;
  }

  /**
   * Makes the next start go back to the saved checkpoint and its log, in the same boot too. After a failed sync, the data file has a
   * transaction that was refused, or lacks pages that this process can still read. Never throws: a failed disk may refuse this too.
   */
  distrustNow(): void {
    const { directory, log, mayWrite } = this.#context;
    this.#isDistrusted = true;
    if (log === undefined || !mayWrite()) return;
    try {
      distrustCheckpoint(directory);
    } catch {}
  }

  /** Call it before each transaction. Returns a promise when the transaction must wait. Throws when a sync has failed. */
  pace(): Promise<Error | undefined> | undefined {
    if (this.#failure !== undefined) throw this.#failure.cause;
    const { writtenBytes, mostBytes, log } = this.#context;
    const isDue = writtenBytes() - this.#begunAt > mostBytes;
    if (!isDue && log?.isHalfFull !== true) return undefined;
    if (this.#running === undefined) this.take().catch(() => {});
    else if (isDue) return this.#running;
    return undefined;
  }

  /** Removes the checkpoint. Everything that was written must be on the disk, and later writes must be synced. */
  async end(): Promise<void> {
    await this.#running?.catch(() => {});
    this.release();
    if (!this.#context.mayWrite()) return;
    if (this.#room !== undefined) rmSync(this.#room, { force: true });
    this.#room = undefined;
    await removeCheckpoint(this.#context.directory);
  }

  /** Frees the view, so that LMDB can close. The file stays. */
  release(): void {
    this.#replaceView(undefined);
  }

  async #take(): Promise<Error | undefined> {
    const { directory, openView, sync, writtenBytes, log } = this.#context;
    const view = openView();
    const checkpoint = this.#checkpoint();
    log?.beginCheckpoint();
    const begunAt = writtenBytes();
    this.#begunAt = begunAt;
    const room = this.#claimRoom();
    try {
      await sync();
    } catch (cause) {
      this.#giveRoomBack();
      view.done();
      this.#failure = { cause };
      this.distrustNow();
      throw cause;
    }
    try {
      this.#requireWanted();
      await saveCheckpoint(directory, checkpoint, room, () => this.#requireWanted());
      this.#roomInUse = undefined;
      // The file may have got its name just after the one before was distrusted.
      if (this.#isDistrusted) this.distrustNow();
      log?.endCheckpoint();
    } catch (error) {
      this.#giveRoomBack();
      view.done();
      return error instanceof Error ? error : new Error(String(error));
    }
    this.#replaceView(view);
    this.#savedAt = begunAt;
    return undefined;
  }

  /** Returns the file for the checkpoint that begins, if there is one. No transaction may count on it from now on. */
  #claimRoom(): string | undefined {
    this.#roomInUse = this.#room;
    this.#room = undefined;
    return this.#roomInUse;
  }

  /** Keeps the room of a checkpoint that failed, unless its file has become the checkpoint or a transaction has got other room. */
  #giveRoomBack(): void {
    const file = this.#roomInUse;
    this.#roomInUse = undefined;
    if (file === undefined || !existsSync(file)) return;
    if (this.#room === undefined) this.#room = file;
    else if (this.#context.mayWrite()) rmSync(file, { force: true });
  }

  /** Throws when the checkpoint before must stay the saved one. */
  #requireWanted(): void {
    const { directory, mayWrite } = this.#context;
    if (!mayWrite()) throw new LockLostError(directory);
    if (this.#isDistrusted) throw new Error('a transaction was refused, so no later checkpoint is saved');
  }

  #checkpoint(): Checkpoint {
    const { dataFile, log } = this.#context;
    return { boot: this.#isLossy ? '' : this.#boot, savedAt: Date.now(), root: readRoot(dataFile), log: log?.name };
  }

  #replaceView(view: { done(): void } | undefined): void {
    this.#view?.done();
    this.#view = view;
  }
}
