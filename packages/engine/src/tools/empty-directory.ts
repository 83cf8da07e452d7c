import { mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RivuletError } from '@rivulet/protocol';

/** A directory that a tool fills. */
export interface FilledDirectory {
  readonly path: string;
  /** Removes everything that the tool put into the directory, and the directory if the tool created it. */
  undo(): void;
}

/** Creates a directory, or takes one that is empty. Throws DIRECTORY_NOT_EMPTY otherwise. */
export function takeEmptyDirectory(path: string): FilledDirectory {
  const created = mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
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
