import { LIMITS, nearMiss } from '@rivulet/protocol';
import type { z } from 'zod';
import type {
  ExposeRule,
  GroupBoundsConfig,
  HttpConfig,
  LoggingConfig,
  RbacConfig,
  StateConfig,
  StoreConfig,
  StreamConfig,
  WorkerManagerConfig,
} from '../config.js';
import { HTTP_KEYS } from '../keys/http-keys.js';
import { readFields, schemaOf } from '../keys/key.js';
import { LOG_FORMATS, LOG_LEVELS } from '../keys/logging-keys.js';
import { STATE_KEYS } from '../keys/state-keys.js';
import { STREAM_KEYS } from '../keys/stream-keys.js';
import { WORKER_MANAGER_KEYS } from '../keys/worker-listener-keys.js';
import type { Findings } from './findings.js';
import { readAdapter, readStore, type StoreOwner } from './read-adapter.js';
import { defaultAdmin } from './read-admin.js';
import type { WorkerEntry } from './read-entries.js';
import { readGroupBounds } from './read-group-bounds.js';
import { readAuth } from './read-jwt.js';
import { readExposeRules, readRbac } from './read-rbac.js';
import { isMapping, readSection, refuseChange, type Section, shown, warnOfOrigins } from './read-section.js';
import { readToken } from './read-token.js';

/** Makes a path of the file absolute. Paths are relative to the working directory, not to the file. */
export type PathResolver = (path: string) => string;

/** Milliseconds that closing the clients may take. After them, pending calls have 10 s, and a stop has 28 s in total. */
const MAX_DRAIN_MS = 16_000;

export const workerManagerSchema = schemaOf(WORKER_MANAGER_KEYS);
const streamSchema = schemaOf(STREAM_KEYS);
const stateSchema = schemaOf(STATE_KEYS);
const httpSchema = schemaOf(HTTP_KEYS);

export function workerManagerConfig(
  values: z.output<typeof workerManagerSchema>,
  { rbac, authToken }: { readonly rbac?: RbacConfig; readonly authToken?: string | undefined } = {},
): WorkerManagerConfig {
  return { ...readFields(WORKER_MANAGER_KEYS, values), pongTimeoutMs: pongTimeout(values), authToken, rbac };
}

function streamConfig(
  values: z.output<typeof streamSchema>,
  adapter: StoreConfig,
  groupBounds: readonly GroupBoundsConfig[],
): StreamConfig {
  return { ...readFields(STREAM_KEYS, values), pongTimeoutMs: pongTimeout(values), adapter, groupBounds };
}

/** Returns the configuration of `rivulet-stream` with every key at its default. */
export function defaultStream(adapter: StoreConfig): StreamConfig {
  return streamConfig(streamSchema.parse({}), adapter, []);
}

/** Returns the workers of a start without a file, with every key at its default. */
export function defaultWorkers(store: (owner: StoreOwner) => StoreConfig) {
  return {
    workerManagers: [workerManagerConfig(workerManagerSchema.parse({}))],
    stream: defaultStream(store('stream')),
    state: { ...readFields(STATE_KEYS, stateSchema.parse({})), adapter: store('state') },
    http: readFields(HTTP_KEYS, httpSchema.parse({})),
    admin: defaultAdmin(),
  };
}

/** Reads a listener of the worker protocol. Returns `undefined` if the entry is wrong, and reports why. */
export function readWorkerManager(entry: WorkerEntry, resolvePath: PathResolver, findings: Findings): WorkerManagerConfig | undefined {
  const values = readSection(workerManagerSchema, entry.config, findings);
  if (values === undefined) return undefined;
  if (values.handshake_timeout_ms > LONG_HANDSHAKE_MS) {
    const time = `for ${values.handshake_timeout_ms} ms a peer may hold a connection without a whole request`;
    findings.warn('handshake_timeout_long', [...entry.config.path, 'handshake_timeout_ms'], `${time}; ${LONG_HANDSHAKE_MS} is the default`);
  }
  checkPong(entry.config, values, findings);
  warnOfOrigins(values.allowed_origins, entry.config.path, findings);
  const authToken = readToken(values.auth_token, [...entry.config.path, 'auth_token'], 'auth_token_short', findings);
  if (values.rbac === undefined) return workerManagerConfig(values, { authToken });
  if (authToken !== undefined)
    findings.problem([...entry.config.path, 'auth_token'], 'a listener with rbac uses its auth_function_id; remove one of the two');
  const rbac = readRbac(values.rbac, [...entry.config.path, 'rbac'], resolvePath, findings);
  if (rbac === undefined) return undefined;
  const maxInFlightCalls = Math.min(values.max_in_flight_calls, LIMITS.guestInFlightCalls);
  refuseChange(entry.config, 'max_in_flight_calls', maxInFlightCalls, 'a guest session may have no more', findings);
  const config = { ...workerManagerConfig(values, { rbac }), maxInFlightCalls };
  const { value } = entry.config;
  // The engine parses a message in one go, so the size of a guest's message bounds how long it can occupy the engine.
  return isMapping(value) && isPresent(value.max_message_bytes) ? config : { ...config, maxMessageBytes: LIMITS.guestMessageBytes };
}

type Pings = Pick<z.output<typeof streamSchema>, 'ping_interval_ms' | 'pong_timeout_ms'>;

/** Returns the time-out of a pong, which is at most the interval of the pings. */
function pongTimeout(values: Pings): number {
  return Math.min(values.pong_timeout_ms, values.ping_interval_ms);
}

function checkPong(section: Section, values: Pings, findings: Findings): void {
  refuseChange(section, 'pong_timeout_ms', pongTimeout(values), 'a pong must come before the next ping, see ping_interval_ms', findings);
}

const LONG_HANDSHAKE_MS = 5_000;
export function readStream(entry: WorkerEntry, resolvePath: PathResolver, findings: Findings): StreamConfig | undefined {
  const values = readSection(streamSchema, entry.config, findings);
  const store = readStore('stream', adapterSection(entry), resolvePath, findings);
  if (values === undefined || store === undefined) return undefined;
  checkPong(entry.config, values, findings);
  warnOfOrigins(values.allowed_origins, entry.config.path, findings);
  if (values.drain_delay_ms + values.drain_spread_ms > MAX_DRAIN_MS) {
    const sum = `drain_delay_ms and drain_spread_ms together exceed ${MAX_DRAIN_MS}`;
    findings.problem(entry.config.path, `${sum}, which leaves too little of the 28000 ms that an ordered stop has; lower one of them`);
  }
  const groupBounds = readGroupBounds(values.group_bounds, [...entry.config.path, 'group_bounds'], store, findings);
  const jwt = readAuth(values.auth, [...entry.config.path, 'auth'], resolvePath, findings);
  const exposeFunctions = readStreamRules(values, entry.config, jwt !== undefined, findings);
  return {
    ...streamConfig(values, store, groupBounds),
    ...(jwt === undefined ? {} : { jwt }),
    ...(exposeFunctions === undefined ? {} : { exposeFunctions }),
  };
}

const MIDDLEWARE_KEY = 'middleware_function_id';

/** Reads the rules for calls of stream clients. Returns `undefined` if there is no key, so that nothing can be called. */
function readStreamRules(
  { expose_functions: given, middleware_function_id: middleware }: z.output<typeof streamSchema>,
  section: Section,
  checksTokens: boolean,
  findings: Findings,
): readonly ExposeRule[] | undefined {
  const path = [...section.path, 'expose_functions'];
  if (given === undefined || given === null) {
    if (isPresent(middleware))
      findings.warn(
        'value_ignored',
        [...section.path, MIDDLEWARE_KEY],
        'without expose_functions nothing can be called, so this function gets no call',
      );
    return undefined;
  }
  const rules = readExposeRules(given, path, findings);
  for (const key of isMapping(section.value) ? Object.keys(section.value) : []) {
    const near = key === MIDDLEWARE_KEY ? undefined : nearMiss(key, [MIDDLEWARE_KEY]);
    if (near !== undefined) findings.problem([...section.path, key], `calls would pass no middleware; did you mean "${near}"?`);
  }
  if (checksTokens && given.length === 0)
    findings.problem(path, 'an empty list exposes nothing, whatever a token grants; write match("*"), and the grants of tokens decide');
  for (const rule of rules) {
    if (rule.kind === 'match' && rule.namespace !== undefined)
      findings.problem(path, `stream clients call functions of the namespace default only; remove the namespace of ${shown(rule.pattern)}`);
  }
  return rules;
}

export function readState(entry: WorkerEntry, resolvePath: PathResolver, findings: Findings): StateConfig | undefined {
  const values = readSection(stateSchema, entry.config, findings);
  const store = readStore('state', adapterSection(entry), resolvePath, findings);
  if (values === undefined || store === undefined) return undefined;
  const config = { ...readFields(STATE_KEYS, values), adapter: withSaveInterval(store, entry, values.save_interval_ms) };
  const { maxValueBytes = LIMITS.valueBytes } = config;
  refuseChange(entry.config, 'max_value_bytes', maxValueBytes, 'no item may have more', findings);
  return config;
}

/** Applies the flush interval that stands beside the adapter. The interval of the adapter itself wins. */
function withSaveInterval(store: StoreConfig, entry: WorkerEntry, saveIntervalMs: number): StoreConfig {
  if (store.kind !== 'lmdb') return store;
  const adapter = adapterSection(entry).value;
  const own = isMapping(adapter) && isMapping(adapter.config) && isPresent(adapter.config.save_interval_ms);
  return own ? store : { ...store, saveIntervalMs };
}

/** Reads the pub/sub entry. Publish and subscribe have one form, within this process, so a file that may expect more gets a warning. */
export function readPubsub(entry: WorkerEntry, findings: Findings): void {
  const adapter = readAdapter('pubsub', adapterSection(entry), findings);
  if (adapter === undefined || (adapter.name === 'local' && entry.config.form === 'name')) return;
  const instead = adapter.name === 'local' ? '' : `its adapter ${adapter.name} is not built: `;
  findings.warn(
    'pubsub_in_process',
    entry.path,
    `${entry.written} is minimal, ${instead}a message goes only to workers that are connected to this engine now, and nothing is kept`,
  );
}

export function readHttp(entry: WorkerEntry, findings: Findings): HttpConfig | undefined {
  const values = readSection(httpSchema, entry.config, findings);
  if (values === undefined) return undefined;
  const config = readFields(HTTP_KEYS, values);
  warnOfOrigins(config.cors?.allowedOrigins ?? 'any', [...entry.config.path, 'cors'], findings);
  refuseChange(entry.config, 'concurrency_request_limit', config.concurrentRequests, 'at least one request must be worked on', findings);
  return config;
}

const LOGGING_KEYS = ['level', 'log_level', 'format'];

/** Reads the keys of logging. Keys for exporters, metrics and sampling are ignored, and their values never fail. */
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
  // Files of the original engine say `default`.
  const format = String(value.format).toLowerCase() === 'default' ? 'auto' : choose('format', LOG_FORMATS, before.format);
  return { level: choose(levelKey, LOG_LEVELS, before.level), format };
}

export function adapterSection(entry: WorkerEntry): Section {
  const { value, path, form } = entry.config;
  return { value: isMapping(value) ? value.adapter : undefined, path: [...path, 'adapter'], form };
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}
