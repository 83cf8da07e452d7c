import type {
  AdminConfig,
  Config,
  ExposeRule,
  JwtConfig,
  JwtKeySource,
  RbacConfig,
  StoreConfig,
  StreamConfig,
  WorkerManagerConfig,
} from '../config.js';
import { type BuiltWorker, entryName } from '../entry-names.js';
import { ADMIN_KEYS } from '../keys/admin-keys.js';
import { GROUP_BOUNDS_KEYS } from '../keys/group-bounds-keys.js';
import { HTTP_KEYS } from '../keys/http-keys.js';
import { JWT_KEYS } from '../keys/jwt-keys.js';
import { writeKeys } from '../keys/key.js';
import { LMDB_KEYS, SPACE_KEYS } from '../keys/kv-keys.js';
import { LOGGING_KEYS } from '../keys/logging-keys.js';
import { RBAC_KEYS } from '../keys/rbac-keys.js';
import { REDIS_KEYS } from '../keys/redis-keys.js';
import { STATE_KEYS } from '../keys/state-keys.js';
import { STREAM_KEYS } from '../keys/stream-keys.js';
import { WORKER_MANAGER_KEYS } from '../keys/worker-listener-keys.js';
import { HIDDEN_TOKEN } from './read-token.js';

/**
 * Returns the effective configuration in the form of a file, with the keys in a fixed order. A file with it gives the same configuration
 * again.
 */
export function describeConfig(config: Config): Readonly<Record<string, unknown>> {
  const { stream, state, http, admin } = config;
  const worker = (name: BuiltWorker, keys: Readonly<Record<string, unknown>>) => ({ name: entryName(config, name), config: keys });
  return {
    ...(config.requireAuth ? { require_auth: true } : {}),
    ...(config.strictPayloads === true ? { strict_payloads: true } : {}),
    workers: [
      ...config.workerManagers.map((manager) => worker('rivulet-worker-manager', workerManagerKeys(manager))),
      ...(stream === undefined ? [] : [worker('rivulet-stream', streamKeys(stream))]),
      ...(state === undefined ? [] : [worker('rivulet-state', writeKeys(STATE_KEYS, state, { adapter: adapterKeys(state.adapter) }))]),
      ...(config.pubsub ? [{ name: entryName(config, 'rivulet-pubsub') }] : []),
      ...(http === undefined ? [] : [worker('rivulet-http', writeKeys(HTTP_KEYS, http, {}))]),
      ...(admin === undefined ? [] : [worker('rivulet-admin', adminKeys(admin))]),
      worker('rivulet-observability', writeKeys(LOGGING_KEYS, config.logging, {})),
    ],
  };
}

function streamKeys(stream: StreamConfig): Readonly<Record<string, unknown>> {
  const bounds = stream.groupBounds.map((entry) => writeKeys(GROUP_BOUNDS_KEYS, entry, {}));
  const { exposeFunctions: rules } = stream;
  return writeKeys(STREAM_KEYS, stream, {
    ...authKeys(stream.jwt),
    ...(rules === undefined ? {} : { expose_functions: rules.map(ruleKeys) }),
    adapter: adapterKeys(stream.adapter),
    group_bounds: bounds,
  });
}

function workerManagerKeys(manager: WorkerManagerConfig): Readonly<Record<string, unknown>> {
  const { rbac, authToken } = manager;
  return writeKeys(WORKER_MANAGER_KEYS, manager, {
    ...(rbac === undefined ? {} : { rbac: rbacKeys(rbac) }),
    ...(authToken === undefined ? {} : { auth_token: HIDDEN_TOKEN }),
  });
}

function authKeys(jwt: JwtConfig | undefined): { readonly auth?: unknown } {
  if (jwt === undefined) return {};
  const { keys, grants } = jwt;
  return { auth: { jwt: writeKeys(JWT_KEYS, jwt, { ...keySource(keys), ...(grants === undefined ? {} : { grants }) }) } };
}

function keySource(keys: JwtKeySource) {
  switch (keys.kind) {
    case 'secret':
      return { secret: HIDDEN_TOKEN };
    case 'public_key':
      return { public_key: keys.pem };
    case 'jwks_url':
      return { jwks_url: keys.url };
    default:
      return keys satisfies never;
  }
}

function adminKeys(admin: AdminConfig): Readonly<Record<string, unknown>> {
  return writeKeys(ADMIN_KEYS, admin, {
    ...(admin.token === undefined ? {} : { token: HIDDEN_TOKEN }),
    ...(admin.viewerToken === undefined ? {} : { viewer_token: HIDDEN_TOKEN }),
  });
}

function rbacKeys(rbac: RbacConfig): Readonly<Record<string, unknown>> {
  return writeKeys(RBAC_KEYS, rbac, { ...authKeys(rbac.jwt), expose_functions: rbac.exposeFunctions.map(ruleKeys) });
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

function adapterKeys(store: StoreConfig): Readonly<Record<string, unknown>> {
  switch (store.kind) {
    case 'memory':
      return { name: 'kv', config: { store_method: 'in_memory' } };
    case 'lmdb': {
      const { path, space } = store;
      const bounds = space === undefined ? {} : writeKeys(SPACE_KEYS, space, {});
      return {
        name: 'kv',
        config: {
          store_method: 'file_based',
          file_path: path,
          ...writeKeys(LMDB_KEYS, { lockWaitMs: 0, compactAtStart: true, ...store }, {}),
          ...bounds,
        },
      };
    }
    case 'redis': {
      const { servers } = store;
      const config = writeKeys(REDIS_KEYS.stream, store, {
        ...(servers === undefined ? {} : { mode: servers.kind === 'cluster' ? 'cluster' : 'sentinel', nodes: servers.nodes }),
        ...(servers?.kind === 'sentinels' ? { master_name: servers.name } : {}),
      });
      return { name: 'redis', config };
    }
    case 'module':
      return { module: store.path, config: store.config };
    default:
      return store satisfies never;
  }
}
