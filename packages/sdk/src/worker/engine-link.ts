import { Connection, type ConnectionState, DEFAULT_BACKOFF, type Dropped, OutboundQueue, type Send } from '@rivulet/client/connection';
import {
  decodeEngineMessage,
  type EngineMessage,
  percentEncode,
  utf8Length,
  WORKER_MESSAGE_BYTES,
  WORKER_OUTBOUND_BYTES,
} from '@rivulet/protocol';
import { InvocationError, messageOf, type SdkErrorCode, sdkError } from '../api/errors.js';
import type { InitOptions, TriggerRequest } from '../api/types.js';
import { Calls } from './calls.js';
import { checkId, checkTimeout, isReadableOnTheWay } from './checks.js';
import { NoConnection } from './no-connection.js';
import type { Platform } from './platform.js';
import { newUuid } from './uuid.js';
import type { Warn, Warnings } from './warnings.js';

/** The time-out of a call without one of its own. */
export const DEFAULT_TIMEOUT_MS = 30_000;
/** The longest time that a timer of the runtimes can wait. */
export const LONGEST_MS = 2_147_483_647;
const DEFAULT_QUEUED = 10_000;
/** The bounds of the log lines that wait for a connection. They have a queue of their own, so that they take no place of a call. */
const WAITING_LINES = { messages: 1_000, units: 1_048_576 };
const FULL_PAUSE_MS = 50;
const FULL = 'too much waits to be sent; wait for the connection';
const CLOSED = 'the worker is closed; make a new one';
/** The failures of a call after which the worker does not know whether the engine got the call. */
const UNANSWERED: ReadonlySet<string> = new Set<SdkErrorCode>(['TIMEOUT', 'CONNECTION_LOST', 'QUEUE_FULL', 'WORKER_CLOSED']);

/** A message of the engine to the worker. The other messages concern the link only. */
export type EngineRequest = Exclude<EngineMessage, { type: 'workerregistered' | 'invocationresult' | 'ping' | 'pong' }>;

/** The owner of a link, which gets its events. The methods must not throw. */
export interface LinkOwner {
  /** Called when a connection opens. Texts that are sent in this call go out before the queue. */
  onOpen(send: Send): void;
  /** Called when the queue has been sent. */
  onFlushed(send: Send): void;
  onRequest(request: EngineRequest): void;
  /** Called when the connection is lost. */
  onLost(): void;
  onState(state: ConnectionState): void;
}

export interface LinkOptions {
  readonly url: string;
  readonly options: InitOptions;
  readonly platform: Pick<Platform<unknown, unknown>, 'openSocket' | 'narrated' | 'keepAlive' | 'runtime'>;
  readonly warnings: Warnings;
  readonly owner: LinkOwner;
}

/**
 * The link of a worker to the engine: one connection after another, the calls that wait for answers, and the texts that wait for a
 * connection.
 */
export class EngineLink {
  readonly #options: InitOptions;
  readonly #owner: LinkOwner;
  readonly #warnings: Warnings;
  readonly #noConnection: NoConnection;
  readonly #calls: Calls;
  readonly #lines = new OutboundQueue(WAITING_LINES);
  readonly #connection: Connection;
  readonly maxMessageBytes: number;
  #workerId: string | undefined;
  #reattachToken: string | undefined;
  /** The number of the current connection. An answer goes out on the connection of its call, or not at all. */
  #generation = 0;
  #closed = false;

  /** Throws `INVALID_ARGUMENTS` for an address or header that the runtime can't use. */
  constructor({ url, options, platform, warnings, owner }: LinkOptions) {
    this.#options = options;
    this.#owner = owner;
    this.#warnings = warnings;
    this.#noConnection = new NoConnection(url);
    this.#calls = new Calls(() => this.#noConnection.text);
    this.maxMessageBytes = options.maxMessageBytes ?? WORKER_MESSAGE_BYTES;
    if (isReadableOnTheWay(url)) warnings.report('INSECURE_URL', 'ws: to another machine can be read on the way: use wss:');
    try {
      this.#connection = this.#connect(url, platform);
    } catch (error) {
      throw sdkError('INVALID_ARGUMENTS', messageOf(error));
    }
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  get workerId(): string | undefined {
    return this.#workerId;
  }

  /** Calls a function, as `Worker.trigger` does. `warn` reports a void call that waited and was never sent. */
  async call<TOutput>(request: TriggerRequest, warn: Warn): Promise<TOutput> {
    const { function_id, payload, action, metadata } = request;
    checkId(function_id);
    const timeoutMs = request.timeoutMs ?? this.#options.invocationTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    checkTimeout(timeoutMs, function_id);
    if (this.#closed) throw sdkError('WORKER_CLOSED', CLOSED, function_id);
    const isVoid = action?.type === 'void';
    const id = isVoid ? undefined : newUuid();
    const data = payload === undefined ? null : payload;
    const text = this.encode({ type: 'invokefunction', invocation_id: id, function_id, data, action, metadata }, function_id);
    const waitMs = Math.min(Math.max(timeoutMs, 0), LONGEST_MS);
    if (id === undefined) {
      this.#sendVoid(text, function_id, waitMs, warn);
      return undefined as TOutput;
    }
    const answer = this.#calls.open(id, function_id, waitMs);
    const sending = this.#connection.send(text, () => this.#calls.has(id));
    if (sending === 'sent') this.#calls.markSent(id);
    else if (sending === 'full') this.#calls.fail(id, 'QUEUE_FULL', FULL);
    else if (sending === 'closed') this.#calls.fail(id, 'WORKER_CLOSED', CLOSED);
    return (await answer) as TOutput;
  }

  /** Sends a line to the log of the engine. `fallBack` is called if the line will never be sent. */
  line(functionId: string, payload: object, fallBack: () => void): void {
    let text: string;
    try {
      text = this.encode({ type: 'invokefunction', function_id: functionId, data: payload, action: { type: 'void' } });
    } catch {
      return fallBack();
    }
    const taken = this.state.kind === 'open' ? this.#connection.send(text) === 'sent' : this.#wait(text, fallBack);
    if (!taken) fallBack();
  }

  /** Sends a registration if the connection is open. Otherwise the owner sends it with all others in `onOpen`. */
  sendRegistration(text: string): void {
    if (this.state.kind !== 'open') return;
    if (this.#connection.send(text) === 'full') this.#connection.restart('too much waits to be sent');
  }

  /** Returns a function that sends an answer on the current connection, and on no later one. */
  reply(): Send {
    const generation = this.#generation;
    return (text) => {
      if (generation !== this.#generation || this.#closed) return;
      // Without the answer the caller would wait for ever. The end of the connection fails its call.
      if (this.#connection.send(text) === 'full') this.#connection.restart('too much waits to be sent');
    };
  }

  /**
   * Calls the engine and waits for its answer. Resolves with true if the engine has handled everything that was sent or queued before this
   * call. Without a connection it waits only if the queue has texts.
   */
  async roundTrip(timeoutMs: number): Promise<boolean> {
    if (this.state.kind !== 'open' && this.#connection.queued === 0 && this.#lines.length === 0) return false;
    for (;;) {
      try {
        await this.call({ function_id: 'engine::health::check', payload: {}, timeoutMs }, () => {});
        return true;
      } catch (error) {
        const code = error instanceof InvocationError ? error.code : '';
        if (code !== 'QUEUE_FULL') return !UNANSWERED.has(code);
        await new Promise((resolve) => setTimeout(resolve, FULL_PAUSE_MS));
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const closed = this.#connection.close(1000, 'worker closed');
    this.#calls.failAll('WORKER_CLOSED', 'the worker was closed before the answer came');
    await closed;
  }

  /** Returns the text of a frame. Throws `serialization_error` or `MESSAGE_TOO_LARGE`. */
  encode(frame: object, functionId?: string): string {
    let text: string;
    try {
      text = JSON.stringify(frame);
    } catch (error) {
      throw sdkError('serialization_error', `the value is no JSON: ${messageOf(error)}`, functionId);
    }
    const most = this.maxMessageBytes;
    if (text.length * 3 <= most || utf8Length(text) <= most) return text;
    throw sdkError('MESSAGE_TOO_LARGE', `the message is larger than ${most} bytes; send it in parts, or through a channel`, functionId);
  }

  #sendVoid(text: string, functionId: string, timeoutMs: number, warn: Warn): void {
    const until = performance.now() + timeoutMs;
    const dropped = (why: Dropped) =>
      why === 'closed'
        ? warn('WORKER_CLOSED', `${functionId}: ${this.#ended('call was sent')}`)
        : warn('TIMEOUT', `${functionId}: not sent within ${timeoutMs}ms: ${this.#noConnection.text}`);
    const sending = this.#connection.send(text, () => performance.now() < until, dropped);
    if (sending === 'full') throw sdkError('QUEUE_FULL', FULL, functionId);
    if (sending === 'closed') throw sdkError('WORKER_CLOSED', CLOSED, functionId);
  }

  #wait(text: string, fallBack: () => void): boolean {
    return !this.#closed && this.#lines.add(text, undefined, fallBack);
  }

  #connect(url: string, platform: LinkOptions['platform']): Connection {
    const { initialDelayMs, maxDelayMs, backoffMultiplier, maxRetries } = {
      ...this.#options.reconnectionConfig,
      ...this.#options.reconnection,
    };
    const access = withToken(url, this.#options, platform.runtime);
    const open = platform.openSocket(access.headers);
    return new Connection({
      url: access.url,
      owner: {
        onOpen: (send) => this.#opened(send),
        onFlushed: (send) => this.#flushed(send),
        onText: (text) => this.#receive(text),
        onLost: ({ code, reason }) => {
          this.#generation++;
          this.#calls.failSent(`the connection was lost (${code}${reason === '' ? '' : ` ${reason}`})`);
          this.#owner.onLost();
        },
        onState: (state) => this.#changed(state),
      },
      openSocket: (this.#options.debug === true && platform.narrated?.(open)) || open,
      backoff: {
        initialDelayMs: initialDelayMs ?? DEFAULT_BACKOFF.initialDelayMs,
        maxDelayMs: maxDelayMs ?? DEFAULT_BACKOFF.maxDelayMs,
        multiplier: backoffMultiplier ?? DEFAULT_BACKOFF.multiplier,
      },
      maxAttempts: maxRetries === undefined || maxRetries < 0 ? Number.POSITIVE_INFINITY : maxRetries,
      outbound: { messages: this.#options.maxQueuedCalls ?? DEFAULT_QUEUED, units: WORKER_OUTBOUND_BYTES },
      ...(platform.keepAlive === undefined ? {} : { keepAlive: platform.keepAlive }),
    });
  }

  /** Ends the old connection on the engine before the registrations are made again, so that the engine never has both. */
  #opened(send: Send): void {
    if (this.#workerId !== undefined)
      send(JSON.stringify({ type: 'reattach', previous_worker_id: this.#workerId, reattach_token: this.#reattachToken }));
    this.#owner.onOpen(send);
  }

  #flushed(send: Send): void {
    this.#calls.markAllSent();
    this.#owner.onFlushed(send);
    for (const text of this.#lines.take()) send(text);
  }

  #receive(text: string): void {
    // After `close` a frame runs no handler any more.
    if (this.#closed) return;
    const decoded = decodeEngineMessage(text);
    if (decoded.kind === 'message') this.#take(decoded.message);
    else if (decoded.kind === 'invalid') this.#warnings.report(decoded.code, `a frame of the engine was ignored: ${decoded.reason}`);
  }

  #take(message: EngineMessage): void {
    switch (message.type) {
      case 'workerregistered':
        this.#workerId = message.worker_id;
        this.#reattachToken = message.reattach_token;
        return;
      case 'invocationresult':
        return this.#calls.answer(message);
      case 'ping':
        this.#connection.send('{"type":"pong"}');
        return;
      case 'pong':
        return;
      case 'invokefunction':
      case 'registertrigger':
      case 'unregistertrigger':
      case 'triggerregistrationresult':
      case 'registrationrejected':
      case 'error':
        return this.#owner.onRequest(message);
    }
  }

  #changed(state: ConnectionState): void {
    if (this.#noConnection.failedFirst(state)) {
      const goesOn = state.kind === 'waiting' ? '; it is tried again' : '';
      this.#warnings.report('NO_CONNECTION', `${this.#noConnection.text}${goesOn}`);
    }
    if (state.kind === 'closed') {
      this.#closed = true;
      this.#calls.failAll('WORKER_CLOSED', this.#ended('answer came'));
      this.#lines.clear();
    }
    this.#owner.onState(state);
  }

  /** Returns why a call or a text that waited has failed. */
  #ended(what: string): string {
    const { state } = this.#connection;
    if (state.kind === 'closed' && state.by === 'attempts') return `no attempt to connect is left: ${this.#noConnection.text}`;
    return `the worker was closed before the ${what}`;
  }
}

/** Adds the token to the headers, or in a browser to the query, because browsers can't send headers. */
function withToken(
  url: string,
  { headers = {}, authToken }: InitOptions,
  runtime: 'node' | 'browser',
): { readonly url: string; readonly headers: Readonly<Record<string, string>> } {
  if (authToken === undefined) return { url, headers };
  if (runtime === 'node') return { url, headers: { ...headers, authorization: `Bearer ${authToken}` } };
  return { url: `${url}${url.includes('?') ? '&' : '?'}auth_token=${percentEncode(authToken)}`, headers };
}
