import { directoryWith } from '@rivulet/testkit/directory-with';
import { run } from '@rivulet/testkit/engines/cli-process';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { load, problemsOf, warningCodes } from '../config-files.js';

const worker = (config: string, more = '') => `${more}workers: [{ name: iii-worker-manager, config: { ${config} } }]`;
const stream = (config: string) => `workers: [{ name: iii-stream, config: { ${config} } }]`;
const TOKEN = 'a-secret-of-the-workers';

describe('a listener without host', () => {
  it.each([
    ['no entry', 'workers: []'],
    ['an empty file', ''],
    ['a typo at top level', 'wrokers:\n  - name: iii-worker-manager\n    config: { host: 0.0.0.0 }'],
    ['the old form', 'port: 49134'],
    ['an entry without host', worker('port: 49134')],
  ])('is on loopback and says so: %s', (_what, text) => {
    const { workerManagers, notes } = load(text);
    expect(workerManagers).toMatchObject([{ host: '127.0.0.1', port: 49134 }]);
    expect(notes).toMatchObject([{ code: 'loopback_only', message: expect.stringContaining('add host: 0.0.0.0') }]);
    expect(notes[0]?.message).toContain('iii-config.yaml:1:1');
  });

  it('says so of the stream and the HTTP port too, and not when host is there', () => {
    const { notes } = load(
      'workers: [{ name: iii-worker-manager, config: { host: 127.0.0.1 } }, { name: iii-stream }, { name: iii-http }]',
    );
    expect(notes.map(({ message }) => /the (\w+) port (\d+)/.exec(message)?.slice(1))).toEqual([
      ['stream', '3112'],
      ['HTTP', '3111'],
    ]);
  });
});

describe('a pattern that exposes no name of the engine any more', () => {
  const rules = (list: string) => load(worker(`host: 127.0.0.1, rbac: { expose_functions: [${list}] }`));

  it.each([
    [`'match("*")'`, 'stream::get'],
    [`'match("*::set")'`, 'stream::set'],
    [`'match("e*")'`, 'engine::functions::list'],
    [`{ match: 'pub*' }`, 'publish'],
  ])('is noted with what to add: %s', (rule, id) => {
    const { notes, warnings } = rules(rule);
    expect(notes).toMatchObject([{ code: 'engine_names_hidden', message: expect.stringContaining(`match("${id}")`) }]);
    expect(warnings).toEqual([]);
  });

  it.each([
    `'match("api::*")'`,
    `'match("stream::*")'`,
    `'match("engine::functions::list")'`,
    `'match("*::order")'`,
    '{ metadata: { a: 1 } }',
  ])('is no other: %s', (rule) => {
    expect(rules(rule).notes).toEqual([]);
  });
});

describe('an allowed origin that no page sends', () => {
  const lists = (origin: string) => [
    worker(`host: 127.0.0.1, allowed_origins: ["${origin}"]`),
    `workers: [{ name: iii-stream, config: { host: 127.0.0.1, allowed_origins: ["${origin}"] } }]`,
    `workers: [{ name: iii-http, config: { host: 127.0.0.1, cors: { allowed_origins: ["${origin}"] } } }]`,
  ];

  it.each(['https://App.example.com', 'https://app.example.com:443', 'http://app.example.com:80', 'wss://app.example.com'])(
    'is warned of: %s',
    (origin) => {
      for (const text of lists(origin)) expect(warningCodes(load(text))).toContain('origin_never_sent');
    },
  );

  it.each(['https://app.example.com', 'http://app.example.com:443', 'https://app.example.com:8443', 'chrome-extension://abcdef'])(
    'is no other: %s',
    (origin) => {
      for (const text of lists(origin)) expect(warningCodes(load(text))).not.toContain('origin_never_sent');
    },
  );

  it('is one of cors without a scheme or with a path, and not null or *', () => {
    const cors = (origin: string) =>
      warningCodes(load(`workers: [{ name: iii-http, config: { cors: { allowed_origins: ["${origin}"] } } }]`));
    for (const origin of ['app.example.com', 'https://app.example.com/']) expect(cors(origin)).toContain('origin_never_sent');
    for (const origin of ['null', '*']) expect(cors(origin)).not.toContain('origin_never_sent');
  });
});

describe('a misspelt key that would make the engine strict', () => {
  it.each(['requireauth', 'require_auth_', 'requireAuth', 'require', 'strict_payload', 'strictPayloads', 'strict_paylaods'])(
    'is refused, also with --lenient-config: %s',
    (key) => {
      for (const lenient of [false, true])
        expect(problemsOf(worker('host: 0.0.0.0', `${key}: true\n`), { lenient })).toMatchObject([
          { key, message: expect.stringContaining('did you mean') },
        ]);
    },
  );
});

describe('a port that other machines reach', () => {
  it('is warned of when it trusts whoever comes, in one line that says what that means and how to close it', () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'engine.internal']) {
      const [warning] = load(worker(`host: "${host}"`)).warnings;
      expect(warning).toMatchObject({ code: 'worker_port_open', fields: { host, port: 49134 } });
      for (const part of ['ANYONE', 'every function', 'auth_token', 'rbac', 'host: 127.0.0.1', 'allow_anonymous']) {
        expect(warning?.message).toContain(part);
      }
      expect(warning?.message).not.toContain('\n');
    }
  });

  it('is warned of when it has rules and asks nobody', () => {
    for (const rules of ['{}', '{ expose_functions: ["match(\\"app::*\\")"] }', '{ on_function_registration_function_id: a }']) {
      const text = worker(`host: 0.0.0.0, rbac: ${rules}`);
      const [warning, ...more] = load(text).warnings;
      expect(warning).toMatchObject({ code: 'guest_port_open', fields: { host: '0.0.0.0', port: 49134 } });
      for (const part of ['ANYONE', 'expose_functions', 'auth_function_id', 'host: 127.0.0.1', 'allow_anonymous'])
        expect(warning?.message).toContain(part);
      expect(warning?.message).not.toContain('\n');
      expect(more).toEqual([]);
      expect(problemsOf(`require_auth: true\n${text}`)).toMatchObject([
        { key: 'workers[0]', message: expect.stringContaining('require_auth is set, and ANYONE') },
      ]);
    }
  });

  it.each([
    ['rules, and allow_anonymous', 'host: 0.0.0.0, rbac: {}, allow_anonymous: true'],
    ['rules, on loopback', 'host: 127.0.0.1, rbac: {}'],
    ['a token', `host: 0.0.0.0, auth_token: ${TOKEN}`],
    ['rules', 'host: 0.0.0.0, rbac: { auth_function_id: a }'],
    ['allow_anonymous', 'host: 0.0.0.0, allow_anonymous: true'],
    ['loopback of IPv4', 'host: 127.0.0.1'],
    ['loopback of IPv6', 'host: "::1"'],
    ['localhost', 'host: localhost'],
  ])('is not warned of with %s, and require_auth lets it be', (_what, config) => {
    expect(warningCodes(load(worker(config)))).toEqual([]);
    expect(problemsOf(worker(config, 'require_auth: true\n'))).toEqual([]);
  });

  it('is a refusal to start with require_auth, also with --lenient-config', () => {
    for (const lenient of [false, true]) {
      const [problem, ...more] = problemsOf(worker('host: 0.0.0.0', 'require_auth: true\n'), { lenient });
      expect(problem).toMatchObject({ line: 2, key: 'workers[0]', message: expect.stringContaining('require_auth is set, and ANYONE') });
      expect(more).toEqual([]);
    }
    const closed = load(worker('host: 127.0.0.1', 'require_auth: true\n'));
    expect(load(stringify(describeConfig(closed))).requireAuth).toBe(true);
    expect(load(stringify(describeConfig(load('strict_payloads: true')))).strictPayloads).toBe(true);
    expect(problemsOf(`require_auth: true\n${stream('host: 0.0.0.0')}`)).toHaveLength(1);
    expect(problemsOf(worker('host: 127.0.0.1', 'require_auth: "yes"\n'))).toMatchObject([{ key: 'require_auth' }]);
    expect(problemsOf(worker('host: 0.0.0.0', 'require_auth: null\n'))).toHaveLength(2);
    expect(problemsOf(worker('host: 0.0.0.0', 'require_auth: false\n'))).toEqual([]);
  });

  it('is warned of when it is that of streams and asks nobody', () => {
    expect(warningCodes(load(stream('host: 0.0.0.0')))).toContain('stream_without_auth');
    for (const config of ['host: 0.0.0.0, auth_function: a', 'host: 0.0.0.0, allow_anonymous: true', 'port: 1'])
      expect(warningCodes(load(stream(config)))).toEqual(['store_in_memory']);
  });
});

describe('auth_token', () => {
  it('comes from the environment', () => {
    const env = { WORKER_TOKEN: TOKEN };
    expect(load(worker('auth_token: "${WORKER_TOKEN}"'), { env }).workerManagers).toMatchObject([{ authToken: TOKEN }]);
  });

  it.each(['', ' ', 'null', '~', '5', '""', '"a b"', '"\u00e9t\u00e9-secret"', '[secret-value]', '"***"', `"${'x'.repeat(1_025)}"`])(
    'never opens the port when it says %j, and is not shown',
    (value) => {
      const problems = problemsOf(worker(`auth_token: ${value}, host: 0.0.0.0`));
      expect(problems.map(({ key }) => key)).toEqual(['workers[0].config.auth_token']);
      expect(problems[0]?.message).not.toMatch(/secret|xxx/);
    },
  );

  it('is for listeners without rules', () => {
    expect(problemsOf(worker(`auth_token: ${TOKEN}, rbac: {}`))).toMatchObject([{ key: 'workers[0].config.auth_token' }]);
  });

  it('is warned of when it is short, and never printed', () => {
    const config = load(worker('auth_token: sesame'));
    expect(config.warnings).toMatchObject([{ code: 'auth_token_short' }]);
    expect(JSON.stringify([config.warnings, config.notes]) + stringify(describeConfig(config))).not.toContain('sesame');
    expect(problemsOf(stringify(describeConfig(config)))).toHaveLength(1);
  });
});

describe('a key that is not taken as it stands', () => {
  it('is said: a long handshake, and what is for other engines', () => {
    const config = load(
      'registration_namespace_grace_ms: 5000\nworkers: [{ name: iii-worker-manager, config: { handshake_timeout_ms: 10000 } }]',
    );
    expect(config.workerManagers).toMatchObject([{ handshakeTimeoutMs: 10_000 }]);
    expect(config.warnings).toMatchObject([{ code: 'handshake_timeout_long', message: expect.stringContaining('10000 ms') }]);
    expect(config.notes.map(({ code }) => code)).toEqual(['key_ignored', 'loopback_only']);
  });

  const kv = (config: string) => `adapter: { name: kv, config: { store_method: file_based, ${config} } }`;
  const state = (config: string) => `workers: [{ name: iii-state, config: { ${config} } }]`;
  const http = (config: string) => `workers: [{ name: iii-http, config: { ${config} } }]`;

  it.each([
    ['save_interval_ms', stream(kv('save_interval_ms: 50')), '50 counts as 100: '],
    ['save_interval_ms', stream(kv('save_interval_ms: 1e12')), '1000000000000 counts as 3600000: '],
    ['save_interval_ms', state(kv('save_interval_ms: -1')), '-1 counts as 5000: '],
    ['save_interval_ms', state(kv('save_interval_ms: soon')), '"soon" counts as 5000: '],
    ['save_interval_ms', stream(kv('save_interval_ms: 200.5')), '200.5 counts as 200: '],
  ])('is warned of: %s in %s', (key, text, says) => {
    const config = load(text);
    const found = config.warnings.filter(({ code }) => code === 'value_changed');
    expect(found).toMatchObject([{ message: expect.stringContaining(says) }]);
    expect(found[0]?.message).toContain(`${key}: `);
    // The printed configuration has the value that the engine uses.
    expect(warningCodes(load(stringify(describeConfig(config))))).not.toContain('value_changed');
  });

  it.each([
    ['pong_timeout_ms', stream('ping_interval_ms: 5000, pong_timeout_ms: 6000'), '6000 would count as 5000: '],
    ['pong_timeout_ms', worker('ping_interval_ms: 5000, pong_timeout_ms: 6000'), '6000 would count as 5000: '],
    ['max_in_flight_calls', worker('max_in_flight_calls: 5000, rbac: {}'), '5000 would count as 1024: '],
    ['max_value_bytes', state('max_value_bytes: 9000000'), '9000000 would count as 8000000: '],
    ['concurrency_request_limit', http('concurrency_request_limit: 0'), '0 would count as 1: '],
  ])('is an error, and a warning with --lenient-config: %s in %s', (key, text, says) => {
    expect(problemsOf(text)).toMatchObject([
      { key: expect.stringMatching(new RegExp(`\\.${key}$`)), message: expect.stringContaining(says) },
    ]);
    const config = load(text, { lenient: true });
    expect(config.warnings.filter(({ code }) => code === 'value_changed')).toMatchObject([{ message: expect.stringContaining(says) }]);
    expect(warningCodes(load(stringify(describeConfig(config))))).not.toContain('value_changed');
  });

  it('is warned of in an entry with class, as older files have them', () => {
    const { http: config, warnings } = load('modules: [{ class: modules::api::RestApiModule, config: { concurrency_request_limit: 0 } }]');
    expect(config?.concurrentRequests).toBe(1);
    expect(warnings).toContainEqual({ code: 'value_changed', message: expect.stringContaining('0 counts as 1: ') });
  });

  it.each([
    ['as they are', stream(kv('save_interval_ms: 250'))],
    ['null', `${state(`max_value_bytes: null, ${kv('save_interval_ms: null')}`)}`],
    ['left out', worker('ping_interval_ms: 5000, rbac: {}')],
    ['of a worker without rules', worker('max_in_flight_calls: 5000')],
  ])('is not warned of when the values count %s', (_what, text) => {
    expect(warningCodes(load(text))).not.toContain('value_changed');
  });

  it.each(['rt', '/rt/', '/', '""', '/a b', '/a?b', '/a%20b', '5', '/a/../b', '/..', '/a/.', '/./a'])(
    'is an error: the path_prefix %s',
    (prefix) => {
      expect(problemsOf(stream(`path_prefix: ${prefix}`))).toMatchObject([{ key: 'workers[0].config.path_prefix' }]);
    },
  );

  it('may be null: path_prefix', () => {
    expect(load(stream('path_prefix: null')).stream?.pathPrefix).toBeUndefined();
    expect(load(stream('path_prefix: /rt/v1')).stream?.pathPrefix).toBe('/rt/v1');
    expect(load(stream('path_prefix: /.rt/..v1/v1..')).stream?.pathPrefix).toBe('/.rt/..v1/v1..');
  });
});

describe('check-config', () => {
  it('says what start says: notes, warnings, and exit 78 with require_auth', async () => {
    const text = `workers: [{ name: iii-worker-manager, config: { host: 0.0.0.0, port: 0 } }, { name: iii-http, config: { port: 0 } }]`;
    const open = await run(['check-config'], directoryWith({ 'iii-config.yaml': text }));
    expect(open.code).toBe(0);
    expect(open.stderr).toMatch(/^note: iii-config\.yaml:1:\d+ workers\[1\]: the HTTP port 0 listens on 127\.0\.0\.1 only/m);
    expect(open.stderr).toMatch(/^warning: iii-config\.yaml:1:\d+ workers\[0\]: ANYONE who can connect to 0\.0\.0\.0:0 may call/m);
    for (const command of ['check-config', 'start']) {
      const closed = await run([command], directoryWith({ 'iii-config.yaml': `require_auth: true\n${text}` }));
      expect({ code: closed.code, stdout: closed.stdout }).toEqual({ code: 78, stdout: '' });
      expect(closed.stderr).toMatch(/^error: iii-config\.yaml:2:\d+ workers\[0\]: require_auth is set, and ANYONE/);
    }
  });
});
