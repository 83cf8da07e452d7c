import type { z } from 'zod';
import type { LoggingConfig, StreamConfig, WorkerManagerConfig } from './config.js';
import type { Findings } from './findings.js';
import { readAdapter, readKvStore } from './read-adapter.js';
import type { WorkerEntry } from './read-entries.js';
import { isMapping, readSection, type Section, shown } from './read-section.js';
import { httpSchema, LOG_FORMATS, LOG_LEVELS, stateSchema, streamSchema, workerManagerSchema } from './worker-schemas.js';

/** Makes a path of the file absolute: paths are relative to the working directory, not to the file. */
export type PathResolver = (path: string) => string;

/** What closing the clients may take, in milliseconds: with 10 s for calls in flight after it, a stop is done before its deadline of 28 s. */
const MAX_DRAIN_MS = 16_000;

export function workerManagerConfig(values: z.output<typeof workerManagerSchema>): WorkerManagerConfig {
  return {
    host: values.host,
    port: values.port,
    handshakeTimeoutMs: values.handshake_timeout_ms,
    maxMessageBytes: values.max_message_bytes,
    maxInFlightCalls: values.max_in_flight_calls,
    allowedOrigins: values.allowed_origins,
    pingIntervalMs: values.ping_interval_ms,
    pongTimeoutMs: values.pong_timeout_ms,
    gated: isPresent(values.rbac) || isPresent(values.middleware_function_id),
  };
}

export function streamConfig(values: z.output<typeof streamSchema>, adapter: StreamConfig['adapter']): StreamConfig {
  return {
    host: values.host,
    port: values.port,
    authFunction: values.auth_function ?? undefined,
    authFailOpen: values.auth_fail_open,
    authRejectMode: values.auth_reject_mode,
    authTimeoutMs: values.auth_timeout_ms,
    joinFailClosed: values.join_fail_closed,
    joinTimeoutMs: values.join_timeout_ms,
    maxSubscriptionsPerConnection: values.max_subscriptions_per_connection,
    maxBufferedBytes: values.max_buffered_bytes,
    maxMessageBytes: values.max_message_bytes,
    allowedOrigins: values.allowed_origins,
    pingIntervalMs: values.ping_interval_ms,
    pongTimeoutMs: values.pong_timeout_ms,
    injectId: values.inject_id,
    backendTimeoutMs: values.backend_timeout_ms,
    backendGraceMs: values.backend_grace_ms,
    backendFallback: values.backend_fallback,
    logMaxChanges: values.log_max_changes,
    logMaxAgeMs: values.log_max_age_ms,
    logMaxBytes: values.log_max_bytes,
    tombstoneRetentionMs: values.tombstone_retention_ms,
    drainDelayMs: values.drain_delay_ms,
    drainSpreadMs: values.drain_spread_ms,
    adapter,
  };
}

/** A listener of the worker protocol. `undefined`: wrong, and the findings say what. */
export function readWorkerManager(entry: WorkerEntry, findings: Findings): WorkerManagerConfig | undefined {
  const values = readSection(workerManagerSchema, entry.config, findings);
  if (values === undefined) return undefined;
  const config = workerManagerConfig(values);
  if (config.gated) {
    const message = 'rbac and middleware are not built in this version; the listener opens, and answers every connection with 503';
    findings.warn('listener_gated', entry.path, message);
  }
  return config;
}

export function readStream(entry: WorkerEntry, resolvePath: PathResolver, findings: Findings): StreamConfig | undefined {
  const values = readSection(streamSchema, entry.config, findings);
  const adapter = readAdapter('stream', adapterSection(entry), findings);
  if (values === undefined || adapter === undefined) return undefined;
  const adapterPath = [...entry.config.path, 'adapter'];
  if (adapter.name === 'bridge') {
    findings.problem(
      adapterPath,
      'the stream adapter "bridge" is not supported (see COMPATIBILITY.md); use "kv", or connect to the engine behind the bridge itself',
    );
    return undefined;
  }
  if (adapter.name === 'redis') {
    findings.problem(
      adapterPath,
      'the stream adapter "redis" is not built in this version; use "kv" with store_method file_based, on one machine',
    );
    return undefined;
  }
  const store = readKvStore('stream', adapter.config, resolvePath, findings);
  if (store === undefined) return undefined;
  if (store.kind === 'memory') {
    findings.warn(
      'store_in_memory',
      adapterPath,
      'streams are kept in memory, restarts lose data; set store_method: file_based to keep them',
    );
  }
  if (values.drain_delay_ms + values.drain_spread_ms > MAX_DRAIN_MS) {
    const sum = `drain_delay_ms and drain_spread_ms together exceed ${MAX_DRAIN_MS}`;
    findings.problem(entry.config.path, `${sum}, which leaves too little of the 28000 of an ordered stop; lower one of them`);
  }
  return streamConfig(values, store);
}

/** State is checked like any worker in scope, so that a file doesn't break the day it is built. */
export function readState(entry: WorkerEntry, resolvePath: PathResolver, findings: Findings): void {
  readSection(stateSchema, entry.config, findings);
  const adapter = readAdapter('state', adapterSection(entry), findings);
  if (adapter?.name === 'kv') readKvStore('state', adapter.config, resolvePath, findings);
  findings.warn(
    'worker_ignored',
    entry.path,
    'iii-state is not built in this version; the entry is checked and ignored, state::* functions are not found',
  );
}

export function readHttp(entry: WorkerEntry, findings: Findings): void {
  readSection(httpSchema, entry.config, findings);
  findings.warn(
    'worker_ignored',
    entry.path,
    'iii-http is not built in this version; the entry is checked and ignored, its port stays closed',
  );
}

const LOGGING_KEYS = ['level', 'log_level', 'format'];

/** Keys for exporters, metrics and sampling must not fail, whatever they hold; only those of logging are read. */
export function readLogging(entry: WorkerEntry, before: LoggingConfig, findings: Findings): LoggingConfig {
  const { value, path } = entry.config;
  if (!isMapping(value)) return before;
  if (Object.keys(value).some((key) => !LOGGING_KEYS.includes(key))) {
    findings.warn(
      'worker_ignored',
      entry.path,
      `${entry.written} is mostly ignored: only level, log_level and format are read, nothing is exported`,
    );
  }
  const choose = <T extends string>(key: string, allowed: readonly T[], fallback: T): T => {
    if (!isPresent(value[key])) return fallback;
    const chosen = allowed.find((candidate) => candidate === String(value[key]).toLowerCase());
    if (chosen === undefined) {
      findings.warn(
        'value_ignored',
        [...path, key],
        `${shown(value[key])} is not known, ${fallback} is used; known: ${allowed.join(', ')}`,
      );
    }
    return chosen ?? fallback;
  };
  const levelKey = isPresent(value.level) ? 'level' : 'log_level';
  return { level: choose(levelKey, LOG_LEVELS, before.level), format: choose('format', LOG_FORMATS, before.format) };
}

export function adapterSection(entry: WorkerEntry): Section {
  const { value, path, form } = entry.config;
  return { value: isMapping(value) ? value.adapter : undefined, path: [...path, 'adapter'], form };
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}
