import type { Config, StoreConfig, StreamConfig, WorkerManagerConfig } from './config.js';

/** The effective configuration in the form of a file, keys in a fixed order. A file of it gives the same configuration again. */
export function describeConfig(config: Config): Readonly<Record<string, unknown>> {
  return {
    workers: [
      ...config.workerManagers.map((manager) => ({ name: 'iii-worker-manager', config: workerManagerKeys(manager) })),
      ...(config.stream === undefined ? [] : [{ name: 'iii-stream', config: streamKeys(config.stream) }]),
      { name: 'iii-observability', config: { level: config.logging.level, format: config.logging.format } },
    ],
  };
}

function workerManagerKeys(manager: WorkerManagerConfig): Readonly<Record<string, unknown>> {
  return {
    port: manager.port,
    host: manager.host,
    // Rules are not kept while they have no effect; their presence has one.
    rbac: manager.gated ? {} : null,
    handshake_timeout_ms: manager.handshakeTimeoutMs,
    max_message_bytes: manager.maxMessageBytes,
    max_in_flight_calls: manager.maxInFlightCalls,
    allowed_origins: manager.allowedOrigins,
    ping_interval_ms: manager.pingIntervalMs,
    pong_timeout_ms: manager.pongTimeoutMs,
  };
}

function streamKeys(stream: StreamConfig): Readonly<Record<string, unknown>> {
  return {
    port: stream.port,
    host: stream.host,
    auth_function: stream.authFunction ?? null,
    adapter: { name: 'kv', config: storeKeys(stream.adapter) },
    auth_fail_open: stream.authFailOpen,
    auth_reject_mode: stream.authRejectMode,
    auth_timeout_ms: stream.authTimeoutMs,
    join_fail_closed: stream.joinFailClosed,
    join_timeout_ms: stream.joinTimeoutMs,
    max_subscriptions_per_connection: stream.maxSubscriptionsPerConnection,
    max_buffered_bytes: stream.maxBufferedBytes,
    max_message_bytes: stream.maxMessageBytes,
    allowed_origins: stream.allowedOrigins,
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
    drain_delay_ms: stream.drainDelayMs,
    drain_spread_ms: stream.drainSpreadMs,
  };
}

function storeKeys(store: StoreConfig): Readonly<Record<string, unknown>> {
  if (store.kind === 'memory') return { store_method: 'in_memory' };
  return { store_method: 'file_based', file_path: store.path, durability: store.durability, save_interval_ms: store.saveIntervalMs };
}
