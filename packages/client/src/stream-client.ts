import { decodeStreamFrame, type StreamServerMessage, wrongOption } from '@rivulet/protocol';
import { ConnectFailures } from './access/connect-failure.js';
import { readAddress } from './access/stream-address.js';
import { StreamError } from './access/stream-error.js';
import { TokenRenewal } from './access/token-renewal.js';
import { type ConnectOptions, OPTION_RULES, type TokenReason } from './client-options.js';
import { SYSTEM_CLOCK } from './connection/clock.js';
import { Connection } from './connection/connection.js';
import type { ConnectionState } from './connection/connection-state.js';
import { pingKeepAlive } from './connection/keep-alive.js';
import { probeKeepAlive } from './connection/probe-keep-alive.js';
import type { Closed } from './connection/socket.js';
import { pageWakeSource, type WakeSource } from './connection/wake-source.js';
import { canPing, openSocketOf, type WebSocketConstructor } from './connection/web-socket.js';
import { indexedDbStore } from './persistence/indexed-db.js';
import type { PersistStore } from './persistence/persist-store.js';
import { PersistentCopy } from './persistence/persistent-copy.js';
import { type Target, targetKey } from './subscription/join.js';
import { Listeners, type Unsubscribe } from './subscription/listeners.js';
import { Subscription, type SubscriptionLink } from './subscription/subscription.js';
import { type GroupView, type ItemView, TargetView, type ViewListeners } from './subscription/view.js';
import { openWithToken } from './token-socket.js';

/** The first retry comes within a second. The bounds of the next ones double up to 20 s. Each wait is anywhere below its bound. */
const BACKOFF = { initialDelayMs: 500, firstDelayMs: 1_000, maxDelayMs: 20_000, multiplier: 2 };
/** The most milliseconds between a wake-up of the page and the attempt. A whole office may be back on line at the same moment. */
const WAKE_SPREAD_MS = 250;
const PERSIST_CHARS = 8_388_608;
/** A join to a name that no stream can have. The engine answers it with an error at once and calls no function. */
const PROBE = { subscriptionId: 'probe', streamName: '\u0000', groupId: '\u0000', positions: true };
/** The close code of an engine that refuses the token. */
const REFUSED = 1008;

/** A subscription and the views that share it. */
interface Shared {
  readonly subscription: Subscription;
  readonly views: Set<{ close(): void }>;
  readonly copy: PersistentCopy | undefined;
}

/**
 * One connection and the views over it. The client decodes each frame and routes it to the subscription of its target.
 *
 * Views that are opened and closed in one turn take effect at its end. So a page that closes a view and opens the same view again sends
 * nothing.
 */
export class StreamClient {
  readonly #options: ConnectOptions;
  readonly #link: SubscriptionLink;
  readonly #errors = new Listeners<StreamError>();
  readonly #states = new Listeners<ConnectionState>();
  /** The subscriptions by `targetKey`. */
  readonly #shared = new Map<string, Shared>();
  readonly #byId = new Map<string, Shared>();
  readonly #store: PersistStore | undefined;
  readonly #address: URL;
  readonly #connect: () => Connection;
  /** On a server the connection is made with the first view. So a module that calls `connect` can be imported and rendered there. */
  #connection: Connection | undefined;
  #state: ConnectionState = { kind: 'connecting', attempt: 0 };
  #send: ((text: string) => void) | undefined;
  /** Whether the server of this connection has shown positions. Only such a server answers the probe. */
  #hasPositions = false;
  #ids = 0;
  /** The reason for `getToken`: for the current attempt, and for the next one. */
  #tokenReason: TokenReason = 'connect';
  #next: TokenReason = 'connect';
  #token: string | undefined;
  #renewal: TokenRenewal | undefined;
  #turn: unknown;
  readonly #failures: ConnectFailures;
  /**
   * Counts since the client was made. `holes`: gaps in the sequence of frames, after which the client joined again. `duplicates`: frames
   * that the client dropped because it had applied them before. `connections`: sockets that opened.
   */
  readonly counters = { holes: 0, duplicates: 0, connections: 0 };

  constructor(url: string, options: ConnectOptions) {
    const wrong = wrongOption(options, OPTION_RULES);
    if (wrong !== undefined) throw new StreamError('INVALID_OPTIONS', wrong);
    const { runtime = {}, persist, token, getToken } = options;
    if (token !== undefined && getToken !== undefined) throw new StreamError('INVALID_OPTIONS', 'give token or getToken, not both');
    this.#options = options;
    this.#address = readAddress(url, options.insecure === true);
    this.#failures = new ConnectFailures(this.#address, (error) => {
      if (error.code === 'UNAUTHORIZED') this.#next = 'refused';
      this.#report(error);
    });
    const clock = runtime.clock ?? SYSTEM_CLOCK;
    const random = runtime.random ?? Math.random;
    this.#link = { clock, random, send: (text) => this.#send?.(text), counters: this.counters, report: (error) => this.#report(error) };
    this.#store = typeof persist === 'string' ? (typeof indexedDB === 'undefined' ? undefined : indexedDbStore(persist)) : persist;
    // @deprecated `awakening`
    const wakeSource = runtime.wakeSource ?? runtime.awakening ?? pageWakeSource;
    const spread: WakeSource = (wake) =>
      wakeSource(() => {
        clock.setTimer(wake, random() * WAKE_SPREAD_MS);
      });
    this.#connect = () => {
      const { WebSocket: given = globalThis.WebSocket as WebSocketConstructor | undefined, silenceMs } = options;
      const openSocket = runtime.openSocket ?? (given && this.#openSocket(given));
      if (openSocket === undefined)
        throw new StreamError('INVALID_OPTIONS', 'no WebSocket class: give the one of `ws` as option WebSocket');
      const probe = probeKeepAlive(silenceMs ?? 25_000, () => this.#probe(), wakeSource);
      const keepAlive = given !== undefined && canPing(given) ? pingKeepAlive(pingTimes(silenceMs)) : probe;
      return new Connection({
        url: this.#address.href,
        openSocket,
        backoff: BACKOFF,
        wakeSource: spread,
        clock,
        random,
        owner: {
          onOpen: (send) => this.#opened(send),
          onFlushed: () => {},
          onText: (text) => this.#read(text),
          onLost: (closed) => this.#lost(closed),
          onState: (state) => this.#entered(state),
        },
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
  subscribeGroup<T = unknown>(stream: string, group: string, listeners: ViewListeners<T> = {}): GroupView<T> {
    return this.#view({ stream, group, item: undefined }, listeners);
  }

  /** Returns a live view of one item. Throws as `subscribeGroup` does. */
  subscribeItem<T = unknown>(stream: string, group: string, item: string, listeners: ViewListeners<T> = {}): ItemView<T> {
    return this.#view({ stream, group, item }, listeners);
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
    const all = [...this.#shared.values()];
    for (const shared of all) {
      for (const view of shared.views) view.close();
      this.#leave(shared);
    }
    if (this.#connection === undefined) this.#entered({ kind: 'closed', by: 'owner', last: { code: 1005, reason: '' } });
    await Promise.all([this.#connection?.close(), ...all.map(({ copy }) => copy?.close())]);
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
      (cause) => this.#report(new StreamError('TOKEN_FAILED', 'getToken failed', { cause })),
    );
  }

  #view<T>(target: Target, listeners: ViewListeners<T>): TargetView<T> {
    const { kind } = this.#state;
    if (kind === 'closed' || kind === 'closing') throw new StreamError('CLOSED', 'the client is closed');
    this.#connection ??= this.#connect();
    const key = targetKey(target);
    const shared = this.#shared.get(key) ?? this.#share(key, target);
    const view = new TargetView<T>(shared.subscription, () => {
      shared.views.delete(view);
      if (shared.views.size === 0) this.#endTurnSoon();
    });
    view.on(listeners);
    shared.views.add(view);
    return view;
  }

  #share(key: string, target: Target): Shared {
    const subscription = new Subscription(`s${++this.#ids}`, target, this.#link);
    const copy = this.#copyOf(key, subscription);
    const shared: Shared = { subscription, views: new Set(), copy };
    this.#shared.set(key, shared);
    this.#byId.set(subscription.id, shared);
    subscription.errors.add(({ code }) => {
      if (code === 'FORBIDDEN') copy?.forget();
    });
    this.#endTurnSoon();
    if (copy === undefined) subscription.release();
    else
      copy
        .restore()
        .finally(() => {
          subscription.release();
          this.#endTurnSoon();
        })
        .catch(this.#persistFailed);
    return shared;
  }

  #copyOf(key: string, { replica }: Subscription): PersistentCopy | undefined {
    if (this.#store === undefined) return undefined;
    const { host, pathname } = this.#address;
    const bounds = { items: this.#options.persistItems ?? 10_000, chars: PERSIST_CHARS };
    return new PersistentCopy(this.#store, `${host}${pathname} ${key}`, replica, this.#link.clock, bounds, this.#persistFailed);
  }

  #endTurnSoon(): void {
    this.#turn ??= this.#link.clock.setTimer(() => this.#endTurn(), 0);
  }

  /**
   * Sends the leaves and joins of this turn. Leaves come first, so that joins find the places that they free. Then come subscriptions that
   * the engine turned away, and new subscriptions last.
   */
  #endTurn(): void {
    this.#link.clock.clearTimer(this.#turn);
    this.#turn = undefined;
    let free = 0;
    for (const shared of this.#shared.values()) {
      if (shared.views.size > 0) continue;
      if (!shared.subscription.isTurnedAway) free++;
      this.#leave(shared);
    }
    for (const { subscription } of this.#shared.values()) {
      if (free === 0 || !subscription.isTurnedAway) continue;
      free--;
      subscription.onPlaceFree();
    }
    if (this.#send !== undefined) for (const { subscription } of this.#shared.values()) subscription.onOpen();
  }

  #leave(shared: Shared): void {
    const { subscription, copy } = shared;
    const key = targetKey(subscription.target);
    if (this.#shared.get(key) === shared) this.#shared.delete(key);
    this.#byId.delete(subscription.id);
    subscription.close();
    copy?.close().catch(this.#persistFailed);
  }

  #opened(send: (text: string) => void): void {
    this.counters.connections++;
    this.#send = send;
    this.#failures.onOpen();
    const { getToken } = this.#options;
    if (getToken !== undefined) this.#renewal = this.#renewalOver(send, getToken);
    this.#endTurn();
  }

  #renewalOver(send: (text: string) => void, getToken: NonNullable<ConnectOptions['getToken']>): TokenRenewal {
    const link = {
      clock: this.#link.clock,
      getToken: () => getToken('expiring'),
      send: (token: string) => send(JSON.stringify({ type: 'refresh', data: { token } })),
      failed: (cause: unknown) => this.#report(new StreamError('TOKEN_FAILED', 'getToken failed', { cause })),
    };
    return new TokenRenewal(link, this.#token);
  }

  #lost({ code }: Closed): void {
    this.#send = undefined;
    this.#hasPositions = false;
    this.#renewal?.end();
    this.#renewal = undefined;
    this.#next = code === REFUSED ? 'refused' : 'connect';
    if (code === REFUSED) this.#report(new StreamError('UNAUTHORIZED', 'the token is refused or has expired'));
    for (const { subscription } of this.#shared.values()) subscription.onLost();
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
    if (!this.#hasPositions || this.#shared.size === 0) return false;
    this.#send?.(JSON.stringify({ type: 'join', data: PROBE }));
    return true;
  }

  #read(text: string): void {
    const decoded = decodeStreamFrame(text, this.#options.maxFrameChars);
    if (decoded.kind === 'message') {
      this.#failures.onStreamPort();
      this.#route(decoded.message);
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

  #route(message: StreamServerMessage): void {
    switch (message.type) {
      case 'create':
      case 'update':
      case 'delete':
      case 'event':
        if (message.itemId !== undefined) this.#at(message, message.itemId)?.onFrame(message);
        this.#at(message, undefined)?.onFrame(message);
        return;
      case 'group_sync':
        this.#at(message, undefined)?.onGroupSync(message);
        return;
      case 'item_sync':
        this.#at(message, message.itemId)?.onItemSync(message);
        return;
      case 'unauthorized':
        for (const { subscription } of this.#shared.values()) {
          const { stream, group } = subscription.target;
          if (stream === message.streamName && group === message.groupId) subscription.onUnauthorized();
        }
        return;
      case 'syncing':
        this.#hasPositions = true;
        this.#byId.get(message.subscriptionId)?.subscription.onSyncing();
        return;
      case 'stale':
        this.#byId.get(message.subscriptionId)?.subscription.onStale();
        return;
      case 'resumed':
        this.#hasPositions = true;
        this.#byId.get(message.subscriptionId)?.subscription.onResumed(message);
        return;
      case 'caught_up':
        this.#byId.get(message.subscriptionId)?.subscription.onCaughtUp(message.epoch, message.offset);
        return;
      case 'gap':
        this.#byId.get(message.subscriptionId)?.subscription.onGap(message);
        return;
      case 'error':
        if (message.subscriptionId === PROBE.subscriptionId) return;
        if (message.subscriptionId === undefined) this.#report(new StreamError(message.code, message.message));
        else this.#byId.get(message.subscriptionId)?.subscription.onError(message);
        return;
      case 'refreshed':
        for (const { subscription } of this.#shared.values()) subscription.onRefreshed();
        return;
      case 'expiring':
        this.#renewal?.onExpiring(message.expiresAtMs - Date.now());
        return;
      default:
        message satisfies never;
    }
  }

  #at({ streamName: stream, groupId: group }: { readonly streamName: string; readonly groupId: string }, item: string | undefined) {
    return this.#shared.get(targetKey({ stream, group, item }))?.subscription;
  }

  readonly #persistFailed = (cause: unknown) =>
    this.#report(new StreamError('PERSIST_FAILED', 'the copy in the browser can not be used', { cause }));

  #report(error: StreamError): void {
    this.#errors.emit(error);
  }
}

function pingTimes(everyMs = 10_000) {
  return { everyMs, silentMs: everyMs * 2.5 };
}
