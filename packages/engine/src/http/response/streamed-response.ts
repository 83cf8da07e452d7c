import type { ServerResponse } from 'node:http';
import { field, isJsonObject, parseJson, scanJson } from '@rivulet/protocol';
import type { ChannelEnd, ChannelMessage, ChannelReader } from '../../core/channels/channel.js';
import type { Cors } from './cors.js';
import { ResponseHeaders } from './headers.js';

/** Who is told how a streamed response goes. */
export interface StreamedResponseOwner {
  /** Status and headers are on their way; they can't be changed any more. */
  headSent(): void;
  /** The channel has ended. `complete` false: the body lacks something, or has too much, for what was announced. */
  streamEnded(end: ChannelEnd, complete: boolean): void;
  drained(): void;
}

/** A response that comes through a channel: text messages set status and headers, binary ones are the body (spec HT §4.5). */
export class StreamedResponse implements ChannelReader {
  readonly #response: ServerResponse;
  readonly #cors: Cors;
  readonly #owner: StreamedResponseOwner;
  readonly #headers = new ResponseHeaders();
  #status = 200;
  #headSent = false;
  #controlled = false;
  /** Bytes of the announced length that are still owed; `undefined`: none was announced. */
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

  /** Never ends by itself, so that a stop need not wait for it. */
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

  /** A response of status and headers alone. */
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
      // 1xx can't end a request.
      if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) return;
      this.#status = status;
    } else if (type === 'set_headers') this.#headers.merge(field(message, 'headers'));
    else return;
    this.#controlled = true;
  }

  #body(data: Buffer): void {
    if (!this.#headSent) this.#head();
    if (this.#owed !== undefined) this.#owed -= data.length;
    // More than was announced would be read as the next response of the connection.
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
