import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Creates a directory with mode 0700, and the directories above it. They are on the disk when this returns: after a power cut, a directory
 * whose name is not on the disk is missing, with all files in it.
 */
export function createDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let each = dirname(resolve(path)); ; each = dirname(each)) {
    syncFile(each);
    if (each === top || each === dirname(each)) return;
  }
}

/** Puts the content of a file, or the names in a directory, on the disk. */
export function syncFile(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Writes a file in one durable step. At any moment, the directory has either the old content or the new one. */
export function replaceFile(path: string, content: string): void {
  const next = `${path}.new`;
  const handle = openSync(next, 'w', 0o600);
  try {
    writeSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(next, path);
  syncFile(dirname(path));
}
