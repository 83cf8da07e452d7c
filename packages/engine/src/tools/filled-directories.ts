import { existsSync, lchownSync, lstatSync, mkdtempSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RivuletError } from '@rivulet/protocol';
import { lockDirectory } from '../store/lmdb/copying/store-copy.js';
import type { DirectoryLock } from '../store/lmdb/env/directory-lock.js';
import { createDirectory } from '../store/lmdb/env/file-pages.js';

/** A directory that a tool fills. */
export interface FilledDirectory {
  readonly path: string;
  /** Removes everything that the tool put into the directory, and the directory if the tool created it. */
  undo(): void;
}

/** Creates a directory and those that lead to it. Returns `false` if it exists. */
export function makeDirectory(path: string): boolean {
  if (existsSync(path)) return false;
  createDirectory(path);
  return true;
}

/**
 * Gives the files of root in a directory to the owner of the directory, when root runs the tool: an engine that is not root could not open
 * them otherwise. Does nothing when another user runs it. Call it at the end of a tool.
 */
export function giveFilesToOwner(directory: string): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(directory);
  for (const path of readdirSync(directory).map((name) => join(directory, name)))
    if (lstatSync(path, { throwIfNoEntry: false })?.uid === 0) lchownSync(path, uid, gid);
}

/** Returns what gives the directories that a tool is about to create up to `path` to the owner of the one above them, likewise. */
export function futureOwner(path: string): () => void {
  const missing: string[] = [];
  let above = resolve(path);
  for (; !existsSync(above); above = dirname(above)) missing.push(above);
  return () => {
    if (process.geteuid?.() !== 0) return;
    const { uid, gid } = statSync(above);
    for (const each of missing) lchownSync(each, uid, gid);
  };
}

/** Creates a directory, or takes one that is empty. Throws DIRECTORY_NOT_EMPTY otherwise. */
export function takeEmptyDirectory(path: string): FilledDirectory {
  const created = makeDirectory(path);
  const [first] = readdirSync(path);
  if (first !== undefined) {
    throw new RivuletError(
      'DIRECTORY_NOT_EMPTY',
      `${path} is not empty (${first}); delete it if it is a backup that did not end, or name a new or an empty directory`,
    );
  }
  return {
    path,
    undo: () => {
      for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
      if (created) rmdirSync(path);
    },
  };
}

const PREFIX = '.rivulet-export-';
/** Everything that a command puts into its directory. A directory with anything else stays. */
const CONTENT = /^(stream|state|rivulet-store\.lock-.*)$/;
/** Attempts when another command takes a new directory for a leftover. */
const ATTEMPTS = 5;

/** A temporary directory for copies of stores. Its lock says that the command runs. The next command removes those of killed ones. */
export class ScratchDirectory {
  readonly path: string;
  readonly #lock: DirectoryLock;

  private constructor(path: string, lock: DirectoryLock) {
    this.path = path;
    this.#lock = lock;
  }

  /** Creates a directory with mode 0700, and removes what killed commands of the same user left in `parent`. */
  static async create(parent: string): Promise<ScratchDirectory> {
    for (const name of readdirSync(parent)) {
      const path = join(parent, name);
      if (name.startsWith(PREFIX) && isOwn(path)) (await lockOrNothing(path))?.remove();
    }
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const created = await lockOrNothing(mkdtempSync(join(parent, PREFIX)));
      if (created !== undefined) return created;
    }
    throw new RivuletError(
      'DIRECTORY_IN_USE',
      `other commands took the temporary directories in ${parent}; try again, or name --temporary`,
    );

    async function lockOrNothing(path: string): Promise<ScratchDirectory | undefined> {
      try {
        return new ScratchDirectory(path, await lockDirectory(path));
      } catch {
        return undefined;
      }
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
    this.#lock.release();
  }
}

function isOwn(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() !== true || (process.getuid !== undefined && stats.uid !== process.getuid())) return false;
  return readdirSync(path).every((name) => CONTENT.test(name));
}
