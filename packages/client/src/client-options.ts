import type { Clock } from './connection/clock.js';
import type { OpenSocket } from './connection/socket.js';
import type { WakeSource } from './connection/wake-source.js';
import type { WebSocketConstructor } from './connection/web-socket.js';
import type { PersistStore } from './persistence/persist-store.js';

/** Why a token is asked for. After `refused` a cached one is no use; after `failed` the last attempt did not open, for whatever reason. */
export type TokenReason = 'connect' | 'refused' | 'failed' | 'expiring';

export interface ConnectOptions {
  /** For the auth function of the engine. Not with `getToken`. */
  readonly token?: string;
  /**
   * Asked before each attempt to connect, and when the engine says that the token expires in 30 s; then the new one is sent in-band and nothing
   * is interrupted. `undefined`: connect without one. A failure, or no answer in 10 s, is a failed attempt: it is asked again, later each time.
   */
  readonly getToken?: (reason: TokenReason) => string | undefined | Promise<string | undefined>;
  /**
   * How the token travels with the handshake. `protocol`: as sub-protocol `['Authorization', token]`, which stays out of access logs. `query`:
   * as `?token=`. Default: `protocol` if the token consists of letters, digits and ``!#$%&'*+-.^_`|~``, else `query`.
   */
  readonly tokenAs?: 'protocol' | 'query';
  /** Allows `ws:` to another host than this machine, where everybody on the way can read along. Default false: such a URL is refused. */
  readonly insecure?: boolean;
  /** The class to connect with. Default: the global `WebSocket` of browsers and Node 22; in Node 20 give that of `ws`, which can ping besides. */
  readonly WebSocket?: WebSocketConstructor;
  /**
   * Keeps a copy of positions and items, so that a page that is loaded again shows it at once (`stale`) and gets only what changed. A name: in
   * IndexedDB, where there is one. Default: none.
   */
  readonly persist?: string | PersistStore;
  /** Items of one target that are kept at most; of a larger one nothing is. Default 10,000. */
  readonly persistItems?: number;
  /** UTF-16 code units of one frame. Default 67,108,864. */
  readonly maxFrameChars?: number;
  /** Milliseconds without a sign of life from the server after which one is asked for. Default 25,000 (with pings: 10,000). 0: never. */
  readonly silenceMs?: number;
  /** Time, chance and sockets of tests. */
  readonly runtime?: ClientRuntime;
}

/** The type keeps the list of options complete. */
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
