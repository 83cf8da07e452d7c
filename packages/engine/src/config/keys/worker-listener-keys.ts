import { LIMITS } from '@rivulet/protocol';
import { z } from 'zod';
import { type Fields, type Keys, key, optionalKey, specialKey } from './key.js';
import type { RbacConfig } from './rbac-keys.js';
import {
  allowedHosts,
  byteCount,
  flag,
  functionId,
  host,
  MIB,
  milliseconds,
  optionalRate,
  origins,
  trustedProxies,
  wholeNumber,
} from './value-schemas.js';

export const TOKEN_BOUND = '1 to 1024 printable ASCII characters without spaces, in quotes, or no such key';

/** Keys of `rivulet-worker-manager`. `read-workers.ts` checks the token itself, because no message may show it. */
export const WORKER_MANAGER_KEYS = {
  port: key('port', wholeNumber(49_134, 0, 65_535), 'Port of the worker protocol. 0 means any free port'),
  host: key('host', host, 'Address to listen on. `0.0.0.0` or `::` means all interfaces'),
  middlewareFunction: key(
    'middleware_function_id',
    functionId,
    'Function that receives every call in place of its target, except calls of `engine::*` ([access.md](access.md))',
  ),
  rbac: specialKey(
    'rbac',
    z.unknown().optional().describe('rules of who may register and call what'),
    'Rules for connections, calls and registrations, see below. Without them the listener trusts every peer',
  ),
  exposeErrorMessages: key(
    'expose_error_messages',
    flag(false),
    'Send guests the errors of functions as they were thrown. Otherwise guests get a fixed message and an `error_id`',
  ),
  authToken: specialKey(
    'auth_token',
    z.unknown().optional().describe(TOKEN_BOUND),
    'Secret that workers send, in place of rules ([below](#who-may-connect)). Not together with `rbac`',
  ),
  allowAnonymous: key(
    'allow_anonymous',
    flag(false),
    'The port off loopback is open on purpose. The engine does not warn, and `require_auth` allows it',
  ),
  handshakeTimeoutMs: key(
    'handshake_timeout_ms',
    milliseconds(5_000),
    'Time for the request of an upgrade. The engine warns of a longer time, because a peer may hold a connection for it',
  ),
  maxMessageBytes: key(
    'max_message_bytes',
    byteCount(LIMITS.workerMessageBytes, 1_024, 64 * MIB),
    'Largest message of a worker. With `rbac` the default is 1048576',
  ),
  maxInFlightCalls: key(
    'max_in_flight_calls',
    wholeNumber(LIMITS.inFlightCalls, 1, 1_048_576),
    'Pending calls of one connection. Further calls fail with `OVERLOADED`. With `rbac` at most 1024, and more is an error',
  ),
  maxFramesPerSecond: optionalKey(
    'max_frames_per_second',
    optionalRate(1_000_000),
    'Average messages of one connection. Above it, the engine stops reading for a while. With `rbac` 2000, else no bound. 0 means no bound',
  ),
  maxCallsPerSecond: optionalKey('max_calls_per_second', optionalRate(1_000_000), 'The same for calls. With `rbac` 1000, else no bound'),
  maxBytesPerSecond: optionalKey(
    'max_bytes_per_second',
    optionalRate(1_024 * MIB),
    'The same for bytes. With `rbac` 8388608, else no bound',
  ),
  allowedOrigins: key('allowed_origins', origins, 'Origins whose pages may connect, in addition to those on loopback'),
  allowedHosts: key('allowed_hosts', allowedHosts, 'Further names that `Host` may have ([below](#who-may-connect))'),
  trustedProxies: key(
    'trusted_proxies',
    trustedProxies,
    'Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` the listener believes ([operations.md](operations.md#behind-a-proxy))',
  ),
  pingIntervalMs: key('ping_interval_ms', milliseconds(25_000), 'Time between pings'),
  pongTimeoutMs: key(
    'pong_timeout_ms',
    milliseconds(10_000),
    'Time to answer a ping, after which the connection is dropped. More than `ping_interval_ms` is an error',
  ),
} as const satisfies Keys;

export interface WorkerManagerConfig extends Fields<typeof WORKER_MANAGER_KEYS> {
  /** The secret of the workers of a listener without rules. `undefined` means that the listener requires none. */
  readonly authToken: string | undefined;
  /** `undefined` means that the listener trusts every peer. */
  readonly rbac: RbacConfig | undefined;
}
