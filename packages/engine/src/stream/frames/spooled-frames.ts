import type { FileHandle } from 'node:fs/promises';
import { LIMITS } from '@rivulet/protocol';
import { ReadEndedError } from './read-ended.js';

/** The part of the spool that counts the bytes of one file. */
export interface SpoolAccount {
  /** Reserves bytes of the spool. Throws ReadEndedError when it has no room for them. */
  reserve(bytes: number): Promise<void>;
  /** Counts and logs a failure of the disk, and returns the error to throw. */
  failed(error: unknown): ReadEndedError;
  /** Frees reserved bytes. */
  release(bytes: number): void;
  /** Records that the file is closed. */
  closed(): void;
}

/** Bytes that are written to the file in one step. */
const WRITE_BYTES = 1_048_576;
/** Speed of the slowest reader that a file is kept for, in bytes a second. */
const LEAST_RATE = 16_384;

/**
 * Frames in a file without a name. The engine writes them once, from first to last; then many readers read them, each at its own speed. The
 * file is closed by `close`, or when a reader of `LEAST_RATE` would have read all of it. So a slower reader keeps no space of the disk.
 */
export class SpooledFrames {
  readonly #file: FileHandle;
  readonly #account: SpoolAccount;
  /** Place in the file where each frame ends. */
  readonly #ends: number[] = [];
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #reserved = 0;
  #written = 0;
  #deadline: NodeJS.Timeout | undefined;
  #ended = false;
  /** Frames that some reader holds now. Other readers share them. */
  readonly #shared = new Map<number, WeakRef<Buffer>>();
  readonly #reading = new Map<number, Promise<Buffer>>();

  constructor(file: FileHandle, account: SpoolAccount) {
    this.#file = file;
    this.#account = account;
  }

  /** Number of frames. */
  get length(): number {
    return this.#ends.length;
  }

  /** Adds a frame. Resolves when the disk can take more. After an error only `close` may be called. */
  async add(frame: Buffer): Promise<void> {
    this.#ends.push((this.#ends.at(-1) ?? 0) + frame.length);
    this.#pending.push(frame);
    this.#pendingBytes += frame.length;
    if (this.#pendingBytes >= WRITE_BYTES) await this.#flush();
  }

  /** Ends the writing. From then on the frames can be read. */
  async seal(): Promise<void> {
    await this.#flush();
    this.#requireOpen();
    const milliseconds = LIMITS.snapshotStallMs + (this.#written / LEAST_RATE) * 1_000;
    this.#deadline = setTimeout(() => this.close(), milliseconds);
    this.#deadline.unref();
  }

  /** Returns a frame. Throws ReadEndedError when the file is closed or can't be read. */
  async read(index: number): Promise<Buffer> {
    this.#requireOpen();
    const held = this.#shared.get(index)?.deref();
    if (held !== undefined) return held;
    let reading = this.#reading.get(index);
    if (reading === undefined) {
      reading = this.#read(index).finally(() => this.#reading.delete(index));
      this.#reading.set(index, reading);
    }
    return reading;
  }

  /** Closes the file, which frees its space. Readers get ReadEndedError at their next frame. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#deadline);
    this.#pending = [];
    this.#shared.clear();
    const closed = () => {
      this.#account.release(this.#reserved);
      this.#account.closed();
    };
    // Node closes the file after the reads and writes that are under way.
    this.#file.close().then(closed, closed);
  }

  async #read(index: number): Promise<Buffer> {
    const from = this.#ends[index - 1] ?? 0;
    const frame = Buffer.allocUnsafeSlow((this.#ends[index] ?? from) - from);
    try {
      for (let at = 0; at < frame.length; ) {
        const { bytesRead } = await this.#file.read(frame, at, frame.length - at, from + at);
        if (bytesRead === 0) throw new Error('the file is shorter than what was written');
        at += bytesRead;
      }
    } catch (error) {
      this.#requireOpen();
      throw this.#account.failed(error);
    }
    this.#shared.set(index, new WeakRef(frame));
    return frame;
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#requireOpen();
    await this.#account.reserve(bytes.length);
    if (this.#ended) this.#account.release(bytes.length);
    this.#requireOpen();
    this.#reserved += bytes.length;
    try {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#written);
        at += bytesWritten;
        this.#written += bytesWritten;
      }
    } catch (error) {
      this.#requireOpen();
      throw this.#account.failed(error);
    }
  }

  #requireOpen(): void {
    if (this.#ended) throw new ReadEndedError('its file is closed: the reader is too slow, or the engine stops');
  }
}
