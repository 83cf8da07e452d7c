import type { ServerResponse } from 'node:http';
import { field, isJsonObject, parseJson, scanJson } from '@rivulet/protocol';
import type { ChannelEnd, ChannelMessage, ChannelReader } from '../../core/channels/channel.js';
import type { Cors } from './cors.js';
import { ResponseHeaders } from './headers.js';

/** Receives the progress of a streamed response. */
export interface StreamedResponseOwner {
  /** Runs when status and headers have been sent and cannot change any more. */
  headSent(): void;
  /** Runs when the channel has ended. `complete` is `false` if the body is shorter or longer than announced. */
  streamEnded(end: ChannelEnd, complete: boolean): void;
  /** Runs when the connection takes bytes again. */
  drained(): void;
}

/** A response that arrives through a channel. Text messages set status and headers, and binary messages are the body (spec HT §4.5). */
export class StreamedResponse implements ChannelReader {
  readonly #response: ServerResponse;
  readonly #cors: Cors;
  readonly #owner: StreamedResponseOwner;
  readonly #headers = new ResponseHeaders();
  #status = 200;
  #headSent = false;
  #controlled = false;
  /** Bytes of the announced length that are still missing. `undefined` if no length was announced. */
  #owed: number | undefined;

  constructor(response: ServerResponse, cors: Cors, owner: StreamedResponseOwner) {
    this.#response = response;
    this.#cors = cors;
    this.#owner = owner;
    response.on('drain', () => owner.drained());
  }

  get begun(): boolean {
    return this.#headSent;
  }

  /** Whether the function has set status or headers. */
  get controlled(): boolean {
    return this.#controlled;
  }

  /** Whether the response never ends by itself. A stop of the engine does not wait for it. */
  get endless(): boolean {
    return this.#headSent && this.#headers.get('content-type')?.toLowerCase().startsWith('text/event-stream') === true;
  }

  get ready(): boolean {
    return !this.#response.writableNeedDrain;
  }

  deliver({ data, binary }: ChannelMessage): void {
    if (binary) this.#body(data);
    else if (!this.#headSent) this.#control(data.toString());
  }

  finish(end: ChannelEnd): void {
    this.#owner.streamEnded(end, (this.#owed ?? 0) === 0);
  }

  /** Sends a response of status and headers alone. */
  sendHeadOnly(): void {
    this.#headers.delete('content-length');
    this.#head();
    this.#response.end();
  }

  #control(text: string): void {
    const message = parse(text);
    if (!isJsonObject(message)) return;
    const type = field(message, 'type');
    if (type === 'set_status') {
      const status = field(message, 'status_code');
      // A 1xx status cannot end a request.
      if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) return;
      this.#status = status;
    } else if (type === 'set_headers') this.#headers.merge(field(message, 'headers'));
    else return;
    this.#controlled = true;
  }

  #body(data: Buffer): void {
    if (!this.#headSent) this.#head();
    if (this.#owed !== undefined) this.#owed -= data.length;
    // The client would take more bytes than announced for the next response of the connection.
    if (this.#owed !== undefined && this.#owed < 0) this.#owner.streamEnded('done', false);
    else if (data.length === 0) this.#response.flushHeaders();
    else this.#response.write(data);
  }

  #head(): void {
    this.#headSent = true;
    const response = this.#response;
    this.#announceLength();
    this.#cors.restrict(this.#headers);
    response.statusCode = this.#status;
    // oxlint-disable-next-line eslint/no-restricted-properties -- ResponseHeaders keeps only what Node accepts
    for (const [name, value] of this.#headers) response.setHeader(name, value);
    this.#owner.headSent();
  }

  #announceLength(): void {
    const length = this.#headers.get('content-length');
    if (length === undefined) return;
    const bodiless = this.#status === 204 || this.#status === 304 || this.#response.req.method === 'HEAD';
    if (!/^\d{1,15}$/.test(length) || bodiless) this.#headers.delete('content-length');
    else this.#owed = Number(length);
  }
}

function parse(text: string): unknown {
  return scanJson(text).kind === 'refused' ? undefined : parseJson(text);
}
