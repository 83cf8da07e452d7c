import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import { lockDirectory } from '../store/lmdb/copying/store-copy.js';
import type { DirectoryLock } from '../store/lmdb/env/directory-lock.js';
import { syncFile } from '../store/lmdb/env/file-pages.js';
import { DATA_FILE, MARKER, STAGE } from '../store/lmdb/env/store-marker.js';
import { futureOwner, giveFilesToOwner, makeDirectory } from './filled-directories.js';

/** Files of this lock, and those that killed processes left. */
const LOCK_FILES = /^rivulet-store\.lock-/;

/**
 * A store that is built in a folder inside its empty directory, and takes its place in one step. While the folder has the store, engines
 * refuse to start in the directory. A command that was killed leaves the folder; the next command removes it and begins anew.
 */
export class StagedStore {
  /** The folder to fill. */
  readonly folder: string;
  readonly #path: string;
  readonly #lock: DirectoryLock;
  readonly #isNew: boolean;

  private constructor(path: string, lock: DirectoryLock, isNew: boolean) {
    this.#path = path;
    this.#lock = lock;
    this.#isNew = isNew;
    this.folder = join(path, STAGE);
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { mode: 0o700 });
    syncFile(path);
  }

  /** Takes an empty directory, or creates it. Rejects with DIRECTORY_NOT_EMPTY or DIRECTORY_IN_USE. */
  static async create(path: string): Promise<StagedStore> {
    const giveToOwner = futureOwner(path);
    const isNew = makeDirectory(path);
    giveToOwner();
    const lock = await lockDirectory(path);
    try {
      const first = readdirSync(path).find((name) => name !== STAGE && !LOCK_FILES.test(name));
      if (first !== undefined) throw notEmpty(path, first);
      return new StagedStore(path, lock, isNew);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Moves the store into its place. The marker goes last. */
  settle(): void {
    for (const file of [DATA_FILE, MARKER]) renameSync(join(this.folder, file), join(this.#path, file));
    giveFilesToOwner(this.#path);
    syncFile(this.#path);
    rmSync(this.folder, { recursive: true, force: true });
    syncFile(this.#path);
  }

  /** Lets engines use the directory. Call it when all stores of the command have settled. */
  release(): void {
    this.#lock.release();
  }

  /** Removes the store, also a settled one, and the directory if this command has created it. */
  undo(): void {
    for (const name of [this.folder, join(this.#path, DATA_FILE), join(this.#path, MARKER)]) rmSync(name, { recursive: true, force: true });
    this.#lock.release();
    if (this.#isNew && readdirSync(this.#path).length === 0) rmdirSync(this.#path);
  }
}

function notEmpty(path: string, first: string): RivuletError {
  const remedy = existsSync(join(path, MARKER))
    ? 'it has a store already: move it away or delete it, or name another --config'
    : `it has ${first}: name a new or an empty directory`;
  return new RivuletError('DIRECTORY_NOT_EMPTY', `${path} is not empty; ${remedy}`);
}
