import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const BALLAST = 'rivulet-ballast';
const CHUNK_BYTES = 1_048_576;

/**
 * A file that occupies space on the disk. When the disk is full, the store removes the file, and deletes use its space.
 */
export class Ballast {
  readonly bytes: number;
  readonly #file: string;
  #laid: boolean;
  #laying: Promise<void> | undefined;
  #ended = false;

  /** `bytes`: the size of the file; 0 for no ballast. A file that an earlier run has written counts. */
  constructor(directory: string, bytes: number) {
    this.bytes = bytes;
    this.#file = join(directory, BALLAST);
    this.#laid = bytes > 0 && (statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0) >= bytes;
  }

  /** The file exists in its whole size. */
  get laid(): boolean {
    return this.#laid;
  }

  /** Writes the file in chunks. Never rejects; without space on the disk there is no ballast. */
  lay(): Promise<void> {
    if (this.#laid || this.bytes === 0 || this.#ended) return Promise.resolve();
    this.#laying ??= this.#write().finally(() => {
      this.#laying = undefined;
    });
    return this.#laying;
  }

  /** Removes the file. Returns false when there was none. */
  release(): boolean {
    this.#laid = false;
    return releaseBallast(this.#file);
  }

  /** Stops the writing. A complete file stays for the next run. */
  async close(): Promise<void> {
    this.#ended = true;
    await this.#laying;
  }

  async #write(): Promise<void> {
    // Random bytes, because zeros would take no space in a compressing file system.
    const chunk = randomBytes(Math.min(CHUNK_BYTES, this.bytes));
    try {
      const file = await open(this.#file, 'w', 0o600);
      try {
        for (let at = 0; at < this.bytes && !this.#ended; at += chunk.length) {
          await file.write(chunk, 0, Math.min(chunk.length, this.bytes - at), at);
        }
      } finally {
        await file.close();
      }
      this.#laid = !this.#ended && statSync(this.#file).size >= this.bytes;
      if (!this.#laid) releaseBallast(this.#file);
    } catch {
      releaseBallast(this.#file);
    }
  }
}

/** Removes the ballast of a directory whose store is not open yet. Returns false when there was none. */
export function releaseBallastIn(directory: string): boolean {
  return releaseBallast(join(directory, BALLAST));
}

function releaseBallast(file: string): boolean {
  try {
    if (statSync(file, { throwIfNoEntry: false }) === undefined) return false;
    rmSync(file, { force: true });
    return true;
  } catch {
    return false;
  }
}
