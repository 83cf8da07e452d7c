import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const BALLAST = 'rivulet-ballast';
const CHUNK_BYTES = 1_048_576;

/**
 * A file that holds room on a disk while there is enough of it, and is let go when the disk is full: then what frees room can still be
 * written.
 */
export class Ballast {
  readonly bytes: number;
  readonly #file: string;
  #laid: boolean;
  #laying: Promise<void> | undefined;
  #ended = false;

  /** `bytes`: 0 for none. One that an earlier run has laid in the directory counts. */
  constructor(directory: string, bytes: number) {
    this.bytes = bytes;
    this.#file = join(directory, BALLAST);
    this.#laid = bytes > 0 && (statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0) >= bytes;
  }

  get laid(): boolean {
    return this.#laid;
  }

  /** Takes the room, a part at a time. Never rejects: without room there is no ballast. */
  lay(): Promise<void> {
    if (this.#laid || this.bytes === 0 || this.#ended) return Promise.resolve();
    this.#laying ??= this.#write().finally(() => {
      this.#laying = undefined;
    });
    return this.#laying;
  }

  /** Gives the room back at once. False when there was none to give. */
  release(): boolean {
    this.#laid = false;
    return releaseBallast(this.#file);
  }

  /** What is laid stays for the next run. */
  async close(): Promise<void> {
    this.#ended = true;
    await this.#laying;
  }

  async #write(): Promise<void> {
    // Not zeros: file systems that compress would hold no room for them.
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

/** For the start of a store on a full disk. */
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
