import { randomUUID, timingSafeEqual } from 'node:crypto';
import { type CloseName, LIMITS } from '@rivulet/protocol';
import { inOwnMemory } from '../../structures/own-memory.js';
import type { MessageWriter } from './message-turns.js';

/** What goes through a channel: one WebSocket message, as its writer sent it. */
export interface ChannelMessage {
  readonly data: Buffer;
  readonly binary: boolean;
}

export type ChannelDirection = 'read' | 'write';

/** Why an endpoint is let go; the close code that its socket gets. */
export type ChannelEnd = Extract<CloseName, 'done' | 'readerGone' | 'writerLost' | 'restart' | 'revoked' | 'expired'>;

/** Who takes what comes out: a socket, or the engine itself. */
export interface ChannelReader {
  /** Whether it takes a message now. When that becomes true again, it calls `Channel.pump`. */
  readonly ready: boolean;
  deliver(message: ChannelMessage): void;
  /** Nothing more comes: `done` or `writerLost` after everything was delivered, anything else at once. Called at most once. */
  finish(end: ChannelEnd): void;
}

/** Who puts in: a socket, or the engine itself. */
export interface ChannelWriter {
  /** It should stop writing until `resume`; what it writes in spite of that is kept. */
  pause(): void;
  resume(): void;
  /** It has waited for long: if its peer has gone, that is to be found out. */
  probePeer(): void;
  /** Nobody reads any more. Called at most once. */
  finish(end: ChannelEnd): void;
}

/** What a message takes beside its bytes. */
const MESSAGE_BYTES = 256;

/** What a channel needs of those that it stands beside. */
export interface ChannelContext {
  /** What they hold together is used up. */
  readonly full: boolean;
  /** So many bytes more are held, or fewer. */
  hold(bytes: number): void;
  /** Whether a reader takes more whose socket has `buffered` bytes to send. When that becomes true again, `Channel.pump` is called. */
  mayDeliver(buffered: number): boolean;
  /** The socket of a reader has so many more bytes to send, or fewer. */
  unsent(bytes: number): void;
  /** So many bytes have come in. */
  passed(bytes: number): void;
  /** The writer has begun messages that are not whole, and these have so many bytes. */
  unfinished(channel: Channel, bytes: number): void;
  /** A writer has connected. */
  writerAttached(channel: Channel): void;
  /** The writer is held back now, or is no longer. */
  heldBackChanged(): void;
  monotonic(): number;
  /** The channel is over. */
  remove(channel: Channel): void;
}

type EndpointState = 'free' | 'open' | 'closed';

/**
 * A bounded pipe with one writer and one reader, each of which connects once, in whatever order. Messages keep their order and their
 * boundaries. A full channel holds its writer back; nothing is ever dropped while both ends are there.
 *
 * It is over when its reader has gone, or when its writer has closed and everything was delivered.
 */
export class Channel implements MessageWriter {
  readonly id = randomUUID();
  /** The capabilities. They differ, so that who may read can't write. */
  readonly keys: Readonly<Record<ChannelDirection, string>> = { read: randomUUID(), write: randomUUID() };
  /** The worker that created it; `undefined`: the engine. */
  readonly owner: string | undefined;
  readonly #context: ChannelContext;
  readonly #capacity: number;
  #messages: ChannelMessage[] = [];
  /** Place of the oldest message that was not delivered. */
  #head = 0;
  #bytes = 0;
  #reader: ChannelReader | undefined;
  #writer: ChannelWriter | undefined;
  #readerState: EndpointState = 'free';
  #writerState: EndpointState = 'free';
  /** Since when the writer is held back; `undefined`: it isn't. */
  #pausedSince: number | undefined;
  /** The writer waits until other writers of the owner have finished their messages. */
  #waitsForTurn = false;
  #lost = false;
  #over = false;
  /** When the last endpoint left; when it was created, before that. */
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

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether a writer has connected, be it gone again. */
  get hasWriter(): boolean {
    return this.#writerState !== 'free';
  }

  /** Whether anybody has ever connected to it. */
  get used(): boolean {
    return this.#readerState !== 'free' || this.#writerState !== 'free';
  }

  /** Since when nobody is connected; `undefined` while somebody is. */
  get idleSince(): number | undefined {
    return this.#readerState === 'open' || this.#writerState === 'open' ? undefined : this.#idleSince;
  }

  /** Asks after a writer that has been held back since then by a reader that never came. */
  probePeer(before: number): void {
    if (this.#readerState === 'free' && this.#pausedSince !== undefined && this.#pausedSince <= before) this.#writer?.probePeer();
  }

  /** Whether the key opens that end. Takes the same time for every wrong key of the right length. */
  opens(direction: ChannelDirection, key: string): boolean {
    const expected = Buffer.from(this.keys[direction]);
    const given = Buffer.from(key);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  /** `false`: the end is taken, or was, or the channel is over. Messages that wait are delivered before this returns. */
  attachReader(reader: ChannelReader): boolean {
    if (this.#over || this.#readerState !== 'free') return false;
    this.#readerState = 'open';
    this.#reader = reader;
    this.pump();
    return true;
  }

  /** As `attachReader`. */
  attachWriter(writer: ChannelWriter): boolean {
    if (this.#over || this.#writerState !== 'free') return false;
    this.#writerState = 'open';
    this.#writer = writer;
    this.#context.writerAttached(this);
    this.holdBack();
    return true;
  }

  write(message: ChannelMessage): void {
    if (this.#over || this.#writerState !== 'open') return;
    this.#context.passed(message.data.length);
    if (this.size === 0 && this.#reader?.ready === true) {
      this.#reader.deliver(message);
      if (this.#context.full) this.holdBack();
      return;
    }
    const { data, binary } = message;
    this.#messages.push({ data: inOwnMemory(data), binary });
    this.#hold(data.length + MESSAGE_BYTES);
    this.holdBack();
  }

  /** The writer is to wait if the channel can't take more now, or all together can't. */
  holdBack(): void {
    if (this.#pausedSince !== undefined || this.#writer === undefined || !(this.#full || this.#crowded)) return;
    this.#pausedSince = this.#context.monotonic();
    this.#writer.pause();
    this.#context.heldBackChanged();
  }

  /** The writer need not wait any longer, if that is so; answers whether it is. */
  goOn(): boolean {
    if (this.#pausedSince === undefined || !this.#emptied || this.#crowded) return false;
    this.#pausedSince = undefined;
    if (!this.#waitsForTurn) this.#writer?.resume();
    this.#context.heldBackChanged();
    return true;
  }

  get heldBack(): boolean {
    return this.#pausedSince !== undefined;
  }

  waitForTurn(): void {
    this.#waitsForTurn = true;
    this.#writer?.pause();
  }

  takeTurn(): void {
    this.#waitsForTurn = false;
    if (this.#pausedSince === undefined) this.#writer?.resume();
  }

  /** Counts the bytes of a message that has begun and is not whole. 0 when the message is whole. */
  unfinished(bytes: number): void {
    if (!this.#over && this.#writerState === 'open') this.#context.unfinished(this, bytes);
  }

  /** The writer is gone; `lost`: without having said that it is done. Idempotent. */
  writerClosed(lost: boolean): void {
    if (this.#writerState === 'closed') return;
    this.#writerState = 'closed';
    this.#writer = undefined;
    this.#context.unfinished(this, 0);
    this.#lost = lost;
    this.#left();
    if (this.size === 0 && this.#reader !== undefined) this.end(lost ? 'writerLost' : 'done');
  }

  /** The reader is done, with or without having everything: so is the channel. Idempotent. */
  readerClosed(): void {
    this.#reader = undefined;
    this.#readerState = 'closed';
    this.end('readerGone');
  }

  /** Whether the sockets of readers leave room for a delivery to one that has `buffered` bytes to send. */
  mayDeliver(buffered: number): boolean {
    return this.#context.mayDeliver(buffered);
  }

  /** The reader's socket has so many more bytes to send, or fewer; also after the channel is over. */
  unsent(bytes: number): void {
    this.#context.unsent(bytes);
  }

  /** Delivers what waits for as long as the reader takes it. Returns whether it took any. */
  pump(): boolean {
    const head = this.#head;
    for (;;) {
      const reader = this.#reader;
      const message = this.#messages[this.#head];
      if (message === undefined || reader?.ready !== true) break;
      this.#head++;
      this.#hold(-message.data.length - MESSAGE_BYTES);
      reader.deliver(message);
    }
    const delivered = this.#head !== head;
    this.#trim();
    if (this.size === 0 && this.#writerState === 'closed' && this.#reader !== undefined) this.end(this.#lost ? 'writerLost' : 'done');
    else this.goOn();
    return delivered;
  }

  /** Lets both ends go and drops what waits. Idempotent. */
  end(end: ChannelEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#hold(-this.#bytes);
    this.#messages = [];
    this.#head = 0;
    const reader = this.#reader;
    const writer = this.#writer;
    this.#reader = undefined;
    this.#writer = undefined;
    this.#context.unfinished(this, 0);
    this.#context.remove(this);
    reader?.finish(end);
    writer?.finish(end);
  }

  get #full(): boolean {
    return this.size >= this.#capacity || this.#bytes >= this.#mostBytes;
  }

  /** All together hold what they may, and another message would be held. */
  get #crowded(): boolean {
    return this.#context.full && !(this.size === 0 && this.#reader?.ready === true);
  }

  /** Much is kept for a reader to come; one that is there needs no more than what bridges a moment. */
  get #mostBytes(): number {
    return this.#reader === undefined ? LIMITS.channelBytes : LIMITS.channelReadBytes;
  }

  /** Half empty, so that a writer isn't stopped and started for each message. */
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

  #left(): void {
    this.#idleSince = this.#context.monotonic();
  }
}
