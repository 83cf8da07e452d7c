import { describe, expect, it } from 'vitest';
import { schemaOf } from '../../src/config/keys/key.js';
import { DEFAULT_STORE_PATHS, KV_KEYS } from '../../src/config/keys/kv-keys.js';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { ADAPTERS, CLASSES, NAMES } from '../../src/config/loading/known-names.js';
import { load, problemsOf, warningCodes } from '../config-files.js';

const stream = (config: string) => `workers:\n  - name: iii-stream\n    config: ${config}\n`;
const oldStream = (config: string) => `modules:\n  - class: modules::stream::StreamModule\n    config: ${config}\n`;
const messages = (text: string) => problemsOf(text).map(({ message }) => message);

describe('names', () => {
  it.each([...NAMES.keys()].filter((name) => !name.includes('stream')))('%s loads by name', (name) => {
    expect(problemsOf(`workers: [{ name: ${name} }]`)).toEqual([]);
  });

  it.each([...CLASSES.keys()])('%s loads by class', (name) => {
    expect(problemsOf(`modules: [{ class: "${name}" }]`)).toEqual([]);
  });

  it.each(
    (['queue', 'pubsub', 'cron'] as const).flatMap((owner) => [
      ...ADAPTERS[owner].names.map((name) => [owner, `name: ${name}`]),
      ...Object.keys(ADAPTERS[owner].classes).map((name) => [owner, `class: "${name}"`]),
    ]),
  )('the adapter of %s may have %s', (owner, key) => {
    expect(problemsOf(`workers: [{ name: iii-${owner}, config: { adapter: { ${key} } } }]`)).toEqual([]);
  });

  it('of the built-in functions are accepted without a word', () => {
    expect(load('workers: [{ name: iii-engine-functions }]').warnings).toEqual([]);
  });

  it('of adapters may be those that the documentation uses', () => {
    const spoken = load('workers: [{ name: iii-stream, config: { adapter: { name: KvStore, config: { store_method: file_based } } } }]');
    expect(spoken.stream?.adapter.kind).toBe('lmdb');
  });

  it('may be mixed with classes, in one file and in one entry that agrees', () => {
    const both =
      'workers: [{ name: iii-stream, class: "modules::stream::StreamModule", config: { port: 4000 } }]\nmodules: [{ class: "modules::cron::CronModule" }]';
    expect(load(both).stream?.port).toBe(4000);
    expect(messages('workers: [{ name: iii-state, class: "modules::stream::StreamModule" }]')).toEqual([
      expect.stringContaining('different workers'),
    ]);
  });
});

describe('CF-7 what is unknown', () => {
  it('as a worker is an error with the likely name, or a warning when lenient', () => {
    const text = 'workers:\n  - name: iii-steam\n';
    expect(problemsOf(text)).toEqual([
      {
        file: 'iii-config.yaml',
        line: 2,
        column: 5,
        key: 'workers[0].name',
        message: 'unknown worker "iii-steam"; did you mean iii-stream?',
      },
    ]);
    expect(warningCodes(load(text, { lenient: true }))).toEqual(['unknown_worker']);
    expect(messages('modules: [{ class: "workers::my::Binary" }]')).toEqual([
      expect.stringContaining('unknown worker "workers::my::Binary"'),
    ]);
  });

  it('as an adapter is an error with the known names, lenient or not', () => {
    const text = stream('{ adapter: { name: postgres } }');
    expect(problemsOf(text, { lenient: true })).toEqual([
      expect.objectContaining({ key: 'workers[0].config.adapter.name', message: expect.stringContaining('known: kv, redis, bridge') }),
    ]);
    expect(messages('workers: [{ name: state, config: { adapter: { name: disk } } }]')[0]).toContain('known: kv, redis, bridge');
    const ignored = load('workers: [{ name: queue, config: { adapter: { class: x } } }, { name: cron, config: { adapter: 5 } }]');
    expect(warningCodes(ignored)).toEqual(['adapter_ignored', 'worker_ignored', 'adapter_ignored', 'worker_ignored']);
    expect(ignored.warnings[0]?.message).toMatch(/unknown queue adapter "x" is ignored.*modules::queue::BuiltinQueueAdapter/);
  });

  it('as a store_method is an error', () => {
    expect(problemsOf(oldStream('{ adapter: { name: kv, config: { store_method: disk } } }'))).toEqual([
      expect.objectContaining({
        line: 3,
        key: 'modules[0].config.adapter.config.store_method',
        message: '"disk" is not valid; expected in_memory or file_based',
      }),
    ]);
  });

  it('as a key is an error in name form, with place, value and remedy', () => {
    const text = 'workers:\n  - name: iii-stream\n    config:\n      port: 3112\n      auth_funtion: a\n';
    expect(problemsOf(text)).toEqual([
      {
        file: 'iii-config.yaml',
        line: 5,
        column: 7,
        key: 'workers[0].config.auth_funtion',
        message: 'unknown key "auth_funtion", did you mean "auth_function"?',
      },
    ]);
    expect(warningCodes(load(text, { lenient: true }))).toContain('unknown_key');
  });

  it('as a key is a warning in class form, and the known keys count', () => {
    const config = load(
      oldStream('{ port: 4000, auth_funtion: a, adapter: { config: { bogus: 1 }, class: "modules::stream::adapters::KvStore" } }'),
    );
    expect(config.stream?.port).toBe(4000);
    expect(config.warnings.filter(({ code }) => code === 'unknown_key').map(({ message }) => message)).toEqual([
      expect.stringContaining('modules[0].config.auth_funtion: unknown key'),
      expect.stringContaining('modules[0].config.adapter.config.bogus: unknown key'),
    ]);
  });

  it('as a nested key is found too', () => {
    expect(problemsOf('workers: [{ name: iii-http, config: { cors: { origins: [] } } }]')).toEqual([
      expect.objectContaining({ key: 'workers[0].config.cors.origins' }),
    ]);
    expect(problemsOf('workers: [{ name: iii-worker-manager, config: { rbac: { auth_function: a } } }]')[0]?.message).toContain(
      'auth_function_id',
    );
  });

  it.each(['"GET\\n"', '"GÉ€T"', '""', '"A B"', 'null'])('as a method of cors that no header can carry is refused: %s', (method) => {
    expect(problemsOf(`workers: [{ name: iii-http, config: { cors: { allowed_methods: [${method}] } } }]`)).toEqual([
      expect.objectContaining({ key: 'workers[0].config.cors.allowed_methods[0]' }),
    ]);
  });

  it('at the top is a warning', () => {
    expect(load('worker: []\nregistration_namespace_grace_ms: 5000').warnings).toEqual([
      { code: 'unknown_key', message: 'iii-config.yaml:1:1 worker: unknown key "worker" is ignored; did you mean "workers"?' },
    ]);
  });

  it('beside the config of an entry is an error in name form: there is no enabled', () => {
    expect(problemsOf('workers: [{ name: iii-stream, enabled: false }]')).toEqual([expect.objectContaining({ key: 'workers[0].enabled' })]);
    expect(warningCodes(load('modules: [{ class: "modules::stream::StreamModule", enabled: false }]'))).toContain('unknown_key');
  });
});

describe('CF-10 a worker listed twice', () => {
  it.each(['http', 'state', 'cron', 'queue', 'pubsub'])('as iii-%s and its new alias is an error', (alias) => {
    const text = `workers: [{ name: iii-${alias} }, { name: ${alias} }]`;
    expect(problemsOf(text, { lenient: true })).toEqual([
      expect.objectContaining({ key: 'workers[1]', message: expect.stringContaining(`iii-${alias} and ${alias} are the same worker`) }),
    ]);
  });

  it.each(['[{ name: iii-stream }, { name: iii-stream }]', '[{ name: iii-stream }, { class: "modules::stream::StreamModule" }]'])(
    'is an error: %s',
    (list) => {
      expect(messages(`workers: ${list}`)).toEqual([expect.stringContaining('listed twice')]);
    },
  );

  it('over workers and modules is an error', () => {
    expect(messages('modules: [{ name: iii-stream }]\nworkers: [{ name: iii-stream }]')).toEqual([expect.stringContaining('listed twice')]);
  });

  it('is fine for worker managers, and for the two observability classes of old files', () => {
    const managers = 'workers: [{ name: iii-worker-manager, config: { port: 1 } }, { name: iii-worker-manager, config: { port: 2 } }]';
    expect(load(managers).workerManagers.map(({ port }) => port)).toEqual([1, 2]);
    const observability = 'modules: [{ class: "modules::observability::LoggingModule" }, { class: "modules::observability::OtelModule" }]';
    expect(problemsOf(observability)).toEqual([]);
  });
});

describe('the worker port', () => {
  it('is the top-level port, unless an entry says otherwise', () => {
    expect(load('port: 5000').workerManagers).toEqual([expect.objectContaining({ port: 5000, host: '127.0.0.1' })]);
    const both = load('port: 5000\nworkers: [{ name: iii-worker-manager, config: { port: 6000 } }]');
    expect(both.workerManagers.map(({ port }) => port)).toEqual([6000]);
    expect(warningCodes(both)).toEqual(['port_ignored']);
    expect(load('port: 5000\nworkers: [{ name: iii-worker-manager, config: { port: 5000 } }]').warnings).toEqual([]);
  });

  it.each(['-1', '65536', '1.5', '"49134"', 'true', '[]'])('is refused as %s', (port) => {
    expect(problemsOf(`port: ${port}`)).toEqual([
      expect.objectContaining({ line: 1, key: 'port', message: expect.stringContaining('from 0 to 65535') }),
    ]);
  });

  it('is refused when another listener has it, port 0 excepted', () => {
    expect(messages(`port: 3112\n${stream('{}')}`)).toEqual([expect.stringContaining('port 3112 is taken')]);
    expect(messages(`port: 0\n${stream('{ port: 0 }')}`)).toEqual([]);
    expect(
      messages(
        `workers: [{ name: iii-worker-manager, config: { port: 1, host: 127.0.0.1 } }, { name: iii-worker-manager, config: { port: 1, host: 127.0.0.2 } }]`,
      ),
    ).toEqual([]);
  });

  it('has rules when rbac is given, empty ones too, and none without it', () => {
    const rbacOf = (config: string) => load(`workers: [{ name: iii-worker-manager, config: { ${config} } }]`).workerManagers[0]?.rbac;
    expect(rbacOf('rbac: {}')).toMatchObject({ authFunction: undefined, exposeFunctions: [] });
    expect(rbacOf('')).toBeUndefined();
  });

  it.each([
    ['{ expose_functions: [{ metadata: { public: true }, tier: pro }] }', 'unknown key "tier"'],
    ['{ expose_functions: [{ metadata: {} }] }', 'would expose every function'],
    ['{ expose_functions: ["api::*"] }', 'expected match('],
    ['{ expose_functions: [{ match: "" }] }', 'expected a pattern'],
    ['{ auth_funtion_id: app::auth }', 'did you mean "auth_function_id"?'],
    ['null', 'would trust every peer'],
    ['{ auth_function_id: null }', 'or no such key'],
    ['{ on_function_registration_function_id: null }', 'or no such key'],
  ])('is refused with the rules %s, in both formats and with --lenient-config', (rbac, message) => {
    expect(messages(`workers: [{ name: iii-worker-manager, config: { rbac: ${rbac} } }]`)).toEqual([expect.stringContaining(message)]);
    expect(messages(`workers: [{ class: "modules::worker::WorkerModule", config: { rbac: ${rbac} } }]`)).toEqual([
      expect.stringContaining(message),
    ]);
  });
});

describe('the stream entry', () => {
  it('has defaults without config, and warns that memory forgets', () => {
    const config = load('workers: [{ name: iii-stream, config: null }]');
    expect(config.stream).toMatchObject({ host: '127.0.0.1', port: 3112, authFunction: undefined, adapter: { kind: 'memory' } });
    expect(config.warnings).toEqual([{ code: 'store_in_memory', message: expect.stringContaining('restarts lose data') }]);
  });

  it('is refused with the adapter bridge', () => {
    expect(problemsOf(stream('{ adapter: { name: bridge } }'), { lenient: true })).toEqual([
      expect.objectContaining({ key: 'workers[0].config.adapter', message: expect.stringContaining('see COMPATIBILITY.md') }),
    ]);
  });

  it.each(['name: redis', 'class: "modules::stream::adapters::RedisAdapter"', 'name: Redis'])('takes a Redis as { %s }', (adapter) => {
    const written = '{ redis_url: "redis://me:secret@cache:6380/2", command_timeout_ms: 900 }';
    const config = load(stream(`{ adapter: { ${adapter}, config: ${written} } }`));
    expect(config.stream?.adapter).toEqual({
      kind: 'redis',
      url: 'redis://me:secret@cache:6380/2',
      keyPrefix: 'rivulet:streams',
      commandTimeoutMs: 900,
      connectTimeoutMs: 5_000,
    });
    expect(config.warnings).toEqual([]);
    expect(JSON.stringify(describeConfig(config))).toContain('"redis_url":"redis://me:***@cache:6380/2"');
  });

  it('takes sentinels, and prints them', () => {
    const written = '{ mode: sentinel, nodes: ["s1:26379", "s2:26379"], master_name: main }';
    const first = load(stream(`{ adapter: { name: redis, config: ${written} } }`));
    expect(first.stream?.adapter).toMatchObject({ servers: { kind: 'sentinels', nodes: ['s1:26379', 's2:26379'], name: 'main' } });
    expect(JSON.stringify(describeConfig(first))).toContain('"mode":"sentinel","nodes":["s1:26379","s2:26379"],"master_name":"main"');
  });

  it('takes nodes of a cluster, and prints them', () => {
    const first = load(stream('{ adapter: { name: redis, config: { mode: cluster, nodes: ["r1:6379"] } } }'));
    expect(first.stream?.adapter).toMatchObject({ servers: { kind: 'cluster', nodes: ['r1:6379'] } });
    expect(JSON.stringify(describeConfig(first))).toContain('"mode":"cluster","nodes":["r1:6379"],"key_prefix"');
  });

  it.each([
    ['{ redis_url: "http://cache" }', 'redis_url', 'a redis:// or rediss:// address'],
    ['{ redis_url: "redis://[" }', 'redis_url', 'a redis:// or rediss:// address'],
    ['{ key_prefix: "a{b}" }', 'key_prefix', 'of the characters'],
    ['{ mode: sentinel }', 'nodes', 'give both or neither'],
    ['{ nodes: ["s1:26379"] }', 'nodes', 'give both or neither'],
    ['{ mode: sentinel, nodes: ["s1"] }', 'nodes[0]', 'addresses such as'],
    ['{ mode: cluster }', 'nodes', 'give both or neither'],
    ['{ mode: cluster, nodes: ["r1:6379"], redis_url: "redis://r1/2" }', 'redis_url', 'has no databases'],
    ['{ mode: ring, nodes: ["s1:1"] }', 'mode', 'standalone or sentinel or cluster'],
    ['{ comand_timeout_ms: 1 }', 'comand_timeout_ms', '"command_timeout_ms"'],
  ])('refuses the Redis %s', (written, key, reason) => {
    expect(problemsOf(stream(`{ adapter: { name: redis, config: ${written} } }`))).toEqual([
      expect.objectContaining({ key: `workers[0].config.adapter.config.${key}`, message: expect.stringContaining(reason) }),
    ]);
  });

  it.each([
    ['1', 100],
    ['250', 250],
    ['0', 5_000],
    ['-5', 5_000],
    ['soon', 5_000],
    ['.nan', 5_000],
    ['1e12', 3_600_000],
  ])('takes save_interval_ms %s as %d', (written, expected) => {
    const config = load(
      stream(
        `{ adapter: { name: kv, config: { store_method: file_based, durability: relaxed, save_interval_ms: ${written}, channel_size: 256 } } }`,
      ),
    );
    expect(config.stream?.adapter).toMatchObject({ durability: 'relaxed', saveIntervalMs: expected });
  });

  it.each([
    ['{ port: 3112, auth_reject_mode: drop }', 'auth_reject_mode', '"drop"'],
    ['{ auth_fail_open: "true" }', 'auth_fail_open', 'write it without quotes'],
    ['{ auth_function: "" }', 'auth_function', 'null for none'],
    ['{ max_message_bytes: 10 }', 'max_message_bytes', 'from 1024'],
    ['{ allowed_origins: ["https://a.example/path"] }', 'allowed_origins[0]', 'exact origins'],
    ['{ host: 5 }', 'host', 'host name'],
    ['{ adapter: { config: {} } }', 'adapter', 'has no name'],
    ['{ adapter: kv }', 'adapter', 'a mapping with name'],
    ['{ adapter: { name: kv, config: { file_path: "" } } }', 'adapter.config.file_path', 'a directory'],
    ['{ drain_delay_ms: 6001 }', '', '16000'],
  ])('refuses %s', (config, key, reason) => {
    expect(problemsOf(stream(config))).toEqual([
      expect.objectContaining({
        line: 3,
        key: key === '' ? 'workers[0].config' : `workers[0].config.${key}`,
        message: expect.stringContaining(reason),
      }),
    ]);
  });

  it('reports all that is wrong at once', () => {
    expect(problemsOf(`port: x\n${stream('{ port: y, bogus: 1 }')}`).map(({ key }) => key)).toEqual([
      'port',
      'workers[0].config.port',
      'workers[0].config.bogus',
    ]);
  });

  it('CF-8 does not share its default directory with state', () => {
    expect(schemaOf(KV_KEYS.stream).parse({}).file_path).toBe('./data/streams');
    expect(schemaOf(KV_KEYS.state).parse({}).file_path).toBe('./data/state');
    expect(new Set(Object.values(DEFAULT_STORE_PATHS)).size).toBe(2);
  });
});

describe('entries of later modules', () => {
  it('are checked: http by its keys', () => {
    expect(problemsOf('workers: [{ name: http, config: { port: 99999 } }]')[0]?.key).toBe('workers[0].config.port');
  });

  it('warn once each and take any config', () => {
    const names = ['iii-exec', 'iii-bridge', 'configuration', 'iii-worker-ops', 'iii-sandbox', 'iii-http-functions', 'iii-telemetry'];
    const config = load(`workers: [${names.map((name) => `{ name: ${name}, config: { any: "true", thing: [1] } }`).join(', ')}]`);
    expect(warningCodes(config)).toEqual(names.map(() => 'worker_ignored'));
  });

  it('set the logging, with log_level as another name of level', () => {
    const logging = (config: string) => load(`workers: [{ name: iii-observability, config: ${config} }]`);
    expect(logging('{ level: WARN, format: json }')).toMatchObject({ logging: { level: 'warn', format: 'json' }, warnings: [] });
    expect(logging('{ log_level: debug }').logging).toEqual({ level: 'debug', format: 'auto' });
    expect(logging('{ level: error, log_level: debug }').logging.level).toBe('error');
    const odd = logging('{ level: loud, format: 7, enabled: "yes", sampling_ratio: "much" }');
    expect(odd.logging).toEqual({ level: 'info', format: 'auto' });
    expect(warningCodes(odd)).toEqual(['worker_ignored', 'value_ignored', 'value_ignored']);
  });
});
