import type { IncomingMessage } from 'node:http';
import { LIMITS } from '@rivulet/protocol';
import type { Channel, ChannelWriter } from '../../core/channels/channel.js';
import type { TurnBudget } from '../../structures/turn-budget.js';
import { BodyBuffer } from './body-buffer.js';
import type { ArrivingBody, BodyIntake } from './body-intake.js';
import type { HttpRequest } from './http-request.js';
import { type ReadJson, readLargeJson, readSmallJson } from './json-body.js';

/** Bytes of one channel message. Readers take messages below 1 MiB, and SDKs write this much at a time. */
const FRAME_BYTES = 65_536;

/** The reason why a body did not arrive. */
export type BodyFailure =
  | { readonly kind: 'too_large'; readonly reason: string }
  /** All bodies together are too large now. */
  | { readonly kind: 'no_room' }
  | { readonly kind: 'too_slow' };

export type JsonBody = ReadJson | BodyFailure;

/** Returns whether a content type is JSON: `application/json`, or `application/` with a name that ends with `+json` (RFC 6839). */
export function isJson(contentType: string | undefined): boolean {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  return type === 'application/json' || (type?.startsWith('application/') === true && type.endsWith('+json'));
}

/** The two intakes of a listener. */
export interface BodyIntakes {
  /** Bodies that are kept until they are complete. */
  readonly held: BodyIntake;
  /** Bodies that stream to a function. */
  readonly streamed: BodyIntake;
}

/**
 * The body of one request. The function gets it as parsed JSON, and may read the raw bytes from a channel (spec HT §4.3). A body arrives in
 * one of two ways. Either it is received whole, or its first bytes are awaited and the rest streams into the channel.
 */
export class RequestBody implements ChannelWriter {
  readonly #http: HttpRequest;
  readonly #request: IncomingMessage;
  readonly #intakes: BodyIntakes;
  /** `small` bodies are received whole before anything else happens. `large` includes bodies without a `Content-Length`. */
  readonly extent: 'none' | 'small' | 'large';
  /** Bytes of memory that this body has taken from the intake. */
  #taken = 0;
  #channel: Channel | undefined;
  /** Bytes that were received and are not in the channel yet, from `#at` on. */
  #received: Buffer | undefined;
  #at = 0;
  /** Whether the request has no more bytes. */
  #complete = false;
  #stopReading: () => void = () => {};
  #full = false;
  /** The body's entry in the intake while it streams. */
  #streaming: ArrivingBody | undefined;

  constructor(http: HttpRequest, intakes: BodyIntakes) {
    this.#http = http;
    this.#request = http.request;
    this.#intakes = intakes;
    this.extent = extentOf(http.request);
  }

  /** Receives the whole body, then calls `done`. Does not call it when the client leaves before. */
  receive(done: (failure: BodyFailure | undefined) => void): void {
    const request = this.#request;
    const tooLarge = { kind: 'too_large', reason: `the JSON body has more than ${LIMITS.httpJsonBodyBytes} bytes` } as const;
    const announced = request.headers['content-length'];
    if (Number(announced ?? 0) > LIMITS.httpJsonBodyBytes) return done(tooLarge);
    const most = announced === undefined ? LIMITS.httpJsonBodyBytes : Number(announced);
    const { held } = this.#intakes;
    const buffer = new BodyBuffer(most, (bytes) => {
      const taken = held.take(bytes, arriving);
      if (taken) this.#taken += bytes;
      return taken;
    });
    const settle = (failure: BodyFailure | undefined) => {
      this.#stopReading();
      done(failure);
    };
    const fail = (failure: BodyFailure) => {
      request.pause();
      settle(failure);
    };
    const arriving: ArrivingBody = { tooSlow: () => fail({ kind: 'too_slow' }), evict: () => fail({ kind: 'no_room' }) };
    this.#listen(
      held,
      arriving,
      (chunk) => {
        const appended = buffer.append(chunk);
        if (appended === 'no_room') fail({ kind: 'no_room' });
        else if (appended === 'too_large') fail(tooLarge);
      },
      () => {
        this.#received = buffer.content;
        settle(undefined);
      },
    );
  }

  /** Waits for the first bytes of a body that will stream, or for its end. */
  awaitFirst(done: (failure: BodyFailure | undefined) => void): void {
    const settle = (failure: BodyFailure | undefined) => {
      this.#request.pause();
      this.#stopReading();
      done(failure);
    };
    const arriving: ArrivingBody = { tooSlow: () => settle({ kind: 'too_slow' }), evict: () => settle({ kind: 'no_room' }) };
    this.#listen(
      this.#intakes.streamed,
      arriving,
      (chunk) => {
        this.#received = Buffer.from(chunk);
        settle(undefined);
      },
      () => {
        this.#received = Buffer.alloc(0);
        settle(undefined);
      },
    );
  }

  /** Parses the received bytes as JSON. A large body takes several turns of the event loop. */
  json(turns: TurnBudget): JsonBody | Promise<JsonBody> {
    const received = this.#received ?? Buffer.alloc(0);
    return received.length <= LIMITS.httpSmallBodyBytes ? readSmallJson(received) : readLargeJson(received, turns);
  }

  /**
   * Writes the raw bytes to a channel, as fast as the channel takes them. Calls `failed` when the client is too slow, or when the place is
   * needed.
   */
  pipe(channel: Channel, failed: (failure: BodyFailure) => void): void {
    this.#channel = channel;
    channel.attachWriter(this);
    if (this.extent === 'none') this.#complete = true;
    if (!this.#complete) {
      const arriving: ArrivingBody = { tooSlow: () => failed({ kind: 'too_slow' }), evict: () => failed({ kind: 'no_room' }) };
      this.#streaming = arriving;
    }
    this.#writeReceived();
  }

  /** Reads and drops the rest of the body. */
  discard(): void {
    this.#received = undefined;
    this.#intakes.held.give(this.#taken);
    this.#taken = 0;
    this.#request.removeAllListeners('data');
    this.#stopReading();
    this.#streaming = undefined;
    this.#request.resume();
  }

  pause(): void {
    this.#full = true;
    if (this.#received !== undefined || this.#streaming === undefined) return;
    this.#request.pause();
    this.#intakes.streamed.end(this.#streaming);
    this.#http.engage();
  }

  resume(): void {
    this.#full = false;
    if (this.#received !== undefined) return this.#writeReceived();
    if (this.#streaming === undefined) return;
    this.#intakes.streamed.begin(this.#streaming);
    this.#http.waitForClient();
    this.#request.resume();
  }

  /** Does nothing, because the time-out of the request ends a wait. */
  probePeer(): void {}

  finish(): void {
    this.discard();
  }

  /** Reads the request until `#stopReading`. */
  #listen(intake: BodyIntake, arriving: ArrivingBody, onChunk: (chunk: Buffer) => void, onEnd: () => void): void {
    const request = this.#request;
    const take = (chunk: Buffer) => {
      intake.progress(arriving, chunk.length);
      this.#http.waitForClient();
      onChunk(chunk);
    };
    const end = () => {
      this.#complete = true;
      onEnd();
    };
    this.#stopReading = () => {
      this.#stopReading = () => {};
      request.off('data', take);
      request.off('end', end);
      intake.end(arriving);
      this.#http.engage();
    };
    intake.begin(arriving);
    this.#http.waitForClient();
    request.on('data', take);
    request.once('end', end);
    request.resume();
  }

  #write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += FRAME_BYTES)
      this.#channel?.write({ data: chunk.subarray(at, at + FRAME_BYTES), binary: true });
  }

  /** Writes the bytes that were received before the channel existed, then the rest as it arrives. */
  #writeReceived(): void {
    const received = this.#received;
    while (received !== undefined && !this.#full && this.#at < received.length) {
      const data = received.subarray(this.#at, this.#at + FRAME_BYTES);
      this.#at += data.length;
      this.#channel?.write({ data, binary: true });
    }
    if (received !== undefined && this.#at < received.length) return;
    this.#received = undefined;
    if (this.#complete) return this.#channel?.writerClosed(false);
    if (this.#streaming === undefined) return;
    const channel = this.#channel;
    this.#listen(
      this.#intakes.streamed,
      this.#streaming,
      (chunk) => this.#write(chunk),
      () => {
        this.#stopReading();
        channel?.writerClosed(false);
      },
    );
    if (this.#full) this.pause();
  }
}

function extentOf({ headers }: IncomingMessage): 'none' | 'small' | 'large' {
  if (headers['transfer-encoding'] !== undefined) return 'large';
  const length = Number(headers['content-length'] ?? 0);
  if (length === 0) return 'none';
  return length <= LIMITS.httpSmallBodyBytes ? 'small' : 'large';
}
