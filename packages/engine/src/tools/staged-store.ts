import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { lockDirectory } from '../store/lmdb/copying/store-copy.js';
import { syncFile } from '../store/lmdb/env/file-pages.js';
import { DATA_FILE, MARKER } from '../store/lmdb/env/store-marker.js';
import { type FilledDirectory, takeEmptyDirectory } from './empty-directory.js';

/** The folder in which a store is built. An interrupted command leaves only this folder, and never half a store. */
const STAGE = 'rivulet-new';

/** A store that is built inside its empty directory, and takes its place in one step. */
export class StagedStore {
  /** The folder to fill. */
  readonly folder: string;
  readonly #directory: FilledDirectory;
  readonly #lock: { release(): void };

  private constructor(directory: FilledDirectory, lock: { release(): void }) {
    this.#directory = directory;
    this.#lock = lock;
    this.folder = join(directory.path, STAGE);
    mkdirSync(this.folder, { mode: 0o700 });
  }

  /** Rejects with DIRECTORY_NOT_EMPTY or DIRECTORY_IN_USE. */
  static async create(path: string): Promise<StagedStore> {
    const directory = takeEmptyDirectory(path);
    return new StagedStore(directory, await lockDirectory(path));
  }

  /** Moves the store into its place. The marker goes last. */
  settle(): void {
    const { path } = this.#directory;
    for (const file of [DATA_FILE, MARKER]) renameSync(join(this.folder, file), join(path, file));
    rmSync(this.folder, { recursive: true, force: true });
    syncFile(path);
    this.#lock.release();
  }

  /** Removes everything. Does nothing harmful after `settle` of another store. */
  undo(): void {
    this.#lock.release();
    this.#directory.undo();
  }
}
