import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS } from '@rivulet/protocol';
import type { EventCounters } from '../../logging/event-counters.js';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { ReadEndedError } from './read-ended.js';
import { SpooledFrames } from './spooled-frames.js';

export interface SpoolOptions {
  /** Directory of the files. They have no name in it. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters?: EventCounters | undefined;
  /** Bytes of all files together. @default LIMITS.spoolBytes */
  readonly most?: number;
}

/** Share of the free disk space that one write may take. The rest stays for the store. */
const FREE_SHARE = 0.25;
/** Milliseconds between two log lines about a full spool. */
const WARN_MS = 60_000;
/** Flag of Linux that opens a file without a name. Node has no constant for it. */
const O_TMPFILE = 0o20_000_000 | constants.O_DIRECTORY;

/**
 * Files that hold frames for slow readers, because no reader may keep a view of the store. The engine writes an answer that does not fit
 * into memory to a file, at its own speed, and closes the view. All readers of the answer read the file. A file has no name, so nothing
 * of it is left after a crash.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #most: number;
  readonly #files = new Set<SpooledFrames>();
  /** Number of files that are being opened. */
  #opening = 0;
  #bytes = 0;
  #refused = 0;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#most = options.most ?? LIMITS.spoolBytes;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of answers that were refused. It only grows. */
  get refused(): number {
    return this.#refused;
  }

  /** Whether an answer was refused within the last second. */
  get isFull(): boolean {
    return this.#options.clock.monotonic() - this.#refusedAt < 1_000;
  }

  /** Opens a file. Throws ReadEndedError when too many files are open, or when the disk fails. */
  async open(): Promise<SpooledFrames> {
    if (this.#files.size + this.#opening >= LIMITS.spoolFiles) throw this.#refuse(`${LIMITS.spoolFiles} files are open`);
    this.#opening++;
    try {
      const handle = await openUnnamed(this.#options.directory);
      const frames = new SpooledFrames(handle, {
        reserve: (bytes) => this.#reserve(bytes),
        failed: (error) => this.#refuse('the disk failed', error),
        release: (bytes) => {
          this.#bytes -= bytes;
        },
        closed: () => this.#files.delete(frames),
      });
      this.#files.add(frames);
      return frames;
    } catch (error) {
      throw this.#refuse('no file can be opened', error);
    } finally {
      this.#opening--;
    }
  }

  /** Closes all files, because the engine stops. Readers get ReadEndedError. */
  close(): void {
    for (const frames of this.#files) frames.close();
  }

  async #reserve(bytes: number): Promise<void> {
    if (this.#bytes + bytes > this.#most) throw this.#refuse(`${this.#bytes} bytes are taken`);
    this.#bytes += bytes;
    const { bavail, bsize } = await statfs(this.#options.directory);
    if (bytes <= bavail * bsize * FREE_SHARE) return;
    this.#bytes -= bytes;
    throw this.#refuse('the disk is nearly full');
  }

  #refuse(why: string, cause?: unknown): ReadEndedError {
    const { clock, logger, directory, counters } = this.#options;
    this.#refused++;
    counters?.add('spool_full');
    this.#refusedAt = clock.monotonic();
    if (this.#refusedAt - this.#warnedAt >= WARN_MS) {
      this.#warnedAt = this.#refusedAt;
      logger.warn('spool_full', {
        directory,
        why,
        ...(cause instanceof Error ? { error: cause.message } : {}),
        bytes: this.#bytes,
        refused: this.#refused,
        consequence: `a client that needs more than ${LIMITS.readViewMs} ms to read a large group begins again, or its connection closes with 1013`,
      });
    }
    return new ReadEndedError(`the spool has no room: ${why}`, { cause });
  }
}

async function openUnnamed(directory: string): Promise<FileHandle> {
  if (process.platform === 'linux') {
    try {
      return await open(directory, O_TMPFILE | constants.O_RDWR, 0o600);
    } catch (error) {
      // Some file systems do not support the flag. Any other error occurs again below.
      if (!isUnsupported(error)) throw error;
    }
  }
  const path = join(directory, `.spool-${randomUUID()}`);
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await unlink(path);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}

function isUnsupported(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['EOPNOTSUPP', 'ENOTSUP', 'EISDIR', 'EINVAL', 'ENOENT'].includes(String(error.code));
}
