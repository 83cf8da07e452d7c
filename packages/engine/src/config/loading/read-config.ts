import { nearestName, nearMiss } from '@rivulet/protocol';
import type {
  AdminConfig,
  Config,
  HttpConfig,
  LoggingConfig,
  StateConfig,
  StoreConfig,
  StreamConfig,
  WorkerManagerConfig,
} from '../config.js';
import { entryName, type NameStyle, ORIGINAL_NAMES } from '../entry-names.js';
import type { ConfigSource, KeyPath } from './config-source.js';
import type { Findings } from './findings.js';
import { ADAPTERS } from './known-names.js';
import { type PlacedListener, reportOpenDoors } from './open-doors.js';
import { readAdmin } from './read-admin.js';
import { readEntries, type WorkerEntry } from './read-entries.js';
import { isMapping, type Mapping, shown } from './read-section.js';
import {
  adapterSection,
  type PathResolver,
  readHttp,
  readLogging,
  readPubsub,
  readState,
  readStream,
  readWorkerManager,
  workerManagerConfig,
  workerManagerSchema,
} from './read-workers.js';

const TOP_LEVEL_KEYS = ['$schema', 'port', 'workers', 'modules', 'require_auth', 'registration_namespace_grace_ms', 'strict_payloads'];
/** Keys that make the engine stricter. */
const SAFETY_KEYS = ['require_auth', 'strict_payloads'];

/** Log settings without an observability entry. */
export const DEFAULT_LOGGING: LoggingConfig = { level: 'info', format: 'auto' };

/** The part of the configuration that a file decides. The caller knows the rest. */
export type ReadConfig = Pick<
  Config,
  'workerManagers' | 'stream' | 'state' | 'pubsub' | 'http' | 'admin' | 'logging' | 'strictPayloads' | 'requireAuth' | 'nameStyle'
>;

interface PlacedStore {
  readonly store: StoreConfig;
  /** The name of the entry, as the file has it. */
  readonly entry: string;
  readonly path: KeyPath;
}

/** Turns the values of a file into a configuration. Throws ConfigError with all problems at once. */
export function readConfig(source: ConfigSource, resolvePath: PathResolver, findings: Findings): ReadConfig {
  const root = source.root ?? {};
  if (!isMapping(root)) findings.problem([], `${shown(root)} is not a configuration; expected a mapping with workers (or modules)`);
  const top: Mapping = isMapping(root) ? root : {};
  warnOfUnknownTopLevel(top, findings);
  noteIgnoredTopLevel(top, findings);
  const port = topLevelPort(top, findings);
  const strictPayloads = readStrictPayloads(top, findings);
  const workerManagers: WorkerManagerConfig[] = [];
  const listeners: PlacedListener[] = [];
  let stream: StreamConfig | undefined;
  let state: StateConfig | undefined;
  let pubsub = false;
  const stores: PlacedStore[] = [];
  let http: HttpConfig | undefined;
  let admin: AdminConfig | undefined;
  let logging = DEFAULT_LOGGING;
  const entries = readEntries(top, findings);
  const nameStyle = nameStyleOf(entries);
  for (const entry of entries) {
    if (entry.worker === 'rivulet-worker-manager') {
      const manager = readWorkerManager(entry, resolvePath, findings);
      if (manager !== undefined) {
        workerManagers.push(manager);
        listeners.push({ kind: 'worker', config: manager, entry: entry.written, path: entry.path, hostGiven: hasHost(entry) });
      }
    } else if (entry.worker === 'rivulet-stream') {
      stream = readStream(entry, resolvePath, findings);
      if (stream !== undefined) {
        listeners.push({ kind: 'stream', config: stream, entry: entry.written, path: entry.path, hostGiven: hasHost(entry) });
        stores.push({ store: stream.adapter, entry: entry.written, path: entry.path });
      }
    } else if (entry.worker === 'rivulet-state') {
      state = readState(entry, resolvePath, findings);
      if (state !== undefined) stores.push({ store: state.adapter, entry: entry.written, path: entry.path });
    } else if (entry.worker === 'rivulet-pubsub') {
      pubsub = true;
      readPubsub(entry, findings);
    } else if (entry.worker === 'rivulet-http') {
      http = readHttp(entry, findings);
      if (http !== undefined)
        listeners.push({ kind: 'http', config: http, entry: entry.written, path: entry.path, hostGiven: hasHost(entry) });
    } else if (entry.worker === 'rivulet-admin') {
      admin = readAdmin(entry, findings);
      if (admin !== undefined)
        listeners.push({ kind: 'admin', config: admin, entry: entry.written, path: entry.path, hostGiven: hasHost(entry) });
    } else if (entry.worker === 'rivulet-observability') {
      logging = readLogging(entry, logging, findings);
    } else {
      readOther(entry, findings);
    }
  }
  addMainListener({ port, entry: entryName({ nameStyle }, 'rivulet-worker-manager') }, workerManagers, listeners, findings);
  refuseSharedPorts(listeners, findings);
  const requireAuth = requiresAuth(top, findings);
  reportOpenDoors(listeners, requireAuth, findings);
  refuseSharedDirectory(stores, findings);
  findings.finish();
  return { workerManagers, stream, state, pubsub, http, admin, logging, strictPayloads, requireAuth, nameStyle };
}

/** Returns whose names the entries have. Old classes and short names are names of the original engine. */
function nameStyleOf(entries: readonly WorkerEntry[]): NameStyle {
  const named = entries.filter(({ worker }) => Object.hasOwn(ORIGINAL_NAMES, worker));
  return named.length > 0 && named.every(({ worker, written }) => written !== worker) ? 'iii' : 'rivulet';
}

/** Adds a worker listener if the file has none. `port` is the one at the top of the file, and `entry` the name of the entries. */
function addMainListener(
  { port, entry }: { readonly port: number | undefined; readonly entry: string },
  workerManagers: WorkerManagerConfig[],
  listeners: PlacedListener[],
  findings: Findings,
): void {
  const [main] = workerManagers;
  if (main === undefined) {
    const added = workerManagerConfig(workerManagerSchema.parse(port === undefined ? {} : { port }));
    workerManagers.push(added);
    listeners.push({ kind: 'worker', config: added, entry, path: port === undefined ? [] : ['port'], hostGiven: false });
  } else if (port !== undefined && port !== main.port) {
    findings.warn('port_ignored', ['port'], `${port} is ignored, as the ${entry} entry says ${main.port}; remove one of the two`);
  }
}

/** Warns of unknown keys, which the engine ignores. A misspelt key that would make the engine stricter is a problem. */
function warnOfUnknownTopLevel(top: Mapping, findings: Findings): void {
  for (const key of Object.keys(top)) {
    if (TOP_LEVEL_KEYS.includes(key)) continue;
    const safety = nearMiss(key, SAFETY_KEYS);
    if (safety !== undefined) {
      findings.problem(
        [key],
        `unknown key "${key}"; did you mean "${safety}"? Without this key the engine would start less strict than you want`,
      );
      continue;
    }
    const near = nearestName(key, TOP_LEVEL_KEYS);
    const remedy = near === undefined ? `known keys: ${TOP_LEVEL_KEYS.join(', ')}` : `did you mean "${near}"?`;
    findings.warn('unknown_key', [key], `unknown key "${key}" is ignored; ${remedy}`);
  }
}

/** Notes a key that has no effect, because registrations wait a fixed time for their namespace. */
function noteIgnoredTopLevel(top: Mapping, findings: Findings): void {
  const key = 'registration_namespace_grace_ms';
  if (top[key] !== undefined && top[key] !== null) findings.note('key_ignored', [key], `${key} is accepted from other engines and ignored`);
}

function readStrictPayloads(top: Mapping, findings: Findings): boolean {
  const value = top.strict_payloads ?? false;
  if (typeof value === 'boolean') return value;
  findings.problem(['strict_payloads'], `${shown(value)} is not valid; expected true or false`);
  return false;
}

/** Reads the worker port at the place where files before 0.11 have it. */
function topLevelPort(top: Mapping, findings: Findings): number | undefined {
  if (top.port === undefined || top.port === null) return undefined;
  const parsed = workerManagerSchema.shape.port.safeParse(top.port);
  if (parsed.success) return parsed.data;
  const expected = workerManagerSchema.shape.port.description ?? 'a port';
  findings.problem(['port'], `${shown(top.port)} is not valid; expected ${expected}`);
  return undefined;
}

/** Reads `require_auth`. A value that is no boolean counts as true. */
function requiresAuth(top: Mapping, findings: Findings): boolean {
  const { require_auth: value } = top;
  if (value === undefined || value === false) return false;
  if (value !== true) findings.problem(['require_auth'], `${shown(value)} is not valid; expected true or false`);
  return true;
}

function hasHost({ config: { value } }: WorkerEntry): boolean {
  return isMapping(value) && value.host !== undefined;
}

/** Reports workers without an effect in this version. None of them listens. */
function readOther(entry: WorkerEntry, findings: Findings): void {
  const ignored = (consequence: string) => {
    findings.warn('worker_ignored', entry.path, `${entry.written} is not built in this version; the entry is ignored, ${consequence}`);
  };
  switch (entry.worker) {
    case 'rivulet-worker-manager':
    case 'rivulet-stream':
    case 'rivulet-state':
    case 'rivulet-pubsub':
    case 'rivulet-http':
    case 'rivulet-admin':
    case 'rivulet-observability':
    case 'iii-engine-functions':
      return;
    case 'iii-queue':
      warnOfAdapter('queue', entry, findings);
      ignored('and enqueue answers enqueue_error');
      return;
    case 'iii-cron':
      warnOfAdapter('cron', entry, findings);
      ignored('and its triggers never fire');
      return;
    case 'iii-telemetry':
      findings.warn('worker_ignored', entry.path, `${entry.written} is ignored: Rivulet sends no telemetry, ever`);
      return;
    case 'iii-http-functions':
    case 'iii-exec':
    case 'iii-bridge':
    case 'configuration':
    case 'iii-worker-ops':
    case 'iii-sandbox':
    case 'kv-server':
      ignored('and nothing listens or runs for it');
      return;
    default:
      entry.worker satisfies never;
  }
}

/** Warns of a wrong adapter of an ignored worker. It stores nothing, so this stops nothing. */
function warnOfAdapter(owner: 'queue' | 'cron', entry: WorkerEntry, findings: Findings): void {
  const { value, path } = adapterSection(entry);
  if (value === undefined || value === null) return;
  const { names, classes } = ADAPTERS[owner];
  const written = isMapping(value) ? (value.name ?? value.class) : value;
  const known = [...names, ...Object.keys(classes)];
  if (known.some((name) => name === written)) return;
  findings.warn(
    'adapter_ignored',
    path,
    `unknown ${owner} adapter ${shown(written)} is ignored, as ${entry.written} is; known: ${known.join(', ')}`,
  );
}

/** Refuses two listeners on one port. They would fail at the start, but here no port is open yet. Port 0 means any free port. */
function refuseSharedPorts(listeners: readonly PlacedListener[], findings: Findings): void {
  for (const [index, { config, path }] of listeners.entries()) {
    const clash = listeners.slice(0, index).some(({ config: other }) => other.port === config.port && mayClash(other.host, config.host));
    if (clash && config.port !== 0) findings.problem(path, `port ${config.port} is taken by another entry; give each its own`);
  }
}

/** Refuses one directory for streams and state, because each would take the items of the other for its own. */
function refuseSharedDirectory(stores: readonly PlacedStore[], findings: Findings): void {
  const seen = new Map<string, string>();
  for (const { store, entry, path } of stores) {
    if (store.kind !== 'lmdb') continue;
    const other = seen.get(store.path);
    if (other !== undefined) {
      findings.problem(
        [...path, 'config', 'adapter', 'config', 'file_path'],
        `${store.path} is the directory of ${other} and of ${entry}; give each a file_path of its own`,
      );
    }
    seen.set(store.path, entry);
  }
}

function mayClash(left: string, right: string): boolean {
  const everywhere = ['0.0.0.0', '::'];
  return left === right || everywhere.includes(left) || everywhere.includes(right);
}
