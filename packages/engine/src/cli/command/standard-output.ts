import { fstatSync, writeSync } from 'node:fs';
import type { UnreadOutput } from './command.js';

/** The code of the error when the reader of a pipe has closed it, as in `rivulet list chat room-1 | head`. */
const READER_GONE = 'EPIPE';

/** The output of this process. The first error ends it, and what is written after that is lost. */
export class StandardOutput implements UnreadOutput {
  readonly #stream: NodeJS.WriteStream & { readonly fd: number };
  /** Whether a write is done when the call returns, because the output is a file or a device. */
  readonly #isSynchronous: boolean;
  readonly #closed = new AbortController();
  #leave: () => void = () => {};
  readonly #left = new Promise<void>((resolve) => {
    this.#leave = resolve;
  });
  #error: NodeJS.ErrnoException | undefined;

  constructor(stream: NodeJS.WriteStream & { readonly fd: number }) {
    this.#stream = stream;
    this.#isSynchronous = !stream.isTTY && isFileOrDevice(stream.fd);
    // Without a listener, Node would end the process.
    stream.on('error', (error) => this.#end(error));
  }

  /** Aborts when no further output can be written, because the reader closed the pipe or the write failed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Returns why output was lost, or `undefined` if all of it was written, or if the reader wanted no more. */
  get failure(): NodeJS.ErrnoException | undefined {
    const error: NodeJS.ErrnoException | null = this.#error ?? this.#stream.errored;
    return error === null || error.code === READER_GONE ? undefined : error;
  }

  write(text: string): void {
    if (this.#error !== undefined) return;
    if (!this.#isSynchronous) {
      this.#stream.write(text);
      return;
    }
    try {
      // A full disk takes a part of the bytes without an error. Only the next write fails, and Node's own stream makes none.
      const bytes = Buffer.from(text);
      for (let from = 0; from < bytes.length; ) from += writeSync(this.#stream.fd, bytes, from);
    } catch (error) {
      this.#end(error);
    }
  }

  get length(): number {
    return this.#stream.writableLength;
  }

  async taken(): Promise<void> {
    if (this.#stream.writableLength === 0 || this.#stream.destroyed) return;
    await Promise.race([this.#left, new Promise<void>((resolve) => this.#stream.write('', () => resolve()))]);
  }

  leave(): void {
    this.#leave();
  }

  #end(error: unknown): void {
    this.#error ??= error instanceof Error ? error : new Error(String(error));
    this.#closed.abort();
  }
}

function isFileOrDevice(descriptor: number): boolean {
  try {
    // Without `bigint`, Node 20 follows no links to packages after this call, if the descriptor is a pipe or a socket.
    const status = fstatSync(descriptor, { bigint: true });
    return status.isFile() || status.isCharacterDevice();
  } catch {
    // The descriptor is closed. The stream of Node discards what is written.
    return false;
  }
}
