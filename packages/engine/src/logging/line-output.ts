import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { inOwnMemory } from '../structures/own-memory.js';

/** Takes whole log lines. `kind` is the event of the line, by which losses are counted. */
export interface LineOutput {
  write(line: string, kind: string): void;
}

/** Numbers of lines that an output dropped, by kind. */
export type LostLines = Readonly<Record<string, number>>;

export interface NonBlockingOutputOptions {
  /** Largest number of bytes that wait while nobody reads. Further lines are dropped. */
  readonly bufferBytes: number;
  /** Runs when lines can be written again after some were dropped. It may write one line. */
  readonly onLoss: (lost: LostLines) => void;
  /**
   * Writes bytes, and throws like `fs.writeSync`.
   * @default fs.writeSync
   */
  readonly writeSync?: (fd: number, data: Buffer) => number;
}

/** Milliseconds before waiting lines are tried again. */
const RETRY_MS = 20;
/** Number of kinds for which losses are counted. Further kinds count as `other`. */
const LOST_KINDS = 100;
/** Milliseconds between two attempts during the exit of the process. */
const FLUSH_STEP_MS = 5;

/**
 * Writes lines to a descriptor without ever waiting for its reader. As long as somebody reads, a line is in the kernel when `write`
 * returns. Otherwise lines wait in a bounded buffer. Log lines that do not fit are dropped and counted. An error of the descriptor, such as
 * a closed pipe, also drops lines and ends nothing.
 */
export class NonBlockingOutput implements LineOutput {
  readonly #fd: number;
  readonly #options: NonBlockingOutputOptions;
  readonly #writeSync: (fd: number, data: Buffer) => number;
  /** Waiting lines. A part of the first may have been written. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #lost = new Map<string, number>();
  #lostLines = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(fd: number, options: NonBlockingOutputOptions) {
    this.#fd = fd;
    this.#options = options;
    this.#writeSync = options.writeSync ?? ((to, data) => writeSync(to, data));
  }

  /** Number of lines that were dropped. */
  get lostLines(): number {
    return this.#lostLines;
  }

  write(line: string, kind: string): void {
    const data = Buffer.from(line);
    if (this.#waiting.length === 0) {
      const rest = this.#attempt(data);
      if (rest === undefined) return this.#lose(kind);
      if (rest.length === 0) return this.#reportLoss();
      this.#keep(rest);
    } else if (this.#waitingBytes + data.length > this.#options.bufferBytes) {
      this.#lose(kind);
    } else {
      this.#keep(data);
    }
    this.#timer ??= setTimeout(() => this.#retry(), RETRY_MS).unref();
  }

  /** Writes the waiting lines before the process ends. Blocks the process for at most `mostMs` while nobody reads. */
  flush(mostMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const step = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; waited < mostMs; waited += FLUSH_STEP_MS) {
      this.#drain();
      if (this.#waiting.length === 0) break;
      Atomics.wait(step, 0, 0, FLUSH_STEP_MS);
    }
    clearTimeout(this.#timer);
  }

  #retry(): void {
    this.#timer = undefined;
    this.#drain();
    if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#retry(), RETRY_MS).unref();
  }

  #drain(): void {
    while (this.#waiting.length > 0) {
      const data = this.#waiting[0] as Buffer;
      const rest = this.#attempt(data);
      if (rest === undefined) {
        this.#lose('waiting', this.#waiting.length);
        this.#waiting = [];
        this.#waitingBytes = 0;
        return;
      }
      this.#waitingBytes -= data.length - rest.length;
      if (rest.length > 0) {
        this.#waiting[0] = rest;
        return;
      }
      this.#waiting.shift();
    }
    this.#reportLoss();
  }

  #reportLoss(): void {
    const lost = this.#lost;
    if (lost.size === 0) return;
    this.#lost = new Map();
    this.#options.onLoss(Object.fromEntries(lost));
  }

  /**
   * Writes bytes. Returns the bytes that could not be written now, or `undefined` if the descriptor is broken and nobody will ever read.
   */
  #attempt(data: Buffer): Buffer | undefined {
    let rest = data;
    try {
      while (rest.length > 0) rest = rest.subarray(this.#writeSync(this.#fd, rest));
      return rest;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? rest : undefined;
    }
  }

  #keep(data: Buffer): void {
    this.#waiting.push(inOwnMemory(data));
    this.#waitingBytes += data.length;
  }

  #lose(kind: string, lines = 1): void {
    this.#lostLines += lines;
    const name = this.#lost.has(kind) || this.#lost.size < LOST_KINDS ? kind : 'other';
    this.#lost.set(name, (this.#lost.get(name) ?? 0) + lines);
  }
}

/**
 * Returns a descriptor that never blocks and leads to the same target as `fd`. A pipe or a terminal is opened anew, so that other processes
 * that share it keep their mode. A socket cannot be opened anew, so it is set to non-blocking. A file needs neither.
 */
export function nonBlocking(fd: number): number {
  // Without `bigint`, Node 20 follows no links to packages after this call, if the descriptor is a pipe or a socket.
  const stat = fstatSync(fd, { bigint: true });
  if (stat.isFile()) return fd;
  if (!stat.isSocket()) {
    try {
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch {
      // This system is not Linux, or the pipe belongs to another user.
    }
  }
  // libuv sets a descriptor that it opens to non-blocking. The handle must live as long as the process. Otherwise it would close the
  // descriptor.
  HANDLES.add(new Socket({ fd, readable: false, writable: true }).unref());
  return fd;
}

const HANDLES = new Set<Socket>();
