import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export type FileSystem = 'tmpfs' | 'ext4';

const CHUNK = Buffer.alloc(65_536, 1);
const MIB = 1_048_576;

/** A small file system that a test can fill. It is unmounted when the test ends. */
export class SmallDisk {
  /** The directory where it is mounted. */
  readonly path: string;
  readonly #filler: string;

  private constructor(path: string) {
    this.path = path;
    this.#filler = join(path, 'filler');
  }

  static mount(kind: FileSystem, mebibytes: number): SmallDisk {
    const place = mkdtempSync(join(tmpdir(), 'rivulet-disk-'));
    const path = join(place, 'disk');
    mkdirSync(path);
    onTestFinished(() => {
      spawnSync('umount', ['-l', path]);
      rmSync(place, { recursive: true, force: true });
    });
    if (kind === 'tmpfs') run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path]);
    else {
      const image = join(place, 'image');
      closeSync(openSync(image, 'w'));
      truncateSync(image, mebibytes * MIB);
      run('mkfs.ext4', ['-q', '-m', '0', image]);
      run('mount', ['-o', 'loop', image, path]);
    }
    return new SmallDisk(path);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Writes another file until no more than `left` bytes are free. */
  fill(left = 0): void {
    const file = openSync(this.#filler, 'a');
    try {
      // The last chunk may fit only in part.
      for (const size of [CHUNK.length, 4_096]) {
        while (hasWritten(file, size));
      }
      ftruncateSync(file, fstatSync(file).size - left);
    } finally {
      closeSync(file);
    }
  }

  clear(): void {
    rmSync(this.#filler, { force: true });
  }
}

/** Returns why this machine cannot mount a file system; `undefined` when it can. */
export function cannotMount(): string | undefined {
  const place = mkdtempSync(join(tmpdir(), 'rivulet-mount-'));
  try {
    run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place]);
    run('umount', [place]);
    return undefined;
  } catch (error) {
    return `no file system can be mounted, which takes root: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function hasWritten(file: number, size: number): boolean {
  try {
    return writeSync(file, CHUNK, 0, size) === size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
