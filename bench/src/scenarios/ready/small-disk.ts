import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const CHUNK = Buffer.alloc(65_536, 1);

/** A file system in memory that a round can fill. */
export class SmallDisk {
  /** The directory where it is mounted. */
  readonly path: string;
  readonly #filler: string;

  private constructor(path: string) {
    this.path = path;
    this.#filler = join(path, 'filler');
  }

  /** Mounts one on a new directory. Returns `undefined` where that is not allowed, since it takes root. */
  static mount(path: string, mebibytes: number): SmallDisk | undefined {
    mkdirSync(path);
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path]);
    return status === 0 ? new SmallDisk(path) : undefined;
  }

  /** Writes another file until nothing is free. */
  fill(): void {
    const file = openSync(this.#filler, 'a');
    try {
      while (hasWritten(file));
    } finally {
      closeSync(file);
    }
  }

  clear(): void {
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.path]);
  }
}

function hasWritten(file: number): boolean {
  try {
    return writeSync(file, CHUNK) === CHUNK.length;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
