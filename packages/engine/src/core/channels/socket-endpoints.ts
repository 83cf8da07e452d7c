import type { Connection, ConnectionOwner } from '../../transport/connection.js';
import { encodeFrameHead } from '../../transport/websocket-frame.js';
import type { Channel, ChannelEnd, ChannelMessage, ChannelReader, ChannelWriter } from './channel.js';

/** Unsent bytes at which a reader takes no more until all of them have left. */
const READER_BYTES = 131_072;
/** Close codes that say that a writer is done. A page that the user leaves closes with 1001, and a lost connection counts as 1006. */
const DONE: ReadonlySet<number> = new Set([1000, 1005]);

/** The socket that reads a channel. The engine ignores everything that its peer sends. */
export class ReaderSocket implements ConnectionOwner, ChannelReader {
  readonly #channel: Channel;
  readonly #connection: Connection;
  readonly #onClosed: () => void;
  readonly #sent = () => {
    if (this.#connected) this.#count(this.#connection.buffered);
  };
  /** Unsent bytes that the channel knows of. */
  #counted = 0;
  #connected = true;

  constructor(channel: Channel, connection: Connection, onClosed: () => void) {
    this.#channel = channel;
    this.#connection = connection;
    this.#onClosed = onClosed;
  }

  /** Connects the reader. Returns false when the channel has had a reader, or has ended. */
  attach(): boolean {
    return this.#channel.attachReader(this);
  }

  get ready(): boolean {
    const { open, buffered } = this.#connection;
    return open && buffered < READER_BYTES && this.#channel.mayDeliver(buffered);
  }

  deliver({ data, binary }: ChannelMessage): void {
    this.#connection.writeFrame(encodeFrameHead(data.length, binary), data, this.#sent);
    this.#sent();
  }

  finish(end: ChannelEnd): void {
    // A peer without access gets nothing more, not even bytes that wait for the kernel.
    const unsent = (end === 'revoked' || end === 'expired') && this.#connection.buffered > 0;
    this.#connection.close(end);
    if (unsent) this.#connection.destroy();
  }

  onText(): void {}

  onBinary(): void {}

  onDrain(): void {
    this.#channel.pump();
  }

  onClose(): void {
    this.#channel.readerClosed();
  }

  onDisconnect(): void {
    this.#connected = false;
    this.#count(0);
    this.#onClosed();
  }

  #count(buffered: number): void {
    const more = buffered - this.#counted;
    if (more === 0) return;
    this.#counted = buffered;
    this.#channel.unsent(more);
  }
}

/** The socket that writes a channel. The engine does not read it while the channel is full, so that the peer feels the back-pressure. */
export class WriterSocket implements ConnectionOwner, ChannelWriter {
  readonly #channel: Channel;
  readonly #connection: Connection;
  readonly #onClosed: () => void;

  constructor(channel: Channel, connection: Connection, onClosed: () => void) {
    this.#channel = channel;
    this.#connection = connection;
    this.#onClosed = onClosed;
  }

  /** Connects the writer. Returns false when the channel has had a writer, or has ended. */
  attach(): boolean {
    if (!this.#channel.attachWriter(this)) return false;
    this.#connection.watchUnfinished((bytes) => this.#channel.unfinished(bytes));
    return true;
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  probePeer(): void {
    this.#connection.probePeer();
  }

  finish(end: ChannelEnd): void {
    this.#connection.close(end);
  }

  onText(text: string): void {
    this.#channel.write({ data: Buffer.from(text), binary: false });
  }

  onBinary(data: Buffer): void {
    this.#channel.write({ data, binary: true });
  }

  onDrain(): void {}

  onClose(code: number): void {
    this.#channel.writerClosed(!DONE.has(code));
  }

  onDisconnect(): void {
    this.#onClosed();
  }
}

const NOBODY: ConnectionOwner = { onText() {}, onBinary() {}, onDrain() {}, onClose() {} };

/** Closes a socket whose end of the channel is taken. */
export function refuseTaken(connection: Connection): ConnectionOwner {
  connection.close('taken');
  return NOBODY;
}
