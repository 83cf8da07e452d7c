import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import type { GroupBoundsConfig } from './group-bounds-keys.js';
import type { JwtConfig } from './jwt-keys.js';
import { type Fields, type Keys, key, optionalKey, specialKey } from './key.js';
import { type ExposeRule, rules } from './rbac-keys.js';
import type { StoreConfig } from './store-config.js';
import {
  adapter,
  allowedHosts,
  auth,
  byteCount,
  flag,
  functionId,
  host,
  MIB,
  milliseconds,
  oneOf,
  origins,
  pathPrefix,
  trustedProxies,
  wholeNumber,
  YEAR_MS,
} from './value-schemas.js';

const GROUP_BOUNDS_BOUND = 'a list of at most 100 entries';
/** A list of unknown values, because an unknown key in an entry is always an error. `read-group-bounds.ts` checks each entry. */
const groupBounds = z.array(z.unknown(), { error: GROUP_BOUNDS_BOUND }).default([]).describe(GROUP_BOUNDS_BOUND);

/** Keys of `rivulet-stream`. */
export const STREAM_KEYS = {
  port: key('port', wholeNumber(3112, 0, 65_535), 'Port where clients subscribe. 0 means any free port'),
  host: key('host', host, 'Address to listen on. `0.0.0.0` or `::` means all interfaces'),
  pathPrefix: key('path_prefix', pathPrefix, 'Path prefix of a proxy that does not remove it ([below](#path-prefix))'),
  authFunction: key(
    'auth_function',
    functionId,
    'Function that decides about each connection ([its input and answers](streams.md#who-may-watch)). While it is not registered, everyone is refused',
  ),
  auth: specialKey('auth', auth, 'Checks of tokens, without a function or before it: `jwt` ([jwt.md](jwt.md))'),
  exposeFunctions: specialKey(
    'expose_functions',
    rules,
    'Rules for calls of clients, as in [`rbac`](#rbac). Without the key nothing can be called ([access.md](access.md#calls-of-pages))',
  ),
  middlewareFunction: optionalKey(
    'middleware_function_id',
    functionId,
    'Function that receives every call of a client in place of its target, except calls of `engine::*` ([access.md](access.md#middleware))',
  ),
  callTimeoutMs: key(
    'call_timeout_ms',
    milliseconds(30_000),
    'Time for a function that a client calls. After it the client gets `TIMEOUT`',
  ),
  adapter: specialKey('adapter', adapter, 'The store of the items, see below'),
  authFailOpen: key('auth_fail_open', flag(false), 'Admit clients when the auth function fails or returns no object'),
  authRejectMode: key(
    'auth_reject_mode',
    oneOf(['close', 'http'], 'close'),
    '`close` opens the socket of a refused client and closes it (1008, 1013). `http` sends a status (401, 503)',
  ),
  authTimeoutMs: key('auth_timeout_ms', milliseconds(10_000), 'Time for the auth function'),
  joinFailClosed: key(
    'join_fail_closed',
    flag(false),
    'Refuse a join when its `stream:join` trigger fails, or when there is none. So every stream needs one; `config: {}` serves all',
  ),
  joinTimeoutMs: key('join_timeout_ms', milliseconds(10_000), 'Time for the `stream:join` triggers'),
  maxSubscriptionsPerConnection: key(
    'max_subscriptions_per_connection',
    wholeNumber(LIMITS.subscriptionsPerConnection, 1, 65_536),
    'Subscriptions of one connection',
  ),
  maxFramesPerSecond: key(
    'max_frames_per_second',
    wholeNumber(1_000, 0, 1_000_000),
    'Average messages of one client. Above it, the engine stops reading for a while. 0 means no bound',
  ),
  maxJoinsPerSecond: key(
    'max_joins_per_second',
    wholeNumber(200, 0, 1_000_000),
    'The same for joins. The burst is twice `max_subscriptions_per_connection`, or the joins of five seconds if that is more',
  ),
  maxCallsPerSecond: key('max_calls_per_second', wholeNumber(100, 0, 1_000_000), 'The same for calls of functions'),
  maxBytesPerSecond: key('max_bytes_per_second', wholeNumber(MIB, 0, 1_024 * MIB), 'The same for bytes'),
  maxBufferedBytes: key(
    'max_buffered_bytes',
    byteCount(65_536, 65_536, 1_024 * MIB),
    'Unsent bytes above which a reader counts as lagging and catches up later',
  ),
  maxMessageBytes: key('max_message_bytes', byteCount(LIMITS.clientMessageBytes, 1_024, 64 * MIB), 'Largest message of a client'),
  allowedOrigins: key(
    'allowed_origins',
    origins,
    "Origins whose pages may connect. Empty means any, but only pages of the listener's own origin send cookies",
  ),
  allowedHosts: key(
    'allowed_hosts',
    allowedHosts,
    'Further names that `Host` may have. Checked only if this is set ([above](#who-may-connect))',
  ),
  trustedProxies: key(
    'trusted_proxies',
    trustedProxies,
    'Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` the listener believes ([operations.md](operations.md#behind-a-proxy))',
  ),
  allowAnonymous: key(
    'allow_anonymous',
    flag(false),
    'Anyone may read every stream on purpose. The engine does not warn, and `require_auth` allows it',
  ),
  pingIntervalMs: key('ping_interval_ms', milliseconds(25_000), 'Time between pings'),
  pongTimeoutMs: key(
    'pong_timeout_ms',
    milliseconds(10_000),
    'Time to answer a ping, after which the connection is dropped. More than `ping_interval_ms` is an error',
  ),
  eventStallTimeoutMs: key(
    'event_stall_timeout_ms',
    milliseconds(60_000),
    'Time after which an event stream ends whose client takes none of the bytes that wait for it ([http-reading.md](http-reading.md#lost-clients))',
  ),
  injectId: key('inject_id', flag(false), 'Add the item id as `id` to object values without one, on the wire only'),
  backendTimeoutMs: key(
    'backend_timeout_ms',
    milliseconds(30_000),
    'Time for a call of a worker that serves a stream (createStream), including the wait behind other writes of the item',
  ),
  backendGraceMs: key(
    'backend_grace_ms',
    milliseconds(30_000, { min: 0 }),
    'Time that such a worker may be unavailable, from the first failed call, before `backend_fallback` applies',
  ),
  backendFallback: key('backend_fallback', flag(false), "Use the engine's own store after that time. It has none of the worker's data"),
  logMaxChanges: key(
    'log_max_changes',
    wholeNumber(10_000, 1, 10_000_000),
    'Changes of one group that are kept for lagging and resuming readers',
  ),
  logMaxAgeMs: key('log_max_age_ms', milliseconds(600_000, { max: YEAR_MS }), 'Age of the oldest change that is kept'),
  logMaxBytes: key('log_max_bytes', byteCount(268_435_456, 1_024, 1_048_576 * MIB), 'Bytes of kept changes of all groups together'),
  tombstoneRetentionMs: key(
    'tombstone_retention_ms',
    milliseconds(604_800_000, { max: 10 * YEAR_MS }),
    'Time for which a resuming client learns that an item was deleted ([what it costs](store.md#room))',
  ),
  idempotencyRetentionMs: key(
    'idempotency_retention_ms',
    milliseconds(600_000, { max: YEAR_MS }),
    'Time for which the `idempotency_key` of a write is remembered',
  ),
  groupBounds: specialKey('group_bounds', groupBounds, 'Bounds of the groups of some streams ([below](#group_bounds))'),
  drainDelayMs: key(
    'drain_delay_ms',
    milliseconds(0, { min: 0, max: 16_000 }),
    'Time between the signal to stop and the first closed connection',
  ),
  drainSpreadMs: key('drain_spread_ms', milliseconds(10_000, { min: 0, max: 16_000 }), 'Time over which connections are closed'),
} as const satisfies Keys;

export interface StreamConfig extends Fields<typeof STREAM_KEYS> {
  /** `undefined`: the listener checks no tokens by itself. @default undefined */
  readonly jwt?: JwtConfig | undefined;
  /** Clients may call a function that matches one of these rules. `undefined`: they may call nothing. @default undefined */
  readonly exposeFunctions?: readonly ExposeRule[] | undefined;
  readonly adapter: StoreConfig;
  /** Bounds of groups. The first entry that matches a stream counts. */
  readonly groupBounds: readonly GroupBoundsConfig[];
}
