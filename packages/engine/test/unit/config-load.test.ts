import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixture } from '@rivulet/testkit/config-fixtures';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.js';
import { ConfigError } from '../../src/config/config-error.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { inspectStoreDirectories } from '../../src/config/store-directories.js';
import { load, problemsOf, warningCodes } from '../config-files.js';

const effective = ({ workerManagers, stream, state, pubsub, logging }: Config) => ({ workerManagers, stream, state, pubsub, logging });
const loadFixture = (name: string) => loadConfig({ file: fixture(name), cwd: '/srv', env: {}, lenient: false });

describe('the samples', () => {
  it('CF-1 old and new form give the same effective configuration', () => {
    const old = loadFixture('equivalent-old.yaml');
    expect(effective(old)).toEqual(effective(loadFixture('equivalent-new.yaml')));
    expect(old.workerManagers).toEqual([expect.objectContaining({ port: 49134, host: '127.0.0.1', rbac: undefined })]);
    expect(old.stream).toMatchObject({
      port: 3112,
      host: '127.0.0.1',
      authFunction: undefined,
      adapter: { kind: 'lmdb', path: '/srv/data/streams', durability: 'commit', saveIntervalMs: 1000 },
    });
    expect(old.state).toEqual({ triggersEnabled: true, maxValueBytes: undefined, adapter: { kind: 'memory' } });
    const cors = { allowedOrigins: ['http://localhost:5173'], allowedMethods: ['GET', 'POST'] };
    expect(old.http).toMatchObject({
      port: 3111,
      host: '127.0.0.1',
      defaultTimeoutMs: 30_000,
      concurrentRequests: 1_024,
      cors,
      middleware: [],
    });
    expect(warningCodes(old)).toEqual(['store_in_memory']);
  });

  it('CF-2 the complete old file loads and warns once for each worker that has no effect', () => {
    const config = loadFixture('complete-old.yaml');
    expect(config.workerManagers).toHaveLength(1);
    expect(config.stream).toMatchObject({ port: 3112, authFunction: 'stream.auth', adapter: { path: '/srv/data/stream_store' } });
    expect(config.logging).toEqual({ level: 'info', format: 'auto' });
    for (const part of ['queue', 'pubsub', 'cron', 'observability', 'http_functions', 'telemetry']) {
      expect(config.warnings.filter(({ message }) => message.includes(`modules::${part}::`))).toHaveLength(1);
    }
    expect(config.state?.adapter).toMatchObject({ kind: 'lmdb', path: '/srv/data/state_store' });
    expect(config.pubsub).toBe(true);
    const codes = warningCodes(config);
    expect(codes.filter((code) => code === 'worker_ignored')).toHaveLength(5);
    expect(codes.filter((code) => code !== 'worker_ignored')).toEqual(['pubsub_in_process']);
  });

  it('CF-2 switches of ignored workers may come from the environment as texts', () => {
    const config = loadConfig({
      file: fixture('complete-old.yaml'),
      cwd: '/srv',
      env: { OTEL_ENABLED: 'false', STREAM_PORT: '4112' },
      lenient: false,
    });
    expect(config.stream?.port).toBe(4112);
  });

  it('CF-3 and CF-6 the main fixture of the SDKs loads, its second listener with rules and middleware', () => {
    const config = loadFixture('sdk-main.yaml');
    expect(config.workerManagers.map(({ port, middlewareFunction }) => ({ port, middlewareFunction }))).toEqual([
      { port: 49199, middlewareFunction: undefined },
      { port: 49135, middlewareFunction: 'test::rbac-worker::middleware' },
    ]);
    expect(config.workerManagers.map(({ rbac }) => rbac)).toEqual([
      undefined,
      {
        authFunction: 'test::rbac-worker::auth',
        authTimeoutMs: 10_000,
        authErrorFrame: false,
        exposeFunctions: [
          { kind: 'match', pattern: 'test::ew::public::*' },
          { kind: 'match', pattern: 'engine::functions::list' },
          { kind: 'metadata', conditions: [{ key: 'ew_public', equals: true }] },
        ],
        onFunctionRegistration: 'test::rbac-worker::on-function-reg',
        onTriggerRegistration: 'test::rbac-worker::on-trigger-reg',
        onTriggerTypeRegistration: 'test::rbac-worker::on-trigger-type-reg',
        hookTimeoutMs: 10_000,
      },
    ]);
  });

  it('CF-3 the backend of the bridge loads, its front says that bridges are not supported', () => {
    expect(loadFixture('sdk-bridge-backend.yaml')).toMatchObject({
      stream: { adapter: { kind: 'memory' } },
      state: { adapter: { kind: 'memory' } },
      pubsub: false,
    });
    expect(() => loadFixture('sdk-bridge-front.yaml')).toThrow(
      /sdk-bridge-front\.yaml:6:27 .*stream adapter "bridge" is not supported \(see COMPATIBILITY\.md\)[^]*sdk-bridge-front\.yaml:8:\d+ .*state adapter "bridge" is not supported/,
    );
  });
});

describe('which file', () => {
  const withPort = (port: number) => `workers: [{ name: iii-worker-manager, config: { port: ${port} } }]`;

  it('is that of --config, then iii-config.yaml, then config.yaml, then none', () => {
    const cwd = directoryWith({ 'own/a.yaml': withPort(1), 'iii-config.yaml': withPort(2), 'config.yaml': withPort(3) });
    const bare = directoryWith({ 'config.yaml': withPort(3) });
    const port = (options: { file?: string; cwd: string }) => loadConfig({ ...options, env: {}, lenient: false }).workerManagers[0]?.port;
    expect([port({ file: 'own/a.yaml', cwd }), port({ cwd }), port({ cwd: bare }), port({ cwd: directoryWith() })]).toEqual([
      1, 2, 3, 49134,
    ]);
  });

  it('may be none: all that is built, durable, on loopback', () => {
    const cwd = directoryWith();
    const config = loadConfig({ cwd, env: {}, lenient: false });
    expect(config.file).toBeUndefined();
    expect(config.workerManagers).toEqual([expect.objectContaining({ host: '127.0.0.1', port: 49134 })]);
    expect(config.stream).toMatchObject({ host: '127.0.0.1', port: 3112, adapter: { kind: 'lmdb', path: join(cwd, 'data/streams') } });
    expect(config.state).toMatchObject({ triggersEnabled: true, adapter: { kind: 'lmdb', path: join(cwd, 'data/state') } });
    expect(config.pubsub).toBe(true);
    expect(config.warnings).toEqual([]);
  });

  it('must exist when it is named', () => {
    expect(() => loadConfig({ file: 'absent.yaml', cwd: directoryWith(), env: {}, lenient: false })).toThrow(
      /^absent\.yaml: can't be read \(ENOENT\)/,
    );
  });

  it('must be UTF-8 and of a sensible size', () => {
    const cwd = directoryWith({ 'large.yaml': `# ${'x'.repeat(1_048_576)}` });
    writeFileSync(join(cwd, 'latin.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    expect(() => loadConfig({ file: 'large.yaml', cwd, env: {}, lenient: false })).toThrow(/large\.yaml: the file has \d+ bytes/);
    expect(() => loadConfig({ file: 'latin.yaml', cwd, env: {}, lenient: false })).toThrow('latin.yaml: is not UTF-8');
  });

  it('may be JSON', () => {
    expect(load('{"workers":[{"name":"iii-stream","config":{"port":4000}}]}').stream?.port).toBe(4000);
  });
});

describe('the text', () => {
  it.each([
    ['a key given twice', 'port: 1\nworkers: []\nport: 2\n', 3],
    ['a list that is not closed', 'workers: []\nx: [1\ny: 2', 3],
    ['two documents', 'workers: []\n---\nworkers: []\n', 2],
  ])('is refused for %s, with its line', (_fault, text, line) => {
    const [problem] = problemsOf(text);
    expect(problem).toMatchObject({ file: 'iii-config.yaml', line, message: expect.stringContaining('not valid YAML') });
  });

  it('is refused when aliases blow it up', () => {
    const levels = Array.from({ length: 8 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(', ')}]`);
    expect(problemsOf(`l0: &l0 [1]\n${levels.join('\n')}\n`)[0]?.message).toContain('alias');
  });

  it.each(['just text', '[1, 2]', '42'])('is refused when it is no mapping: %s', (text) => {
    expect(problemsOf(text)[0]?.message).toContain('is not a configuration');
  });

  it.each(['', '# nothing', 'workers:', 'workers: []', 'modules: null'])('CF-9 lists nothing: the worker port only, for %j', (text) => {
    const config = load(text);
    expect([config.stream, config.state, config.pubsub]).toEqual([undefined, undefined, false]);
    expect(config.workerManagers).toEqual([expect.objectContaining({ port: 49134, host: '127.0.0.1' })]);
  });
});

describe('CF-8 directories', () => {
  it('take a name that ends in .db as a directory', () => {
    const text =
      'workers: [{ name: iii-stream, config: { adapter: { name: kv, config: { store_method: file_based, file_path: ./kv.db } } } }]';
    const cwd = directoryWith({ 'config.yaml': text });
    const config = loadConfig({ cwd, env: {}, lenient: false });
    expect(config.stream?.adapter).toMatchObject({ kind: 'lmdb', path: join(cwd, 'kv.db') });
    expect(inspectStoreDirectories(config)).toEqual([]);
  });

  it('with files of another engine give a warning and stay as they are', () => {
    const cwd = directoryWith({ 'data/streams/chat.bin': 'theirs', 'data/streams/data.mdb': 'ours' });
    const config = loadConfig({ cwd, env: {}, lenient: false });
    expect(inspectStoreDirectories(config)).toEqual([
      { code: 'foreign_files', message: expect.stringMatching(/1 \*\.bin file.*chat\.bin.*left untouched/) },
    ]);
  });

  it('that are files stop the start', () => {
    const config = loadConfig({ cwd: directoryWith({ 'data/streams': 'a file' }), env: {}, lenient: false });
    expect(() => inspectStoreDirectories(config)).toThrow(ConfigError);
    expect(() => inspectStoreDirectories(config)).toThrow(/data\/streams is a file/);
  });

  it('of state are checked like those of streams', () => {
    const cwd = directoryWith({ 'data/state': 'a file' });
    expect(() => inspectStoreDirectories(loadConfig({ cwd, env: {}, lenient: false }))).toThrow(
      /rivulet-state file_path.*data\/state is a file/,
    );
    const other = directoryWith({ 'data/state/orders.bin': 'theirs', 'data/streams/chat.bin': 'theirs' });
    const warnings = inspectStoreDirectories(loadConfig({ cwd: other, env: {}, lenient: false }));
    expect(warnings.map(({ message }) => /orders\.bin|chat\.bin/.exec(message)?.[0])).toEqual(['chat.bin', 'orders.bin']);
  });

  it('that are one by a link are refused, too', () => {
    const cwd = directoryWith({ 'data/streams/data.mdb': 'ours' });
    symlinkSync(join(cwd, 'data/streams'), join(cwd, 'data/state'));
    const config = loadConfig({ cwd, env: {}, lenient: false });
    expect(() => inspectStoreDirectories(config)).toThrow(
      /rivulet-state file_path.*data\/state is .*data\/streams, the directory of rivulet-stream; give/,
    );
  });
});
