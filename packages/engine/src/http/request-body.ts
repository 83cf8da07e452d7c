import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { type JsonText, LIMITS, parseJson, scanJson } from '@rivulet/protocol';
import type { Channel, ChannelWriter } from '../core/channel.js';
import type { ByteBudget } from '../structures/byte-budget.js';

/** Readers take messages below 1 MiB; SDKs write this much at a time. */
const FRAME_BYTES = 65_536;

export type JsonBody =
  /** `text`: `null` when the body is empty or no JSON. `inexact`: it holds numbers that a double can't carry exactly. */
  | { readonly kind: 'body'; readonly text: JsonText; readonly inexact: boolean }
  | { readonly kind: 'too_large'; readonly reason: string }
  /** All bodies together are too large now. */
  | { readonly kind: 'no_room' };

/** Whether the body is to be parsed. */
export function isJson(contentType: string | undefined): boolean {
  return contentType?.toLowerCase().includes('application/json') === true;
}

/** The body of one request: what the function is given parsed, and the raw bytes, which it may read from a channel (spec HT §4.3). */
export class RequestBody implements ChannelWriter {
  readonly #request: IncomingMessage;
  readonly #budget: ByteBudget;
  /** Bytes of the budget that this body has. */
  #taken = 0;
  #channel: Channel | undefined;
  /** What was read to be parsed, and where the rest of it begins that the channel has no room for. */
  #read: Buffer | undefined;
  #at = 0;
  #stopReading: () => void = () => {};
  #full = false;

  /** What is read to be parsed is taken from `budget`, until the body is discarded. */
  constructor(request: IncomingMessage, budget: ByteBudget) {
    this.#request = request;
    this.#budget = budget;
  }

  /** Reads and parses a JSON body. Never answers when the client leaves meanwhile. */
  readJson(done: (body: JsonBody) => void): void {
    const request = this.#request;
    const most = LIMITS.httpJsonBodyBytes;
    const tooLarge = () => done({ kind: 'too_large', reason: `the JSON body has more than ${most} bytes` });
    if (Number(request.headers['content-length'] ?? 0) > most) return tooLarge();
    const chunks: Buffer[] = [];
    const take = (chunk: Buffer) => {
      const fits = this.#taken + chunk.length <= most;
      if (fits && this.#budget.take(chunk.length)) {
        this.#taken += chunk.length;
        chunks.push(chunk);
        return;
      }
      this.#stopReading();
      request.pause();
      if (fits) done({ kind: 'no_room' });
      else tooLarge();
    };
    const end = () => {
      this.#read = Buffer.concat(chunks, this.#taken);
      done(parse(this.#read));
    };
    request.on('data', take);
    request.once('end', end);
    this.#stopReading = () => {
      request.off('data', take);
      request.off('end', end);
    };
  }

  /** Hands the raw bytes to a channel, as fast as it takes them: those that were read already, or those that come. */
  pipe(channel: Channel): void {
    this.#channel = channel;
    channel.attachWriter(this);
    if (this.#read !== undefined) return this.#writeRead(this.#read);
    if (!hasBody(this.#request)) return channel.writerClosed(false);
    this.#request.on('data', (chunk: Buffer) => this.#write(chunk));
    this.#request.once('end', () => channel.writerClosed(false));
  }

  /** Nobody wants the rest: it is read and dropped. */
  discard(): void {
    this.#read = undefined;
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#request.removeAllListeners('data');
    this.#stopReading();
    this.#request.resume();
  }

  pause(): void {
    this.#full = true;
    if (this.#read === undefined) this.#request.pause();
  }

  resume(): void {
    this.#full = false;
    if (this.#read === undefined) this.#request.resume();
    else this.#writeRead(this.#read);
  }

  /** The time-out of the request ends a wait. */
  knock(): void {}

  finish(): void {
    this.discard();
  }

  #write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += FRAME_BYTES)
      this.#channel?.write({ data: chunk.subarray(at, at + FRAME_BYTES), binary: true });
  }

  #writeRead(read: Buffer): void {
    while (!this.#full && this.#at < read.length) {
      const data = read.subarray(this.#at, this.#at + FRAME_BYTES);
      this.#at += data.length;
      this.#channel?.write({ data, binary: true });
    }
    if (this.#at >= read.length) this.#channel?.writerClosed(false);
  }
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function parse(bytes: Buffer): JsonBody {
  const none: JsonBody = { kind: 'body', text: 'null', inexact: false };
  if (bytes.length === 0 || !isUtf8(bytes)) return none;
  const text = bytes.toString();
  const scan = scanJson(text);
  if (scan.kind === 'refused') return { kind: 'too_large', reason: `the JSON body can't be taken: ${scan.reason}` };
  if (parseJson(text) === undefined) return none;
  return { kind: 'body', text, inexact: scan.inexactNumbers };
}
