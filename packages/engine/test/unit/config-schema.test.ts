import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fixture } from '@rivulet/testkit/config-fixtures';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigError } from '../../src/config/config-error.js';
import { expandEnvironment } from '../../src/config/expand-environment.js';
import { configSchema } from '../../src/config/json-schema/config-schema.js';
import { ADMIN_KEYS } from '../../src/config/keys/admin-keys.js';
import { GROUP_BOUNDS_KEYS } from '../../src/config/keys/group-bounds-keys.js';
import { HTTP_KEYS } from '../../src/config/keys/http-keys.js';
import { JWT_KEYS } from '../../src/config/keys/jwt-keys.js';
import type { Keys } from '../../src/config/keys/key.js';
import { KV_KEYS } from '../../src/config/keys/kv-keys.js';
import { LOGGING_KEYS } from '../../src/config/keys/logging-keys.js';
import { RBAC_KEYS } from '../../src/config/keys/rbac-keys.js';
import { REDIS_KEYS } from '../../src/config/keys/redis-keys.js';
import { STATE_KEYS } from '../../src/config/keys/state-keys.js';
import { STREAM_KEYS } from '../../src/config/keys/stream-keys.js';
import { WORKER_MANAGER_KEYS } from '../../src/config/keys/worker-listener-keys.js';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { CLASSES, NAMES } from '../../src/config/loading/known-names.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { ROOT } from '../config-files.js';

const FILE: unknown = JSON.parse(readFileSync(join(ROOT, 'packages/engine/config.schema.json'), 'utf8'));
const validate = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true, strictTypes: false, strictRequired: false })
  .addVocabulary(['patternErrorMessage'])
  .compile(configSchema());

/** Returns whether the schema accepts a value. */
const fits = (value: unknown): boolean => validate(value);
/** Returns whether the engine accepts a file with this value. */
const starts = (value: unknown): boolean => problemsIn(value).length === 0;

/** Returns the key paths of the problems that stop the engine with this configuration. */
function problemsIn(value: unknown): readonly string[] {
  try {
    loadConfig({ text: JSON.stringify(value), cwd: '/', env: {}, lenient: false });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ key }) => key);
    throw error;
  }
}

it('config.schema.json is what `npm run schema` writes', () => {
  expect(FILE).toEqual(configSchema());
});

it('the package of the engine has the schema, by a name of its own', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'packages/engine/package.json'), 'utf8'));
  expect(manifest.exports['./config.schema.json']).toBe('./config.schema.json');
  expect(manifest.files).toContain('config.schema.json');
});

describe('the files of this repository', () => {
  const CONFIGURATIONS = [
    'rivulet.yaml',
    'examples/board/rivulet.yaml',
    'examples/many-engines/rivulet.yaml',
    ...readdirSync(join(ROOT, 'ops/config')).map((name) => `ops/config/${name}`),
  ];
  /** Returns each text in Markdown that is a configuration, or a list of its entries. */
  const snippets = (page: string): string[] =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(/```ya?ml\n(.*?)```/gs)]
      .map(([, text = '']) => text)
      .flatMap((text) => {
        if (/^(workers|modules):/m.test(text)) return [text];
        return /^- name: (rivulet|iii)-/m.test(text) ? [`workers:\n${text}`] : [];
      });
  const pages = [
    'README.md',
    ...['docs', 'examples/sql-adapter', 'examples/redacting-adapter', 'examples/board', 'examples/many-engines'].flatMap((folder) =>
      readdirSync(join(ROOT, folder)).flatMap((name) => (name.endsWith('.md') ? [`${folder}/${name}`] : [])),
    ),
  ];
  const files = [
    ...CONFIGURATIONS.map((name) => [name, join(ROOT, name)] as const),
    ...['complete-old.yaml', 'equivalent-old.yaml', 'equivalent-new.yaml', 'sdk-main.yaml', 'sdk-bridge-backend.yaml'].map(
      (name) => [name, fixture(name)] as const,
    ),
  ].map(([name, path]) => [name, readFileSync(path, 'utf8')] as const);
  const documented = pages.flatMap((page) => snippets(page).map((text, index) => [`${page}, text ${index + 1}`, text] as const));

  it('has examples in its pages', () => {
    expect(documented.length).toBeGreaterThan(8);
  });

  it.each([...files, ...documented])('%s fits the schema, with variables and with their values', (_name, text) => {
    const values = [...text.matchAll(/\$\{(\w+)\}/g)].map(
      ([, name = '']) => [name, name.endsWith('PORT') ? '4000' : name === 'REDIS_URL' ? 'redis://redis:6379' : 'x'.repeat(32)] as const,
    );
    const { text: expanded } = expandEnvironment(text, Object.fromEntries(values), '0.1.0');
    expect(fits(parse(expanded)) || validate.errors).toBe(true);
    // A reference within braces is no YAML before the engine has replaced it.
    const written = /\{[^}\n]*\$\{/.test(text) ? expanded : text;
    expect(fits(parse(written)) || validate.errors).toBe(true);
  });

  it.each(CONFIGURATIONS)('%s names the schema for editors', (name) => {
    const [, path = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(readFileSync(join(ROOT, name), 'utf8')) ?? [];
    expect(join(ROOT, dirname(name), path)).toBe(join(ROOT, 'packages/engine/config.schema.json'));
  });

  it('sdk-bridge-front.yaml, which the engine refuses, does not fit', () => {
    expect(fits(parse(readFileSync(fixture('sdk-bridge-front.yaml'), 'utf8')))).toBe(false);
  });
});

it.each(['sdk-main.yaml', 'equivalent-old.yaml'])('the described configuration of %s fits the schema', (name) => {
  const config = loadConfig({ file: fixture(name), cwd: '/srv', env: {}, lenient: false });
  expect(fits(JSON.parse(JSON.stringify(describeConfig(config)))) || validate.errors).toBe(true);
});

it('a text in place of another value gets a message that names both forms', () => {
  fits({ workers: [{ name: 'rivulet-http', config: { port: 'many' } }] });
  const [error] = (validate.errors ?? []).filter(({ keyword }) => keyword === 'pattern');
  expect(error?.instancePath).toBe('/workers/0/config/port');
  const { definitions } = configSchema() as { definitions: Record<string, { properties: Record<string, Record<string, unknown>> }> };
  expect(definitions['rivulet-http']?.properties.port?.patternErrorMessage).toBe(
    'Expected a whole number, or a reference such as ${NAME:default}.',
  );
});

describe('a file that the engine refuses', () => {
  const entry = (name: string, config: object) => ({ workers: [{ name, config }] });

  it.each<[string, unknown]>([
    ['a text', 'workers'],
    ['workers that are no list', { workers: {} }],
    ['an entry without a name', { workers: [{ config: {} }] }],
    ['an unknown name', { workers: [{ name: 'rivulet-steam' }] }],
    ['an unknown class', { modules: [{ class: 'modules::stream::Steam' }] }],
    ['an unknown key of an entry', { workers: [{ name: 'rivulet-stream', enabled: true }] }],
    ['a misspelt key', entry('rivulet-stream', { prot: 1 })],
    ['a misspelt key under the other name', entry('iii-stream', { prot: 1 })],
    ['a port out of range', entry('rivulet-http', { port: 65_536 })],
    ['a port that is a text', entry('rivulet-http', { port: '3111' })],
    ['a port out of range in an old entry', { modules: [{ class: 'modules::stream::StreamModule', config: { port: -1 } }] }],
    ['a name and a class of two workers', { workers: [{ name: 'rivulet-stream', class: 'modules::state::StateModule' }] }],
    ['an unknown adapter', entry('rivulet-state', { adapter: { name: 'redsi' } })],
    ['an adapter that is not supported', entry('rivulet-state', { adapter: { name: 'bridge' } })],
    ['an adapter without a name', entry('rivulet-state', { adapter: { config: {} } })],
    ['an adapter with a name and a module', entry('rivulet-state', { adapter: { name: 'kv', module: './a.mjs' } })],
    ['a key of the other adapter', entry('rivulet-stream', { adapter: { name: 'kv', config: { redis_url: 'redis://a' } } })],
    ['an unknown key of an adapter', entry('rivulet-stream', { adapter: { name: 'kv', confg: {} } })],
    ['an unknown store', entry('rivulet-stream', { adapter: { name: 'kv', config: { store_method: 'on_disk' } } })],
    ['an adapter of publish with a module', entry('rivulet-pubsub', { adapter: { module: './a.mjs' } })],
    ['an empty rbac', entry('rivulet-worker-manager', { rbac: null })],
    ['an unknown key of rbac', entry('rivulet-worker-manager', { rbac: { auth_function: 'a' } })],
    [
      'an unknown key of rbac in an old entry',
      { modules: [{ class: 'modules::worker::WorkerModule', config: { rbac: { auth_function: 'a' } } }] },
    ],
    ['a rule that is no pattern', entry('rivulet-stream', { expose_functions: ['app::*'] })],
    ['a rule without conditions', entry('rivulet-stream', { expose_functions: [{ metadata: {} }] })],
    ['an unknown key of a rule', entry('rivulet-stream', { expose_functions: [{ match: 'a', names: 'b' }] })],
    ['auth without jwt', entry('rivulet-stream', { auth: {} })],
    ['jwt without a key', entry('rivulet-stream', { auth: { jwt: { algorithms: ['HS256'] } } })],
    ['jwt with an unknown algorithm', entry('rivulet-stream', { auth: { jwt: { algorithms: ['none'], secret: 's'.repeat(64) } } })],
    [
      'jwt with two keys',
      entry('rivulet-stream', { auth: { jwt: { algorithms: ['HS256'], secret: 's'.repeat(64), jwks_url: 'https://a' } } }),
    ],
    ['a bound without a stream', entry('rivulet-stream', { group_bounds: [{ max_items: 1 }] })],
    ['a bound of nothing', entry('rivulet-stream', { group_bounds: [{ streams: 'a' }] })],
    ['a misspelt key of a bound', entry('rivulet-stream', { group_bounds: [{ streams: 'a', max_item: 1 }] })],
    ['a token with a space', entry('rivulet-admin', { token: 'two words' })],
    ['an empty token', entry('rivulet-worker-manager', { auth_token: '' })],
    ['an unknown key of cors', entry('rivulet-http', { cors: { origins: [] } })],
    ['a middleware without a function', entry('rivulet-http', { middleware: [{ phase: 'preHandler' }] })],
    ['require_auth that is a text', { require_auth: 'yes' }],
    ['strict_payloads that is a number', { strict_payloads: 1 }],
    ['a port at the top that is out of range', { port: 70_000 }],
  ])('does not fit: %s', (_fault, value) => {
    expect({ starts: starts(value), fits: fits(value) }).toEqual({ starts: false, fits: false });
  });
});

describe('a file that the engine accepts', () => {
  it.each<[string, unknown]>([
    ['nothing', null],
    ['empty lists', { workers: null, modules: [] }],
    ['unknown keys at the top', { $schema: './config.schema.json', workrs: [] }],
    ['every name', { workers: [...NAMES.keys()].filter((name) => name.startsWith('rivulet-')).map((name) => ({ name })) }],
    [
      'every other name',
      {
        workers: [...NAMES.keys()]
          .filter((name) => !/^rivulet-(?!admin)|^(http|state|queue|pubsub|cron)$/.test(name))
          .map((name) => ({ name })),
      },
    ],
    ['a short name', { workers: [{ name: 'http' }, { name: 'state' }, { name: 'pubsub' }, { name: 'queue' }, { name: 'cron' }] }],
    ['classes', { modules: [...CLASSES.keys()].filter((name) => !name.includes('api::')).map((name) => ({ class: name })) }],
    [
      'unknown keys in an old entry',
      {
        modules: [
          {
            class: 'modules::stream::StreamModule',
            config: { prot: 1, adapter: { class: 'modules::stream::adapters::KvStore', confg: 1, config: { pth: 'x' } } },
            extra: 1,
          },
        ],
      },
    ],
    ['an unknown key of cors in an old entry', { modules: [{ class: 'modules::api::RestApiModule', config: { cors: { origins: [] } } }] }],
    ['any config of a worker without an effect', { workers: [{ name: 'iii-queue', config: [1, { a: 'b' }] }] }],
    [
      'any key of the log',
      { workers: [{ name: 'rivulet-observability', config: { level: 'LOUD', exporter: { otlp: true }, format: 'default' } }] },
    ],
    [
      'sections that were left empty',
      {
        workers: [
          { name: 'rivulet-stream', config: null },
          { name: 'rivulet-state', config: { adapter: null } },
        ],
      },
    ],
    ['a spoken name of an adapter', { workers: [{ name: 'rivulet-stream', config: { adapter: { name: 'KvStore' } } }] }],
    ['any config of a module', { workers: [{ name: 'rivulet-stream', config: { adapter: { module: './a.mjs', config: { any: [1] } } } }] }],
    ['a name and a class of one worker', { workers: [{ name: 'iii-stream', class: 'modules::stream::StreamModule', image: 'x' }] }],
    [
      'rules',
      {
        workers: [
          {
            name: 'rivulet-worker-manager',
            config: { rbac: { expose_functions: ['match("a*")', " match('b') ", { match: 'c', namespace: 'n' }, { metadata: { x: 1 } }] } },
          },
        ],
      },
    ],
  ])('fits: %s', (_what, value) => {
    expect({ starts: starts(value), fits: fits(value) || validate.errors }).toEqual({ starts: true, fits: true });
  });
});

describe('each key, with many values', () => {
  const jwt = { algorithms: ['HS256'], secret: 's'.repeat(64) };
  const withOneKey = (own: object) => ('public_key' in own || 'jwks_url' in own ? { algorithms: ['ES256'], ...own } : { ...jwt, ...own });
  const config = (name: string) => (own: object) => ({ workers: [{ name, config: own }] });
  const adapter = (worker: string, name: string) => (own: object) => config(worker)({ adapter: { name, config: own } });
  /** The sections, each with a file around it, and its keys about which the engine knows more than a schema can say. */
  const SECTIONS: readonly (readonly [string, Keys, (own: object) => unknown, readonly string[]])[] = [
    [
      'rivulet-worker-manager',
      WORKER_MANAGER_KEYS,
      config('rivulet-worker-manager'),
      ['pong_timeout_ms', 'ping_interval_ms', 'trusted_proxies'],
    ],
    [
      'rivulet-stream',
      STREAM_KEYS,
      config('rivulet-stream'),
      ['pong_timeout_ms', 'ping_interval_ms', 'trusted_proxies', 'drain_spread_ms', 'drain_delay_ms'],
    ],
    ['rivulet-state', STATE_KEYS, config('rivulet-state'), ['max_value_bytes']],
    ['rivulet-http', HTTP_KEYS, config('rivulet-http'), ['trusted_proxies', 'concurrency_request_limit', 'middleware']],
    ['rivulet-admin', ADMIN_KEYS, config('rivulet-admin'), ['host']],
    ['rivulet-observability', LOGGING_KEYS, config('rivulet-observability'), []],
    ['rbac', RBAC_KEYS, (own) => config('rivulet-worker-manager')({ rbac: own }), []],
    [
      'jwt',
      JWT_KEYS,
      (own) => config('rivulet-stream')({ auth: { jwt: withOneKey(own) } }),
      ['secret', 'public_key', 'jwks_url', 'algorithms'],
    ],
    [
      'group_bounds',
      GROUP_BOUNDS_KEYS,
      (own) => config('rivulet-stream')({ group_bounds: [{ streams: 'a', max_items: 1, ...own }] }),
      ['streams'],
    ],
    ['kv of streams', KV_KEYS.stream, adapter('rivulet-stream', 'kv'), []],
    ['kv of state', KV_KEYS.state, adapter('rivulet-state', 'kv'), []],
    ['redis of streams', REDIS_KEYS.stream, adapter('rivulet-stream', 'redis'), ['mode', 'nodes', 'redis_url']],
    ['redis of state', REDIS_KEYS.state, adapter('rivulet-state', 'redis'), ['mode', 'nodes', 'redis_url']],
  ];
  const NUMBERS = [null, true, false, -1, 0, 1, 2, 99, 100, 1_023, 1_024, 65_535, 65_536, 86_400_000, 86_400_001, 1e12, 1e18, 1.5];
  const TEXTS = [
    '',
    ' ',
    'a',
    'ü',
    'a\nb',
    'app::f',
    'x'.repeat(1_025),
    '/rt',
    '/rt/',
    '10.0.0.0/8',
    'https://app.example.com',
    'redis://h',
  ];
  const HOSTS = ['[::1]', 'FE80::1', '[FE80::1]'];
  const CHOICES = ['close', 'http', 'commit', 'in_memory', 'cluster', 'delete_oldest', 'HS256', 'text'];
  const LISTS = [[], [1], ...[...TEXTS, ...HOSTS, 'h:1', 'HS256', 'match("a")', 'G T'].map((text) => [text]), Array(101).fill('a')];
  const MAPPINGS = [{}, { a: 1 }, { name: 'kv' }, { join: ['a/b'] }, { jwt }, [{ function_id: 'f' }], [{ metadata: { a: 1 } }]];
  const CORS = [
    { allowed_origins: ['*'] },
    { credentials: true, allowed_origins: ['https://a'] },
    { max_age: -1 },
    { allowed_methods: ['G T'] },
  ];
  const VALUES: readonly unknown[] = [...NUMBERS, ...TEXTS, ...HOSTS, ...CHOICES, ...LISTS, ...MAPPINGS, ...CORS];

  it.each(SECTIONS)('of %s: the schema accepts what the engine accepts, and refuses what it refuses', (_name, keys, around, engineOnly) => {
    const names = (kind: Keys[string]['kind']) => Object.values(keys).flatMap((entry) => (entry.kind === kind ? [entry.name] : []));
    // The engine checks special keys only after all others, so each is alone in its file.
    const groups = [names('field'), ...names('special').map((name) => [name])];
    const wrong = VALUES.flatMap((value) =>
      groups.flatMap((group) => {
        const file = around(Object.fromEntries(group.map((name) => [name, value])));
        const stopped = problemsIn(file);
        const isStopped = (name: string) =>
          group.length === 1 ? stopped.length > 0 : stopped.some((path) => path.split(/[.[]/).includes(name));
        fits(file);
        const errors = (validate.errors ?? []).map(({ instancePath }) => instancePath.split('/'));
        const isRefused = (name: string) => (group.length === 1 ? errors.length > 0 : errors.some((path) => path.includes(name)));
        return group.flatMap((name) => {
          const verdict = { stopped: isStopped(name), refused: isRefused(name) };
          if (verdict.stopped === verdict.refused || (verdict.stopped && engineOnly.includes(name))) return [];
          return [{ key: name, value: JSON.stringify(value).slice(0, 60), ...verdict }];
        });
      }),
    );
    expect(wrong).toEqual([]);
  });

  it.each(SECTIONS)('of %s may come from the environment', (_name, keys, around) => {
    const references = ['${NAME}', '${NAME:1}', '${N:a b}'];
    const refused = Object.values(keys).flatMap(({ name }) => references.filter((text) => !fits(around({ [name]: text }))).map(() => name));
    expect(refused).toEqual([]);
  });

  it.each(SECTIONS)('of %s has its meaning, its bound and its default in the schema', (_name, keys) => {
    const text = JSON.stringify(FILE);
    for (const { schema } of Object.values(keys)) expect(text).toContain(JSON.stringify(schema.description).slice(1, -1));
  });
});
