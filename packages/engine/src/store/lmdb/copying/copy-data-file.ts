import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { RivuletError } from '@rivulet/protocol';
import { diskSpace } from '../env/free-space.js';
import { DEFAULT_SPACE } from '../writing/disk-space.js';

const CHUNK_BYTES = 1_048_576;
/** Bytes that are put on the disk in one go. A flush of the whole copy would hold up each commit of the engine on that disk. */
const FLUSHED_BYTES = 8 * CHUNK_BYTES;
/** Between two measurements of the disk. */
const MEASURED_BYTES = 16 * CHUNK_BYTES;

export interface DataFileCopy {
  /** The file to read. */
  readonly from: string;
  /** The file to write. It must not exist. */
  readonly to: string;
  /** A directory on the disk of `to`. */
  readonly directory: string;
  /** The begin of the copy, in place of that of the file. */
  readonly metaPages: Buffer;
  /** Size of the copy. */
  readonly usedBytes: number;
  /** Called after each chunk. The copy waits for it, and fails when it rejects. */
  readonly onChunk?: (bytes: number) => Promise<void> | void;
}

export interface CopiedFile {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Copies a data file as it was at one moment, and puts the copy on the disk. The pages of that moment must not change meanwhile. Rejects
 * with STORE_FULL before the disk is full.
 */
export async function copyDataFile(copy: DataFileCopy): Promise<CopiedFile> {
  const { metaPages, usedBytes, directory } = copy;
  const hash = createHash('sha256');
  const source = await open(copy.from, 'r');
  try {
    const target = await open(copy.to, 'wx', 0o600);
    try {
      hash.update(metaPages);
      await target.write(metaPages, 0, metaPages.length, 0);
      const chunk = Buffer.alloc(CHUNK_BYTES);
      let measuredAt = Number.NEGATIVE_INFINITY;
      let flushedAt = 0;
      for (let at = metaPages.length; at < usedBytes; ) {
        if (at - measuredAt >= MEASURED_BYTES) {
          requireSpace(directory);
          measuredAt = at;
        }
        const length = Math.min(CHUNK_BYTES, usedBytes - at);
        await fill(source, chunk, length, at);
        hash.update(chunk.subarray(0, length));
        await target.write(chunk, 0, length, at);
        at += length;
        if (at - flushedAt >= FLUSHED_BYTES) {
          await target.datasync();
          flushedAt = at;
        }
        await copy.onChunk?.(length);
      }
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
  return { bytes: usedBytes, sha256: hash.digest('hex') };
}

/** Reads a file from its begin to its end. */
export async function hashFile(path: string, onChunk?: (bytes: number) => void): Promise<CopiedFile> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, at);
      if (bytesRead === 0) return { bytes: at, sha256: hash.digest('hex') };
      hash.update(chunk.subarray(0, bytesRead));
      at += bytesRead;
      onChunk?.(bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Fills the begin of a buffer. Free pages may lie behind the end of the file; they are read as zeros. */
async function fill(file: FileHandle, chunk: Buffer, length: number, position: number): Promise<void> {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(chunk, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  chunk.fill(0, done, length);
}

function requireSpace(directory: string): void {
  const space = diskSpace(directory);
  if (space === undefined) return;
  const least = Math.max(DEFAULT_SPACE.minFreeBytes, (space.totalBytes * DEFAULT_SPACE.minFreePercent) / 100);
  if (space.freeBytes >= least) return;
  throw new RivuletError('STORE_FULL', `the disk of ${directory} is nearly full, so the copy ended; give it room, or choose another disk`);
}
