import type { Socket } from 'node:net';

/**
 * The private parts of `ws` and of Node sockets that the engine uses. The version of `ws` is pinned, and `ws-internals.test.ts` fails when
 * one of them changes. No other file may use private fields of a library.
 */

/** The parser of `ws`, a writable stream that takes the bytes of the socket. */
export interface Parser {
  /** `BETWEEN_FRAMES`, `READING_PAYLOAD`, or a state within the head of a frame. */
  readonly _state: number;
  readonly _opcode: number;
  /** Opcode of the unfinished fragmented message, or 0. */
  readonly _fragmented: number;
  /** The parser replaces this array when a message is complete. */
  readonly _fragments: object;
  /** Payload bytes of the current frame. */
  readonly _payloadLength: number;
  /** Bytes of the complete fragments of an unfinished message. */
  readonly _messageLength: number;
  /** Largest payload of a message in bytes; 0 when there is no limit. */
  readonly _maxPayload: number;
  /** Bytes that the parser holds and has not consumed. */
  readonly _bufferedBytes: number;
  /** Parses bytes, and calls `callback` before it returns. */
  _write: (this: Parser, bytes: Buffer, encoding: BufferEncoding, callback: (error?: Error | null) => void) => void;
}

/** The handle of a Node socket. */
interface Handle {
  /** Bytes that Node gave to libuv. */
  readonly bytesWritten: number;
  /** Bytes of these that libuv has not given to the kernel yet. */
  readonly writeQueueSize: number;
  /** Whether libuv reads the socket. Node sets it too. */
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

const NO_BYTES = Buffer.alloc(0);
const BETWEEN_FRAMES = 0;
const READING_PAYLOAD = 4;
const FIRST_CONTROL_OPCODE = 8;
/** The parser ignores all bytes after a Close frame. */
const CLOSE_OPCODE = 8;
/**
 * Bytes that are parsed between two looks at the clock. The smallest frame of a client has 6 bytes, so a piece has at most 2,731 frames.
 */
const PIECE_BYTES = 16_384;

/** Feeds the bytes of a connection to its parser. */
export interface ParserFeed {
  /** Must call `done` when it has parsed the bytes. The socket is not read beyond a small buffer until then. */
  feed(bytes: Buffer, done: (error?: Error | null) => void): void;
}

interface FedParser extends Parser {
  [FEED]?: ParserFeed;
}

const FEED = Symbol('feed');

/**
 * Makes a parser hand its bytes to `feed`, which parses them by `parsePiece`. The parsers share one function, as idle connections must be
 * small.
 */
export function feedThrough(parser: Parser, feed: ParserFeed): void {
  const fed = parser as FedParser;
  fed[FEED] = feed;
  fed._write = hand;
}

function hand(this: FedParser, bytes: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
  this[FEED]?.feed(bytes, callback);
}

/** The outcome of parsing one piece of some bytes. */
export interface ParsedPiece {
  /** Bytes after the piece. Empty after an error. */
  readonly rest: Buffer;
  /** The error that ended the parser. */
  readonly error: Error | undefined;
}

/**
 * Parses the first piece of the bytes: those that complete the payload of the current frame, or `PIECE_BYTES` at most in every other state.
 * A long payload must not be cut into pieces, since the parser would hold all of them and copy them in the end.
 */
export function parsePiece(parser: Parser, bytes: Buffer): ParsedPiece {
  const missing = parser._state === READING_PAYLOAD ? parser._payloadLength - parser._bufferedBytes : 0;
  const end = Math.min(bytes.length, missing > 0 ? missing : PIECE_BYTES);
  const original = (Object.getPrototypeOf(parser) as Parser)._write;
  let failed: Error | undefined;
  original.call(parser, end === bytes.length ? bytes : bytes.subarray(0, end), 'binary', (error) => {
    failed = error ?? undefined;
  });
  return { rest: failed === undefined && end < bytes.length ? bytes.subarray(end) : NO_BYTES, error: failed };
}

/**
 * Returns the largest payload of a whole message that may be read past the parser now. Returns `undefined` when the parser must read the
 * next bytes, because it is within a message or has read a Close frame.
 */
export function mostBesideParser(parser: Parser): number | undefined {
  const isIdle =
    parser._state === BETWEEN_FRAMES && parser._bufferedBytes === 0 && parser._fragmented === 0 && parser._opcode !== CLOSE_OPCODE;
  if (!isIdle) return undefined;
  return parser._maxPayload > 0 ? parser._maxPayload : Number.POSITIVE_INFINITY;
}

/**
 * Returns an object that stands for the message that the parser has begun, or `undefined` between messages. It is the same object until the
 * message is complete. Control frames do not count: an unfinished one holds at most 125 bytes, and its sender can't answer the next ping.
 */
export function unfinishedMessage(parser: Parser): object | undefined {
  const begun = parser._fragmented !== 0 || (parser._state !== BETWEEN_FRAMES && parser._opcode < FIRST_CONTROL_OPCODE);
  return begun ? parser._fragments : undefined;
}

/** Returns the bytes that the parser holds of a message or frame that is not complete. */
export function unfinishedBytes(parser: Parser): number {
  return parser._messageLength + parser._bufferedBytes;
}

function handleOf(socket: Socket | undefined): Handle | undefined {
  return ((socket ?? {}) as { readonly _handle?: Handle | null })._handle ?? undefined;
}

/**
 * Stops reading a socket from the kernel at once. A paused socket of Node would still read 64 KiB. Returns whether it was read until now.
 */
export function stopReading(socket: Socket | undefined): boolean {
  const handle = handleOf(socket);
  if (handle?.reading !== true) return false;
  handle.reading = false;
  handle.readStop();
  return true;
}

/** Reads a socket again after `stopReading`. Returns `false` if the socket is closed. */
export function startReading(socket: Socket | undefined): boolean {
  const handle = handleOf(socket);
  if (handle === undefined) return false;
  if (handle.reading) return true;
  handle.reading = true;
  handle.readStart();
  return true;
}

/**
 * Returns the bytes that the kernel has taken from a socket since it was opened, or 0 when the socket is closed. `writableLength` counts a
 * large message until all of it has left. The handle knows how much of it has left.
 */
export function takenByKernel(socket: Socket | undefined): number {
  const handle = handleOf(socket);
  return handle === undefined ? 0 : handle.bytesWritten - handle.writeQueueSize;
}
