import { resolve } from 'node:path';
import { nearestName } from '@rivulet/protocol';
import type { z } from 'zod';
import type { StoreConfig } from '../config.js';
import { readFields, schemaOf } from '../keys/key.js';
import { DEFAULT_STORE_PATHS, KV_KEYS, LMDB_KEYS, SAVE_INTERVAL_BOUND, SPACE_KEYS } from '../keys/kv-keys.js';
import { REDIS_KEYS } from '../keys/redis-keys.js';
import type { KeyPath } from './config-source.js';
import type { Findings } from './findings.js';
import { ADAPTERS, type AdapterOwner, SPOKEN_NAMES } from './known-names.js';
import { isMapping, type Mapping, readSection, type Section, shown, warnOfChange } from './read-section.js';

const kvSchemas = { stream: schemaOf(KV_KEYS.stream), state: schemaOf(KV_KEYS.state) } as const;
const redisSchemas = { stream: schemaOf(REDIS_KEYS.stream), state: schemaOf(REDIS_KEYS.state) } as const;

/** Workers that keep items in a store. */
export type StoreOwner = 'stream' | 'state';

export interface Adapter {
  readonly name: string;
  readonly config: Section;
}

const ADAPTER_KEYS = ['name', 'class', 'config'] as const;
/** Keys of an adapter that is a file of the operator. */
const MODULE_KEYS = ['module', 'config'] as const;
const MAX_MODULE_CHARACTERS = 4_096;

/** Returns the adapter that a worker names, by its present name. Absent and null mean the default adapter. */
export function readAdapter(owner: AdapterOwner, section: Section, findings: Findings): Adapter | undefined {
  const { value, path, form } = section;
  const known = ADAPTERS[owner];
  if (value === undefined || value === null) return { name: known.names[0], config: { ...section, value: undefined } };
  if (!isMapping(value)) {
    findings.problem(path, `${shown(value)} is not valid; expected a mapping with name and config`);
    return undefined;
  }
  for (const key of Object.keys(value)) {
    if (ADAPTER_KEYS.every((candidate) => candidate !== key)) findings.unknownKey(form, [...path, key], ADAPTER_KEYS);
  }
  const written = typeof value.name === 'string' && Object.hasOwn(SPOKEN_NAMES, value.name) ? SPOKEN_NAMES[value.name] : value.name;
  const byName = written === undefined ? undefined : known.names.find((name) => name === written);
  const byClass = typeof value.class === 'string' && Object.hasOwn(known.classes, value.class) ? known.classes[value.class] : undefined;
  for (const [key, found, candidates] of [
    ['name', byName, known.names],
    ['class', byClass, Object.keys(known.classes)],
  ] as const) {
    if (value[key] === undefined || found !== undefined) continue;
    const near = nearestName(typeof value[key] === 'string' ? value[key] : '', candidates);
    const hint = near === undefined ? '' : `did you mean ${near}? `;
    findings.problem([...path, key], `unknown ${owner} adapter ${shown(value[key])}; ${hint}known: ${candidates.join(', ')}`);
    return undefined;
  }
  const name = byName ?? byClass;
  if (name === undefined) {
    findings.problem(path, `the adapter has no name; give one of: ${known.names.join(', ')}`);
    return undefined;
  }
  if (byName !== undefined && byClass !== undefined && byName !== byClass) {
    findings.problem(path, `name ${byName} and class ${String(value.class)} are different adapters; keep one of them`);
    return undefined;
  }
  return { name, config: { value: value.config, path: [...path, 'config'], form } };
}

/**
 * Returns the store in which a worker keeps its items. `resolvePath` makes a path absolute. Returns `undefined` if the section is wrong or
 * the store unavailable, and reports why.
 */
export function readStore(
  owner: StoreOwner,
  section: Section,
  resolvePath: (path: string) => string,
  findings: Findings,
): StoreConfig | undefined {
  if (isMapping(section.value) && section.value.module !== undefined) return readModule(section, section.value, resolvePath, findings);
  const adapter = readAdapter(owner, section, findings);
  if (adapter === undefined) return undefined;
  const { path } = section;
  if (adapter.name === 'bridge') {
    findings.problem(
      path,
      `the ${owner} adapter "bridge" is not supported (see COMPATIBILITY.md); use "kv", or connect to the engine behind the bridge itself`,
    );
    return undefined;
  }
  if (adapter.name === 'redis') return readRedisStore(owner, adapter.config, findings);
  const store = readKvStore(owner, adapter.config, resolvePath, findings);
  if (store?.kind === 'memory') warnOfMemory(owner, path, findings);
  return store;
}

function warnOfMemory(owner: StoreOwner, path: KeyPath, findings: Findings): void {
  const what = owner === 'stream' ? 'streams are' : 'state is';
  findings.warn(
    'store_in_memory',
    path,
    `${what} kept in memory, restarts lose data; set store_method: file_based to keep ${owner === 'stream' ? 'them' : 'it'}`,
  );
}

function readRedisStore(owner: StoreOwner, section: Section, findings: Findings): StoreConfig | undefined {
  const redis = readSection(redisSchemas[owner], section, findings);
  if (redis === undefined) return undefined;
  const { mode, nodes } = redis;
  if ((mode !== 'standalone') !== nodes.length > 0) {
    findings.problem([...section.path, 'nodes'], 'nodes are those of mode: sentinel or mode: cluster; give both or neither');
    return undefined;
  }
  // oxlint-disable-next-line eslint/no-restricted-globals -- the schema checked the address with canParse
  if (mode === 'cluster' && !/^\/?0?$/.test(new URL(redis.redis_url).pathname)) {
    findings.problem([...section.path, 'redis_url'], 'a Redis Cluster has no databases; leave the number out');
    return undefined;
  }
  return {
    kind: 'redis',
    ...readFields(REDIS_KEYS[owner], redis),
    ...(mode === 'sentinel' ? { servers: { kind: 'sentinels', nodes, name: redis.master_name } } : {}),
    ...(mode === 'cluster' ? { servers: { kind: 'cluster', nodes } } : {}),
  };
}

function readKvStore(
  owner: StoreOwner,
  section: Section,
  resolvePath: (path: string) => string,
  findings: Findings,
): StoreConfig | undefined {
  const kv = readSection(kvSchemas[owner], section, findings);
  if (kv === undefined) return undefined;
  warnOfChange(section, 'save_interval_ms', kv.save_interval_ms, `expected ${SAVE_INTERVAL_BOUND}`, findings);
  if (kv.store_method === 'in_memory') return { kind: 'memory' };
  return lmdbStore(kv, resolvePath(kv.file_path));
}

/** Returns the configuration of an LMDB store. `path` is absolute. */
function lmdbStore(kv: z.output<(typeof kvSchemas)[StoreOwner]>, path: string): StoreConfig {
  return { kind: 'lmdb', path, ...readFields(LMDB_KEYS, kv), space: readFields(SPACE_KEYS, kv) };
}

/** Returns the durable store of a start without a file. */
export function defaultStore(owner: StoreOwner, cwd: string): StoreConfig {
  return lmdbStore(kvSchemas[owner].parse({}), resolve(cwd, DEFAULT_STORE_PATHS[owner]));
}

/** Reads an adapter that is a file. The code in that file decides about its `config`. Here it is any mapping. */
function readModule(
  { path, form }: Section,
  adapter: Mapping,
  resolvePath: (path: string) => string,
  findings: Findings,
): StoreConfig | undefined {
  for (const key of ['name', 'class']) {
    if (adapter[key] === undefined) continue;
    findings.problem([...path, key], `an adapter has a ${key} or a module, not both; remove one of them`);
    return undefined;
  }
  for (const key of Object.keys(adapter)) {
    if (MODULE_KEYS.every((candidate) => candidate !== key)) findings.unknownKey(form, [...path, key], MODULE_KEYS);
  }
  const { module, config = null } = adapter;
  if (typeof module !== 'string' || module === '' || module.length > MAX_MODULE_CHARACTERS) {
    findings.problem([...path, 'module'], `${shown(module)} is not valid; expected the path of a JavaScript file such as ./my-adapter.mjs`);
    return undefined;
  }
  if (config !== null && !isMapping(config)) {
    findings.problem([...path, 'config'], `${shown(config)} is not valid; expected a mapping of keys`);
    return undefined;
  }
  return { kind: 'module', path: resolvePath(module), config: config ?? {} };
}
