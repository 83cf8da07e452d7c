/**
 * The JSON schema of a configuration file, for completion and checks in editors. It follows from the tables in `keys/`, which also check
 * the file. Rules about more than one value are only in the engine, such as two listeners on one port.
 *
 * The schema refuses nothing that the engine accepts. It knows every name and class, and allows unknown keys where the engine only warns.
 * It accepts references to the environment in place of values.
 */
import { BUILT_WORKERS, type BuiltWorker } from '../entry-names.js';
import { ADMIN_KEYS } from '../keys/admin-keys.js';
import { HTTP_KEYS } from '../keys/http-keys.js';
import type { Keys } from '../keys/key.js';
import { KV_KEYS } from '../keys/kv-keys.js';
import { LOGGING_KEYS } from '../keys/logging-keys.js';
import { REDIS_KEYS } from '../keys/redis-keys.js';
import { STATE_KEYS } from '../keys/state-keys.js';
import { STREAM_KEYS } from '../keys/stream-keys.js';
import { WORKER_MANAGER_KEYS } from '../keys/worker-listener-keys.js';
import { ADAPTERS, CLASSES, NAMES, SPOKEN_NAMES, type WorkerName } from '../loading/known-names.js';
import { type JsonSchema, withEnvironment, withUnknownKeys } from './json-schema.js';
import { AUTH, EXPOSE_FUNCTIONS, GROUP_BOUNDS, RBAC, RULE_DEFINITIONS, ref, TOKEN } from './rule-schemas.js';
import { sectionSchema } from './section-schema.js';

type Definitions = Readonly<Record<string, JsonSchema>>;

/** Entries with `class` allow unknown keys. Their definitions have this ending. */
const OF_CLASS = '-of-class';

const ABOUT: Readonly<Record<BuiltWorker, string>> = {
  'rivulet-worker-manager': 'A listener for workers. Several entries are several listeners.',
  'rivulet-stream': 'Streams: the functions stream::*, and the port where clients subscribe.',
  'rivulet-state': 'State: the functions state::*, and the trigger state.',
  'rivulet-http': 'The port of HTTP triggers.',
  'rivulet-pubsub': 'The function publish and the trigger subscribe, within this engine.',
  'rivulet-observability': 'Logging of the engine. Other keys are accepted and ignored.',
  'rivulet-admin': 'The admin listener: /health, /ready, /metrics and /api.',
};

/** Returns the schema as the value of a JSON file. */
export function configSchema(): JsonSchema {
  const strict = sections('');
  const loose = sections(OF_CLASS);
  const definitions: Definitions = {
    entry: entrySchema(),
    ...strict,
    ...RULE_DEFINITIONS,
    ...Object.fromEntries(Object.entries(loose).map(([name, schema]) => [name, withUnknownKeys(schema)])),
  };
  const entries = { type: ['array', 'null'], items: ref('entry') };
  const root = withEnvironment({
    title: 'Configuration of the Rivulet engine',
    description: 'docs/configuration.md explains each key.',
    type: ['object', 'null'],
    properties: {
      $schema: { type: 'string', description: 'The schema of this file, for editors. The engine ignores it.' },
      workers: { ...entries, description: 'The parts of the engine that run. Each entry has a name and a config.' },
      modules: { ...entries, description: 'The same, as files before 0.11 have it.' },
      require_auth: {
        type: 'boolean',
        default: false,
        description: 'Whether the engine refuses to start while a worker or stream port is open to everyone.',
      },
      strict_payloads: {
        type: ['boolean', 'null'],
        default: false,
        description: 'Whether every unknown key in payloads of engine functions is refused, and not only a misspelt one.',
      },
      port: { ...nullable(portSchema()), description: 'The worker port, as files before 0.11 have it.' },
      registration_namespace_grace_ms: { description: 'Accepted from other engines and ignored.' },
    },
  });
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    ...root,
    definitions: Object.fromEntries(Object.entries(definitions).map(([name, schema]) => [name, withEnvironment(schema)])),
  };
}

function portSchema(): JsonSchema {
  const { properties } = sectionSchema({ port: WORKER_MANAGER_KEYS.port });
  return (properties as Definitions).port ?? {};
}

/** Returns a schema that also accepts `null`, which means all defaults. */
function nullable(schema: JsonSchema): JsonSchema {
  return { ...schema, type: [schema.type, 'null'] };
}

/** Returns the schemas of the sections. `ending` is that of the definitions to which they refer. */
function sections(ending: string): Definitions {
  const section = (keys: Keys, special: Definitions = {}) => nullable(sectionSchema(keys, special));
  const workers: Readonly<Record<BuiltWorker, JsonSchema>> = {
    'rivulet-worker-manager': section(WORKER_MANAGER_KEYS, { auth_token: TOKEN, rbac: RBAC }),
    'rivulet-stream': section(STREAM_KEYS, {
      adapter: ref(`stream-adapter${ending}`),
      auth: AUTH,
      expose_functions: EXPOSE_FUNCTIONS,
      group_bounds: GROUP_BOUNDS,
    }),
    'rivulet-state': section(STATE_KEYS, { adapter: ref(`state-adapter${ending}`) }),
    'rivulet-http': section(HTTP_KEYS),
    'rivulet-pubsub': { properties: { adapter: adapterSchema('pubsub', {}) } },
    'rivulet-observability': loggingSchema(),
    'rivulet-admin': section(ADMIN_KEYS, { token: TOKEN, viewer_token: TOKEN }),
  };
  const described = BUILT_WORKERS.map((name) => [`${name}${ending}`, { description: ABOUT[name], ...workers[name] }] as const);
  const stores = (['stream', 'state'] as const).flatMap((owner) => [
    [
      `${owner}-adapter${ending}`,
      adapterSchema(owner, { kv: ref(`${owner}-kv${ending}`), redis: ref(`${owner}-redis${ending}`) }),
    ] as const,
    [`${owner}-kv${ending}`, section(KV_KEYS[owner])] as const,
    [`${owner}-redis${ending}`, section(REDIS_KEYS[owner])] as const,
  ]);
  return Object.fromEntries([...described, ...stores]);
}

/** Returns the keys of logging. A wrong value is only a warning, so the schema refuses none. */
function loggingSchema(): JsonSchema {
  const { properties } = sectionSchema(LOGGING_KEYS) as { readonly properties: Definitions };
  const suggested = Object.entries(properties).map(([name, { description, default: standard, ...values }]) => [
    name,
    { description, default: standard, anyOf: [values, {}] },
  ]);
  return { properties: Object.fromEntries(suggested) };
}

/** Returns the schema of an adapter. `configs` has the schema of its config for each adapter that reads one. */
function adapterSchema(owner: 'stream' | 'state' | 'pubsub', configs: Definitions): JsonSchema {
  const { names, classes } = ADAPTERS[owner];
  const hasModule = Object.keys(configs).length > 0;
  const usable = (adapter: string) => adapter !== 'bridge' && names.includes(adapter);
  const namesOf = (wanted: (adapter: string) => boolean) => [
    ...names.filter(wanted),
    ...Object.entries(SPOKEN_NAMES).flatMap(([spoken, adapter]) => (wanted(adapter) ? [spoken] : [])),
  ];
  const classesOf = (wanted: (adapter: string) => boolean) =>
    Object.entries(classes).flatMap(([written, adapter]) => (wanted(adapter) ? [written] : []));
  const rules = Object.entries(configs).map(([adapter, config]) => ({
    if: anyNamed({ name: namesOf((each) => each === adapter), class: classesOf((each) => each === adapter) }),
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON schema
    then: { properties: { config } },
  }));
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON schema
  const module = hasModule ? [{ if: { required: ['module'] }, then: { properties: { name: false, class: false } } }] : [];
  return {
    description: 'Where the items are kept.',
    type: ['object', 'null'],
    properties: {
      name: { enum: namesOf(usable), description: 'Name of the adapter.' },
      class: { enum: classesOf(usable), description: 'Name of the adapter, as older files have it.' },
      ...(hasModule ? { module: { type: 'string', minLength: 1, maxLength: 4_096, description: 'Path of an adapter of your own.' } } : {}),
      config: hasModule ? { type: ['object', 'null'] } : {},
    },
    additionalProperties: false,
    anyOf: [{ required: ['name'] }, { required: ['class'] }, ...(hasModule ? [{ required: ['module'] }] : [])],
    ...(hasModule ? { allOf: [...rules, ...module] } : {}),
  };
}

/** Returns the schema of one entry of `workers`. */
function entrySchema(): JsonSchema {
  const keys = { name: true, class: true, config: true, image: true };
  const configs = BUILT_WORKERS.flatMap((worker) => {
    const names = keysOf(NAMES, worker);
    const classes = keysOf(CLASSES, worker);
    const form = (key: 'name' | 'class', written: readonly string[], ending: string) => ({
      if: key === 'name' ? anyNamed({ name: written }) : { ...anyNamed({ class: written }), not: { required: ['name'] } },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON schema
      then: {
        properties: { config: ref(`${worker}${ending}`), ...(key === 'name' ? { class: classes.length > 0 && { enum: classes } } : {}) },
      },
    });
    return [form('name', names, ''), ...(classes.length === 0 ? [] : [form('class', classes, OF_CLASS)])];
  });
  return {
    type: 'object',
    properties: {
      name: { enum: [...NAMES.keys()], description: 'The part of the engine. Names with rivulet- and iii- mean the same.' },
      class: { enum: [...CLASSES.keys()], description: 'The same, as files before 0.11 have it.' },
      config: { description: 'Keys of this entry.' },
      image: { description: 'Accepted from other engines and ignored.' },
    },
    anyOf: [{ required: ['name'] }, { required: ['class'] }],
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON schema
    allOf: [{ if: { required: ['name'] }, then: { properties: keys, additionalProperties: false } }, ...configs],
  };
}

function keysOf(table: ReadonlyMap<string, WorkerName>, worker: WorkerName): readonly string[] {
  return [...table].flatMap(([written, meant]) => (meant === worker ? [written] : []));
}

/** Returns the condition that one of the keys is there and has one of its values. */
function anyNamed(values: Readonly<Record<string, readonly string[]>>): JsonSchema {
  const conditions = Object.entries(values).map(([key, each]) => ({ properties: { [key]: { enum: each } }, required: [key] }));
  return conditions.length === 1 ? { ...conditions[0] } : { anyOf: conditions };
}
