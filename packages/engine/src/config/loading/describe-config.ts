import type {
  Config,
  ExposeRule,
  HttpConfig,
  RbacConfig,
  StateConfig,
  StoreConfig,
  StoreSpace,
  StreamConfig,
  WorkerManagerConfig,
} from '../config.js';
import { HIDDEN_TOKEN } from './read-workers.js';

/**
 * Returns the effective configuration in the form of a file, with the keys in a fixed order. A file with it gives the same configuration
 * again.
 */
export function describeConfig(config: Config): Readonly<Record<string, unknown>> {
  return {
    ...(config.requireAuth ? { require_auth: true } : {}),
    ...(config.strictPayloads === true ? { strict_payloads: true } : {}),
    workers: [
      ...config.workerManagers.map((manager) => ({ name: 'iii-worker-manager', config: workerManagerKeys(manager) })),
      ...(config.stream === undefined ? [] : [{ name: 'iii-stream', config: streamKeys(config.stream) }]),
      ...(config.state === undefined ? [] : [{ name: 'iii-state', config: stateKeys(config.state) }]),
      ...(config.pubsub ? [{ name: 'iii-pubsub' }] : []),
      ...(config.http === undefined ? [] : [{ name: 'iii-http', config: httpKeys(config.http) }]),
      { name: 'iii-observability', config: { level: config.logging.level, format: config.logging.format } },
    ],
  };
}

function workerManagerKeys(manager: WorkerManagerConfig): Readonly<Record<string, unknown>> {
  return {
    port: manager.port,
    host: manager.host,
    middleware_function_id: manager.middlewareFunction ?? null,
    ...(manager.rbac === undefined ? {} : { rbac: rbacKeys(manager.rbac) }),
    expose_error_messages: manager.exposeErrorMessages ?? false,
    ...(manager.authToken === undefined ? {} : { auth_token: HIDDEN_TOKEN }),
    allow_anonymous: manager.allowAnonymous,
    handshake_timeout_ms: manager.handshakeTimeoutMs,
    max_message_bytes: manager.maxMessageBytes,
    max_in_flight_calls: manager.maxInFlightCalls,
    ...optionalNumber('max_frames_per_second', manager.maxFramesPerSecond),
    ...optionalNumber('max_calls_per_second', manager.maxCallsPerSecond),
    ...optionalNumber('max_bytes_per_second', manager.maxBytesPerSecond),
    allowed_origins: manager.allowedOrigins,
    allowed_hosts: manager.allowedHosts,
    trusted_proxies: manager.trustedProxies,
    ping_interval_ms: manager.pingIntervalMs,
    pong_timeout_ms: manager.pongTimeoutMs,
  };
}

function rbacKeys(rbac: RbacConfig): Readonly<Record<string, unknown>> {
  return {
    ...optional('auth_function_id', rbac.authFunction),
    auth_timeout_ms: rbac.authTimeoutMs,
    auth_error_frame: rbac.authErrorFrame,
    expose_functions: rbac.exposeFunctions.map(ruleKeys),
    ...optional('on_function_registration_function_id', rbac.onFunctionRegistration),
    ...optional('on_trigger_registration_function_id', rbac.onTriggerRegistration),
    ...optional('on_trigger_type_registration_function_id', rbac.onTriggerTypeRegistration),
    hook_timeout_ms: rbac.hookTimeoutMs,
    ...(rbac.allowedTriggerTypes === undefined ? {} : { allowed_trigger_types: rbac.allowedTriggerTypes }),
  };
}

/** A key of `rbac` may be absent, but not empty. */
function optional(key: string, value: string | undefined): Readonly<Record<string, string>> {
  return value === undefined ? {} : { [key]: value };
}

function optionalNumber(key: string, value: number | undefined): Readonly<Record<string, number>> {
  return value === undefined ? {} : { [key]: value };
}

function ruleKeys(rule: ExposeRule): Readonly<Record<string, unknown>> {
  if (rule.kind === 'match') return { match: rule.pattern };
  const values = rule.conditions.map((condition) => [
    condition.key,
    condition.pattern === undefined ? condition.equals : quotedMatch(condition.pattern),
  ]);
  return { metadata: Object.fromEntries(values) };
}

/** Quotes a pattern. It contains at most one kind of quotes. */
function quotedMatch(pattern: string): string {
  return pattern.includes('"') ? `match('${pattern}')` : `match("${pattern}")`;
}

function streamKeys(stream: StreamConfig): Readonly<Record<string, unknown>> {
  return {
    port: stream.port,
    host: stream.host,
    path_prefix: stream.pathPrefix ?? null,
    auth_function: stream.authFunction ?? null,
    adapter: adapterKeys(stream.adapter),
    auth_fail_open: stream.authFailOpen,
    auth_reject_mode: stream.authRejectMode,
    auth_timeout_ms: stream.authTimeoutMs,
    join_fail_closed: stream.joinFailClosed,
    join_timeout_ms: stream.joinTimeoutMs,
    max_subscriptions_per_connection: stream.maxSubscriptionsPerConnection,
    max_frames_per_second: stream.maxFramesPerSecond,
    max_joins_per_second: stream.maxJoinsPerSecond,
    max_bytes_per_second: stream.maxBytesPerSecond,
    max_buffered_bytes: stream.maxBufferedBytes,
    max_message_bytes: stream.maxMessageBytes,
    allowed_origins: stream.allowedOrigins,
    allowed_hosts: stream.allowedHosts,
    trusted_proxies: stream.trustedProxies,
    allow_anonymous: stream.allowAnonymous,
    ping_interval_ms: stream.pingIntervalMs,
    pong_timeout_ms: stream.pongTimeoutMs,
    inject_id: stream.injectId,
    backend_timeout_ms: stream.backendTimeoutMs,
    backend_grace_ms: stream.backendGraceMs,
    backend_fallback: stream.backendFallback,
    log_max_changes: stream.logMaxChanges,
    log_max_age_ms: stream.logMaxAgeMs,
    log_max_bytes: stream.logMaxBytes,
    tombstone_retention_ms: stream.tombstoneRetentionMs,
    idempotency_retention_ms: stream.idempotencyRetentionMs,
    drain_delay_ms: stream.drainDelayMs,
    drain_spread_ms: stream.drainSpreadMs,
  };
}

function stateKeys(state: StateConfig): Readonly<Record<string, unknown>> {
  return {
    adapter: adapterKeys(state.adapter),
    triggers_enabled: state.triggersEnabled,
    max_value_bytes: state.maxValueBytes ?? null,
  };
}

function httpKeys(http: HttpConfig): Readonly<Record<string, unknown>> {
  const list = (names: readonly string[] | 'any') => (names === 'any' ? [] : names);
  const { cors } = http;
  return {
    port: http.port,
    host: http.host,
    default_timeout: http.defaultTimeoutMs,
    concurrency_request_limit: http.concurrentRequests,
    cors:
      cors === undefined
        ? null
        : {
            allowed_origins: list(cors.allowedOrigins),
            allowed_methods: list(cors.allowedMethods),
            credentials: cors.credentials ?? false,
            max_age: cors.maxAgeS ?? 600,
          },
    allowed_hosts: http.allowedHosts,
    path_prefix: http.pathPrefix ?? null,
    expose_error_messages: http.exposeErrorMessages ?? false,
    trusted_proxies: http.trustedProxies,
    middleware: http.middleware.map(({ functionId, priority }) => ({ function_id: functionId, phase: 'preHandler', priority })),
  };
}

function spaceKeys({ minFreeBytes, minFreePercent, ballastBytes }: StoreSpace): Readonly<Record<string, unknown>> {
  return { min_free_bytes: minFreeBytes, min_free_percent: minFreePercent, ballast_bytes: ballastBytes };
}

function adapterKeys(store: StoreConfig): Readonly<Record<string, unknown>> {
  switch (store.kind) {
    case 'memory':
      return { name: 'kv', config: { store_method: 'in_memory' } };
    case 'lmdb': {
      const { path, durability, saveIntervalMs, space } = store;
      const config = {
        store_method: 'file_based',
        file_path: path,
        durability,
        save_interval_ms: saveIntervalMs,
        ...(space === undefined ? {} : spaceKeys(space)),
      };
      return { name: 'kv', config };
    }
    case 'redis': {
      const { url, servers, keyPrefix, commandTimeoutMs, connectTimeoutMs } = store;
      const config = {
        redis_url: withoutPassword(url),
        ...(servers === undefined ? {} : { mode: servers.kind === 'cluster' ? 'cluster' : 'sentinel', nodes: servers.nodes }),
        ...(servers?.kind === 'sentinels' ? { master_name: servers.name } : {}),
        key_prefix: keyPrefix,
        command_timeout_ms: commandTimeoutMs,
        connect_timeout_ms: connectTimeoutMs,
      };
      return { name: 'redis', config };
    }
    case 'module':
      return { module: store.path, config: store.config };
    default:
      return store satisfies never;
  }
}

/** Removes the password, because the output may end up anywhere. */
function withoutPassword(url: string): string {
  return url.replace(/^(\w+:\/\/[^/@]*:)[^/@]*@/, '$1***@');
}
