import { decodeStreamFrame, wrongOption } from '@rivulet/protocol';
import { ConnectFailures } from './access/connect-failure.js';
import { readAddress } from './access/stream-address.js';
import { StreamError } from './access/stream-error.js';
import { TokenRenewal } from './access/token-renewal.js';
import type { CallOverlay, OverlayPart } from './calls/call-overlay.js';
import type { CallArguments, CallOptions, ItemOf, NameIn, PayloadOf, ResultOf, UntypedName } from './calls/call-types.js';
import { Calls, type CallsLink } from './calls/calls.js';
import { QUESTION_ID } from './calls/server-question.js';
import { type ConnectOptions, OPTION_RULES, type TokenReason } from './client-options.js';
import { type Clock, SYSTEM_CLOCK } from './connection/clock.js';
import type { ConnectionState } from './connection/connection-state.js';
import { pingKeepAlive } from './connection/keep-alive.js';
import { probeKeepAlive } from './connection/probe-keep-alive.js';
import { type ReconnectingOwner, ReconnectingSocket } from './connection/reconnecting-socket.js';
import type { Closed } from './connection/socket.js';
import { pageWakeSource, type WakeSource } from './connection/wake-source.js';
import { canPing, openSocketOf, type WebSocketConstructor } from './connection/web-socket.js';
import { Copies } from './persistence/copies.js';
import type { Target } from './subscription/join.js';
import { Listeners, type Unsubscribe } from './subscription/listeners.js';
import { Subscriptions, type SubscriptionsLink } from './subscription/subscriptions.js';
import type { GroupView, ItemView, TargetView, ViewOptions } from './subscription/view.js';
import { openWithToken } from './token-socket.js';

/** The first retry comes within a second. The bounds of the next ones double up to 20 s. Each wait is anywhere below its bound. */
const BACKOFF = {
  initialDelayMs: 500,
  firstDelayMs: 1_000,
  maxDelayMs: 20_000,
  // The engine is there, and keeps each attempt for up to 5 s. So this bounds the attempts too.
  maxDelayMsAfter: { 'not admitted: no auth worker': 5_000 },
  multiplier: 2,
};
/** The most milliseconds between a wake-up of the page and the attempt. A whole office may be back on line at the same moment. */
const WAKE_SPREAD_MS = 250;
const PERSIST_CHARS = 8_388_608;
/** A join to a name that no stream can have. The engine answers it with an error at once and calls no function. */
const PROBE = { streamName: '\u0000', groupId: '\u0000', positions: true };
/** The close code of an engine that refuses the token. */
const REFUSED = 1008;

/**
 * One connection, and the views and calls over it. The client decodes each frame and routes it to the subscription of its target, or to the
 * calls. `Streams` is a map from the name of a stream to the type of its items. `Functions` is a map from the id of a function to the types
 * of its `payload` and `result`.
 */
export class StreamClient<Streams = unknown, Functions = unknown> {
  readonly #options: ConnectOptions;
  readonly #link: SubscriptionsLink;
  readonly #errors = new Listeners<StreamError>();
  readonly #states = new Listeners<ConnectionState>();
  readonly #subscriptions: Subscriptions;
  readonly #calls: Calls;
  readonly #overlay: CallOverlay | undefined;
  readonly #address: URL;
  readonly #connect: () => ReconnectingSocket;
  /** On a server the connection is made with the first view. So a module that calls `connect` can be imported and rendered there. */
  #connection: ReconnectingSocket | undefined;
  #state: ConnectionState = { kind: 'connecting', attempt: 0 };
  #send: ((text: string) => void) | undefined;
  /** Whether the server of this connection has shown positions. Only such a server answers the probe. */
  #hasPositions = false;
  /** The reason for `getToken`: for the current attempt, and for the next one. */
  #tokenReason: TokenReason = 'connect';
  #next: TokenReason = 'connect';
  #token: string | undefined;
  #renewal: TokenRenewal | undefined;
  readonly #failures: ConnectFailures;
  /**
   * Counts since the client was made. `holes`: gaps in the sequence of frames, after which the client joined again. `duplicates`: frames
   * that the client dropped because it had applied them before. `connections`: sockets that opened.
   */
  readonly counters = { holes: 0, duplicates: 0, connections: 0 };

  constructor(url: string, options: ConnectOptions) {
    const wrong = wrongOption(options, OPTION_RULES);
    if (wrong !== undefined) throw new StreamError('INVALID_OPTIONS', wrong);
    const { runtime = {}, token, getToken } = options;
    if (token !== undefined && getToken !== undefined) throw new StreamError('INVALID_OPTIONS', 'give token or getToken, not both');
    this.#options = options;
    this.#address = readAddress(url, options.insecure === true);
    this.#failures = new ConnectFailures(this.#address, (error) => {
      if (error.code !== 'UNAUTHORIZED') return this.#report(error);
      this.#next = 'refused';
      this.#refused(error);
    });
    const clock = runtime.clock ?? SYSTEM_CLOCK;
    const random = runtime.random ?? Math.random;
    const copies = this.#copiesFor(clock);
    this.#link = {
      clock,
      random,
      send: (text) => this.#send?.(text),
      counters: this.counters,
      report: this.#report,
      copyOf: (key, { replica }) => copies?.of(`${this.#address.host}${this.#address.pathname} ${key}`, replica),
      persistFailed: this.#persistFailed,
      opened: (subscription) => this.#overlay?.opened(subscription),
    };
    this.#subscriptions = new Subscriptions(this.#link);
    this.#overlay = this.#overlayOver(clock);
    this.#calls = new Calls(this.#callsLink(clock), options.calls);
    // @deprecated `awakening`
    const wakeSource = runtime.wakeSource ?? runtime.awakening ?? pageWakeSource;
    const spread: WakeSource = (wake) =>
      wakeSource(() => {
        clock.setTimer(wake, random() * WAKE_SPREAD_MS);
      });
    this.#connect = () => {
      this.#calls.load();
      const { WebSocket: given = globalThis.WebSocket as WebSocketConstructor | undefined, silenceMs } = options;
      const openSocket = runtime.openSocket ?? (given && this.#openSocket(given));
      if (openSocket === undefined)
        throw new StreamError('INVALID_OPTIONS', 'no WebSocket class: give the one of `ws` as option WebSocket');
      const probe = probeKeepAlive(silenceMs ?? 25_000, () => this.#probe(), wakeSource);
      const keepAlive = given !== undefined && canPing(given) ? pingKeepAlive(pingTimes(silenceMs)) : probe;
      return new ReconnectingSocket({
        url: this.#address.href,
        openSocket,
        backoff: BACKOFF,
        wakeSource: spread,
        clock,
        random,
        owner: this.#owner(),
        ...(silenceMs === 0 ? {} : { keepAlive }),
      });
    };
    if (options.WebSocket !== undefined || runtime.openSocket !== undefined || typeof document !== 'undefined')
      this.#connection = this.#connect();
  }

  /** The state of the connection. Each view has a status of its own. */
  get state(): ConnectionState {
    return this.#state;
  }

  /**
   * Returns a live view of all items of a group. Views of one target share one join. Throws `CLOSED` after `close`, and `INVALID_OPTIONS`
   * for a wrong listener or without a `WebSocket` class.
   */
  subscribeGroup<T = unknown>(stream: UntypedName<Streams>, group: string, options?: ViewOptions<T>): GroupView<T>;
  subscribeGroup<Name extends NameIn<Streams>>(
    stream: Name,
    group: string,
    options?: ViewOptions<ItemOf<Streams, Name>>,
  ): GroupView<ItemOf<Streams, Name>>;
  subscribeGroup<T>(stream: string, group: string, options: ViewOptions<T> = {}): GroupView<T> {
    return this.#view({ stream, group, item: undefined }, options);
  }

  /** Returns a live view of one item. Throws as `subscribeGroup` does. */
  subscribeItem<T = unknown>(stream: UntypedName<Streams>, group: string, item: string, options?: ViewOptions<T>): ItemView<T>;
  subscribeItem<Name extends NameIn<Streams>>(
    stream: Name,
    group: string,
    item: string,
    options?: ViewOptions<ItemOf<Streams, Name>>,
  ): ItemView<ItemOf<Streams, Name>>;
  subscribeItem<T>(stream: string, group: string, item: string, options: ViewOptions<T> = {}): ItemView<T> {
    return this.#view({ stream, group, item }, options);
  }

  /**
   * Calls a function that the stream listener exposes. Resolves with its result. Without a connection the call waits for one. After a lost
   * connection it is sent again, and takes effect at most once. Rejects with a `StreamError`; its code says why.
   */
  call<Result = unknown>(name: UntypedName<Functions>, payload?: unknown, options?: CallOptions<Streams>): Promise<Result>;
  call<Name extends NameIn<Functions>>(
    name: Name,
    ...args: CallArguments<PayloadOf<Functions, Name>, Streams>
  ): Promise<ResultOf<Functions, Name>>;
  call(name: string, payload?: unknown, options?: CallOptions<Streams>): Promise<unknown> {
    // The names are checked by their types, and the calls take any.
    return this.#calls.call(name, payload, options as CallOptions | undefined);
  }

  /** Adds a listener for the errors of all views and of the connection. The client goes on by itself after each of them. */
  onError(listener: (error: StreamError) => void): Unsubscribe {
    return this.#errors.add(listener);
  }

  /** Adds a listener for changes of the connection. */
  onState(listener: (state: ConnectionState) => void): Unsubscribe {
    return this.#states.add(listener);
  }

  /**
   * Calls `getToken` with `expiring` and sends the token on the open connection. Later joins get what the new token allows. Views stay as
   * they are.
   */
  async refreshToken(): Promise<void> {
    await this.#renewal?.renew();
  }

  /** Closes all views and the connection for good. Resolves when the copies are saved and the socket is closed, which takes at most 2 s. */
  async close(): Promise<void> {
    const saved = this.#subscriptions.close();
    this.#calls.onEnd(new StreamError('CLOSED', 'the client is closed'));
    if (this.#connection === undefined) this.#entered({ kind: 'closed', by: 'owner', last: { code: 1005, reason: '' } });
    await Promise.all([this.#connection?.close(), saved]);
  }

  #owner(): ReconnectingOwner {
    return {
      onOpen: (send) => this.#opened(send),
      onText: (text) => this.#read(text),
      onLost: (closed) => this.#lost(closed),
      onState: (state) => this.#entered(state),
    };
  }

  #openSocket(given: WebSocketConstructor) {
    let constructor = given;
    const ready = this.#options.debug
      ? import('./debug.js').then(({ debugSockets }) => {
          constructor = debugSockets(given);
          // oxlint-disable-next-line no-console -- `debug` asks for lines on the console, and the error names the module
        }, console.warn)
      : undefined;
    return openWithToken(
      this.#address,
      this.#options,
      ready,
      () => this.#tokenReason,
      (url, protocols, events) => openSocketOf(constructor, url, protocols, events),
      (token) => {
        this.#token = token;
      },
      this.#tokenFailed,
    );
  }

  #callsLink(clock: Clock): CallsLink {
    return {
      clock,
      send: (text) => this.#send?.(text),
      overlay: this.#overlay,
      report: this.#report,
      connect: () => this.#open(),
      flushJoins: () => this.#subscriptions.flush(),
      hasPositions: () => this.#hasPositions,
      sendProbe: (subscriptionId: string) => this.#sendProbe(subscriptionId),
    };
  }

  #open(): void {
    const { kind } = this.#state;
    if (kind === 'closed' || kind === 'closing') throw new StreamError('CLOSED', 'the client is closed');
    this.#connection ??= this.#connect();
  }

  #view<T>(target: Target, options: ViewOptions<T>): TargetView<T> {
    this.#open();
    return this.#subscriptions.view(target, options);
  }

  #overlayOver(clock: Clock): CallOverlay | undefined {
    const part = this.#options.optimistic as OverlayPart | undefined;
    return part?.open({ clock, subscriptions: () => this.#subscriptions.all(), report: this.#report });
  }

  /** Returns `undefined` if nothing is kept. */
  #copiesFor(clock: Clock): Copies | undefined {
    const { persist, persistItems = 10_000 } = this.#options;
    if (persist === undefined || (typeof persist === 'string' && typeof indexedDB === 'undefined')) return undefined;
    return new Copies(persist, clock, { items: persistItems, chars: PERSIST_CHARS }, this.#persistFailed);
  }

  #opened(send: (text: string) => void): void {
    this.counters.connections++;
    this.#send = send;
    this.#failures.onOpen();
    const { getToken } = this.#options;
    if (getToken !== undefined) this.#renewal = this.#renewalOver(send, getToken);
    this.#subscriptions.onOpen();
    this.#calls.onOpen(send);
  }

  #renewalOver(send: (text: string) => void, getToken: NonNullable<ConnectOptions['getToken']>): TokenRenewal {
    const link = {
      clock: this.#link.clock,
      getToken: () => getToken('expiring'),
      send: (token: string) => send(JSON.stringify({ type: 'refresh', data: { token } })),
      failed: this.#tokenFailed,
    };
    return new TokenRenewal(link, this.#token);
  }

  #lost({ code, reason }: Closed): void {
    this.#send = undefined;
    this.#hasPositions = false;
    this.#renewal?.end();
    this.#renewal = undefined;
    this.#next = code === REFUSED ? 'refused' : 'connect';
    this.#subscriptions.onLost();
    // The engine has read none of the frames of such a connection (RV-61).
    this.#calls.onLost(code, reason.startsWith('not admitted'));
    if (code === REFUSED) this.#refused(new StreamError('UNAUTHORIZED', 'the token is refused or has expired'));
  }

  #refused(error: StreamError): void {
    this.#report(error);
    // The same token would be refused again, so the calls would wait in vain.
    if (this.#options.getToken === undefined) this.#calls.onEnd(error);
  }

  #entered(state: ConnectionState): void {
    if (state.kind === 'connecting') {
      this.#tokenReason = this.#next;
      // If the socket does not open, a browser does not say whether the token was refused or the network is down.
      this.#next = 'failed';
      this.#failures.onAttempt();
    }
    this.#state = state;
    this.#states.emit(state);
    if (state.kind === 'waiting') this.#failures.onEnd(state.last);
  }

  #probe(): boolean {
    if (this.#hasPositions && this.#subscriptions.size > 0) this.#sendProbe('probe');
    else if (this.#calls.question.isKnown) this.#calls.question.ask();
    else return false;
    return true;
  }

  #sendProbe(subscriptionId: string): void {
    this.#send?.(JSON.stringify({ type: 'join', data: { subscriptionId, ...PROBE } }));
  }

  #read(text: string): void {
    const decoded = decodeStreamFrame(text, this.#options.maxFrameChars);
    if (decoded.kind === 'message') {
      this.#failures.onStreamPort();
      const { message } = decoded;
      if (message.type === 'expiring') this.#renewal?.onExpiring(message.expiresAtMs - Date.now());
      else if (message.type === 'result' || message.type === 'call_error') this.#calls.onAnswer(message);
      else if (message.type === 'error' && message.subscriptionId === QUESTION_ID) this.#calls.onNoAnswer();
      else if (this.#subscriptions.onMessage(message)) this.#hasPositions = true;
    } else if (decoded.kind === 'ignored') {
      if (decoded.type !== 'workerregistered') return;
      this.#failures.onWorkerPort();
      this.#connection?.restart('the port of workers');
    } else if (decoded.kind === 'invalid') {
      // The frame may have been a change. The client must not skip it, so it connects again and resumes.
      this.#report(new StreamError('INVALID_FRAME', `the server sent a frame that can't be read: ${decoded.reason}`));
      this.#connection?.restart('a frame that can not be read');
    }
  }

  readonly #tokenFailed = (cause: unknown) => this.#report(new StreamError('TOKEN_FAILED', 'getToken failed', { cause }));

  readonly #persistFailed = (cause: unknown) =>
    this.#report(new StreamError('PERSIST_FAILED', 'the copy in the browser can not be used', { cause }));

  readonly #report = (error: StreamError) => this.#errors.emit(error);
}

function pingTimes(everyMs = 10_000) {
  return { everyMs, silentMs: everyMs * 2.5 };
}
