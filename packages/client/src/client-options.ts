import type { OptimisticPart } from './calls/call-overlay.js';
import type { CallsOptions } from './calls/call-types.js';
import type { Clock } from './connection/clock.js';
import type { OpenSocket } from './connection/socket.js';
import type { WakeSource } from './connection/wake-source.js';
import type { WebSocketConstructor } from './connection/web-socket.js';
import type { PersistStore } from './persistence/persist-store.js';

/**
 * Why the client calls `getToken`.
 *
 * - `connect`: the client connects.
 * - `refused`: the engine refused the last token, so a cached token is of no use.
 * - `failed`: the last attempt did not open. The cause is unknown.
 * - `expiring`: the token of the open connection expires.
 */
export type TokenReason = 'connect' | 'refused' | 'failed' | 'expiring';

export interface ConnectOptions {
  /**
   * A token for the auth function of the engine. It can't be combined with `getToken`.
   * @default none
   */
  readonly token?: string;
  /**
   * Returns a token, or `undefined` to connect without one. The client calls it before each attempt to connect, and when the token expires
   * within 30 s. In the second case it sends the new token on the open connection, and nothing is interrupted. If the function fails, or
   * does not answer in 10 s, the attempt has failed. The client tries again, after longer and longer delays.
   * @default none
   */
  readonly getToken?: (reason: TokenReason) => string | undefined | Promise<string | undefined>;
  /**
   * How the token travels with the handshake. `protocol`: as sub-protocol `['Authorization', token]`, which stays out of access logs.
   * `query`: as `?token=`.
   * @default `protocol` if the token consists of letters, digits and ``!#$%&'*+-.^_`|~``; otherwise `query`
   */
  readonly tokenAs?: 'protocol' | 'query';
  /**
   * Allows `ws:` to another machine. Everybody on the way can read such a connection. Without this option the client refuses the URL.
   * @default false
   */
  readonly insecure?: boolean;
  /**
   * The class of the sockets. Node 20 has no global class: give the class of the package `ws`, whose sockets can also ping.
   * @default the global `WebSocket` of browsers and Node 22
   */
  readonly WebSocket?: WebSocketConstructor;
  /**
   * Keeps a copy of positions and items. A page that is loaded again shows the copy at once (`stale`) and gets only the changes. A name
   * means IndexedDB; where there is none, nothing is kept. The code for it is a module of its own, which only this option loads.
   * @default none
   */
  readonly persist?: string | PersistStore;
  /**
   * The most items of one target that the copy holds. A larger target is not kept at all.
   * @default 10,000
   */
  readonly persistItems?: number;
  /**
   * The most UTF-16 code units of one frame of the server. A longer frame is reported as `INVALID_FRAME`.
   * @default 67,108,864
   */
  readonly maxFrameChars?: number;
  /**
   * Milliseconds without a sign of life from the server after which the client requests one. 0: never.
   * @default 25,000; with sockets that can ping, 10,000
   */
  readonly silenceMs?: number;
  /**
   * The bounds of the calls that wait for a connection.
   * @default 100 calls, 256 KiB, 10 minutes
   */
  readonly calls?: CallsOptions;
  /**
   * The part that shows the changes of calls before the server has them: `optimistic` of `@rivulet/client/optimistic`. Without it, a call
   * with a draft function is rejected.
   * @default none
   */
  readonly optimistic?: OptimisticPart;
  /**
   * Writes to the console in plain words what the client sends and receives, without values and tokens. The code for it is a module of its
   * own, which only this option loads. The first connection waits for it; when it cannot be loaded, the client warns and goes on.
   * @default false
   */
  readonly debug?: boolean;
  /** The clock, the random numbers and the sockets of tests. */
  readonly runtime?: ClientRuntime;
}

/** The rules for the values of the options. The type keeps the list complete. */
export const OPTION_RULES = {
  token: 'a string or null',
  getToken: 'a function',
  tokenAs: '"protocol" or "query"',
  insecure: 'a boolean',
  WebSocket: 'a class (a function)',
  persist: 'a string or an object',
  persistItems: 'a number from 0',
  maxFrameChars: 'a number from 0',
  silenceMs: 'a number from 0 to 2147483647',
  calls: 'an object',
  optimistic: 'an object',
  debug: 'a boolean',
  runtime: 'an object',
} satisfies Record<keyof ConnectOptions, string>;

export interface ClientRuntime {
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly openSocket?: OpenSocket;
  readonly wakeSource?: WakeSource;
  /** @deprecated Use `wakeSource`. */
  readonly awakening?: WakeSource;
}
