import { randomUUID, timingSafeEqual } from 'node:crypto';
import { type CloseName, LIMITS } from '@rivulet/protocol';
import { inOwnMemory } from '../../structures/own-memory.js';
import type { MessageWriter } from './message-turns.js';

/** One message of a channel: a WebSocket message, as its writer sent it. */
export interface ChannelMessage {
  readonly data: Buffer;
  readonly binary: boolean;
}

export type ChannelDirection = 'read' | 'write';

/** The reason why a channel lets an endpoint go. It gives the close code of the endpoint's socket. */
export type ChannelEnd = Extract<CloseName, 'done' | 'readerGone' | 'writerLost' | 'restart' | 'revoked' | 'expired'>;

/** The receiving end of a channel: a socket, or the engine itself. */
export interface ChannelReader {
  /** True when the reader takes a message now. When it becomes true again, the reader calls `Channel.pump`. */
  readonly ready: boolean;
  deliver(message: ChannelMessage): void;
  /** Ends the reader, once. With `done` and `writerLost` every message was delivered before. With any other end, messages may be lost. */
  finish(end: ChannelEnd): void;
}

/** The sending end of a channel: a socket, or the engine itself. */
export interface ChannelWriter {
  /** Asks the writer to stop until `resume`. The channel keeps messages that arrive in spite of that. Idempotent. */
  pause(): void;
  resume(): void;
  /** Finds out whether the peer of a writer that has waited for long still exists. */
  probePeer(): void;
  /** Ends the writer, once: nobody reads the channel any more. */
  finish(end: ChannelEnd): void;
}

/** Bytes that a held message counts for, beside its data. */
const MESSAGE_BYTES = 256;

/** The surroundings of a channel: the share of its owner, or the pool of its kind. */
export interface ChannelContext {
  /** True when the channels that share a bound hold as much as they may. */
  readonly full: boolean;
  /** Adds to the bytes that the channels hold. `bytes` may be negative. */
  hold(bytes: number): void;
  /**
   * Returns whether a reader may take more when its socket has `buffered` unsent bytes. When the answer becomes true again, the context
   * calls `Channel.pump`.
   */
  mayDeliver(buffered: number): boolean;
  /** Adds to the bytes that the sockets of readers have not sent. `bytes` may be negative. */
  unsent(bytes: number): void;
  /** Counts bytes that came in. */
  passed(bytes: number): void;
  /** Sets the bytes that were read of a message which is not whole. 0 when there is no such message. */
  unfinished(channel: Channel, bytes: number): void;
  /** Runs when a writer has connected. */
  writerAttached(channel: Channel): void;
  /** Runs when `heldBack` of a channel has changed. */
  heldBackChanged(): void;
  monotonic(): number;
  /** Removes a channel that has ended. */
  remove(channel: Channel): void;
}

type ReaderEnd = { readonly kind: 'free' } | { readonly kind: 'open'; readonly reader: ChannelReader } | { readonly kind: 'closed' };

type WriterEnd =
  | { readonly kind: 'free' }
  | {
      readonly kind: 'open';
      readonly writer: ChannelWriter;
      /** Time since which the full channel holds the writer back, in monotonic milliseconds; `undefined` while it does not. */
      fullSince: number | undefined;
      /** True while other writers of the same owner finish their messages first. */
      waitsForTurn: boolean;
    }
  /** `lost`: the writer did not say that it was done. */
  | { readonly kind: 'closed'; readonly lost: boolean };

const FREE = { kind: 'free' } as const;

/**
 * A bounded pipe from one writer to one reader.
 *
 * writer ──write──▶ waiting messages ──deliver──▶ reader
 *
 * - Each end connects once, in either order. Its states are `free`, `open` and `closed`.
 * - Messages keep their order and their boundaries.
 * - A full channel pauses its writer. It never drops a message while both ends are connected.
 * - The channel ends when its reader closes, or when its writer has closed and every message was delivered.
 *
 * A message skips the queue when the queue is empty and the reader is ready. Otherwise the channel copies the message to memory of its own,
 * because its buffer may keep a much larger one alive.
 */
export class Channel implements MessageWriter {
  readonly id = randomUUID();
  /** The keys that open each end. They differ, so that a reader can't write. */
  readonly keys: Readonly<Record<ChannelDirection, string>> = { read: randomUUID(), write: randomUUID() };
  /** Id of the worker that created the channel; `undefined` for a channel of the engine. */
  readonly owner: string | undefined;
  readonly #context: ChannelContext;
  readonly #capacity: number;
  #messages: ChannelMessage[] = [];
  /** Index of the oldest message that was not delivered. */
  #head = 0;
  #bytes = 0;
  #reader: ReaderEnd = FREE;
  #writer: WriterEnd = FREE;
  #over = false;
  /** Time at which the last endpoint closed, or the channel was created. In monotonic milliseconds. */
  #idleSince: number;

  constructor(context: ChannelContext, capacity: number, owner: string | undefined) {
    this.#context = context;
    this.#capacity = capacity;
    this.owner = owner;
    this.#idleSince = context.monotonic();
  }

  /** Messages that wait for the reader. */
  get size(): number {
    return this.#messages.length - this.#head;
  }

  /** True when the channel has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** True when a writer has ever connected. */
  get hasWriter(): boolean {
    return this.#writer.kind !== 'free';
  }

  /** True when an endpoint has ever connected. */
  get used(): boolean {
    return this.#reader.kind !== 'free' || this.#writer.kind !== 'free';
  }

  /** Time since which no endpoint is connected, in monotonic milliseconds; `undefined` while one is. */
  get idleSince(): number | undefined {
    return this.#reader.kind === 'open' || this.#writer.kind === 'open' ? undefined : this.#idleSince;
  }

  /** Probes the peer of a writer that waits since before `before` for a reader that has never connected. */
  probePeer(before: number): void {
    if (this.#reader.kind !== 'free' || this.#writer.kind !== 'open') return;
    const { fullSince, writer } = this.#writer;
    if (fullSince !== undefined && fullSince <= before) writer.probePeer();
  }

  /** Returns whether a key opens an end. All wrong keys of the right length take the same time. */
  opens(direction: ChannelDirection, key: string): boolean {
    const expected = Buffer.from(this.keys[direction]);
    const given = Buffer.from(key);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  /**
   * Connects the reader and delivers the waiting messages before it returns. Returns false when the end was ever taken, or when the channel
   * has ended.
   */
  attachReader(reader: ChannelReader): boolean {
    if (this.#over || this.#reader.kind !== 'free') return false;
    this.#reader = { kind: 'open', reader };
    this.pump();
    return true;
  }

  /** Connects the writer. Returns false when the end was ever taken, or when the channel has ended. */
  attachWriter(writer: ChannelWriter): boolean {
    if (this.#over || this.#writer.kind !== 'free') return false;
    this.#writer = { kind: 'open', writer, fullSince: undefined, waitsForTurn: false };
    this.#context.writerAttached(this);
    this.pauseIfFull();
    return true;
  }

  write(message: ChannelMessage): void {
    if (this.#over || this.#writer.kind !== 'open') return;
    this.#context.passed(message.data.length);
    const reader = this.#connected;
    if (this.size === 0 && reader?.ready === true) {
      reader.deliver(message);
      if (this.#context.full) this.pauseIfFull();
      return;
    }
    const { data, binary } = message;
    this.#messages.push({ data: inOwnMemory(data), binary });
    this.#hold(data.length + MESSAGE_BYTES);
    this.pauseIfFull();
  }

  /** Pauses the writer when the channel, or all channels that share its bound, are full. */
  pauseIfFull(): void {
    const end = this.#writer;
    if (end.kind !== 'open' || end.fullSince !== undefined || !(this.#full || this.#crowded)) return;
    end.fullSince = this.#context.monotonic();
    end.writer.pause();
    this.#context.heldBackChanged();
  }

  /** Resumes the writer when half of the channel is free and the shared bound is not reached. Returns whether it did. */
  resumeIfFree(): boolean {
    const end = this.#writer;
    if (end.kind !== 'open' || end.fullSince === undefined || !this.#emptied || this.#crowded) return false;
    end.fullSince = undefined;
    if (!end.waitsForTurn) end.writer.resume();
    this.#context.heldBackChanged();
    return true;
  }

  get heldBack(): boolean {
    return this.#writer.kind === 'open' && this.#writer.fullSince !== undefined;
  }

  waitForTurn(): void {
    if (this.#writer.kind !== 'open') return;
    this.#writer.waitsForTurn = true;
    this.#writer.writer.pause();
  }

  takeTurn(): void {
    if (this.#writer.kind !== 'open') return;
    this.#writer.waitsForTurn = false;
    if (this.#writer.fullSince === undefined) this.#writer.writer.resume();
  }

  /** Counts the bytes of a message that has begun and is not whole. 0 when the message is whole. */
  unfinished(bytes: number): void {
    if (!this.#over && this.#writer.kind === 'open') this.#context.unfinished(this, bytes);
  }

  /** Ends the writer. `lost`: it did not say that it is done, so the reader learns that messages may be missing. Idempotent. */
  writerClosed(lost: boolean): void {
    if (this.#writer.kind === 'closed') return;
    this.#writer = { kind: 'closed', lost };
    this.#context.unfinished(this, 0);
    this.#idleSince = this.#context.monotonic();
    this.#endWhenDelivered();
  }

  /** Ends the reader and the channel, also when messages still wait. Idempotent. */
  readerClosed(): void {
    this.#reader = { kind: 'closed' };
    this.end('readerGone');
  }

  /** Returns whether a reader may take more when its socket has `buffered` unsent bytes. */
  mayDeliver(buffered: number): boolean {
    return this.#context.mayDeliver(buffered);
  }

  /** Adds to the unsent bytes of the reader's socket. `bytes` may be negative. It also counts after the channel has ended. */
  unsent(bytes: number): void {
    this.#context.unsent(bytes);
  }

  /** Delivers waiting messages while the reader is ready. Returns whether it delivered any. */
  pump(): boolean {
    const head = this.#head;
    for (;;) {
      const reader = this.#connected;
      const message = this.#messages[this.#head];
      if (message === undefined || reader?.ready !== true) break;
      this.#head++;
      this.#hold(-message.data.length - MESSAGE_BYTES);
      reader.deliver(message);
    }
    const delivered = this.#head !== head;
    this.#trim();
    if (!this.#endWhenDelivered()) this.resumeIfFree();
    return delivered;
  }

  /** Ends both endpoints and drops waiting messages. Idempotent. */
  end(end: ChannelEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#hold(-this.#bytes);
    this.#messages = [];
    this.#head = 0;
    const reader = this.#connected;
    const writer = this.#writer;
    if (this.#reader.kind === 'open') this.#reader = { kind: 'closed' };
    if (writer.kind === 'open') this.#writer = { kind: 'closed', lost: false };
    this.#context.unfinished(this, 0);
    this.#context.remove(this);
    reader?.finish(end);
    if (writer.kind === 'open') writer.writer.finish(end);
  }

  /** Ends a channel whose writer has closed and whose reader has every message. Returns whether it did. */
  #endWhenDelivered(): boolean {
    if (this.size > 0 || this.#writer.kind !== 'closed' || this.#reader.kind !== 'open') return false;
    this.end(this.#writer.lost ? 'writerLost' : 'done');
    return true;
  }

  get #connected(): ChannelReader | undefined {
    return this.#reader.kind === 'open' ? this.#reader.reader : undefined;
  }

  get #full(): boolean {
    return this.size >= this.#capacity || this.#bytes >= this.#mostBytes;
  }

  /** True when the shared bound is reached and the next message would have to wait. */
  get #crowded(): boolean {
    return this.#context.full && !(this.size === 0 && this.#connected?.ready === true);
  }

  /**
   * Bytes that the channel may hold. Before the reader connects it holds much. A connected reader needs only what bridges a short pause.
   */
  get #mostBytes(): number {
    return this.#reader.kind !== 'open' ? LIMITS.channelBytes : LIMITS.channelReadBytes;
  }

  /** True when half of the channel is free. A lower mark than "full" keeps a writer from being stopped and started for each message. */
  get #emptied(): boolean {
    if (this.size === 0) return true;
    return this.size <= this.#capacity / 2 && this.#bytes <= this.#mostBytes / 2;
  }

  #hold(bytes: number): void {
    this.#bytes += bytes;
    this.#context.hold(bytes);
  }

  #trim(): void {
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#head = 0;
    } else if (this.#head > this.#messages.length / 2) {
      this.#messages.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
