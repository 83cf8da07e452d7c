import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CliProcess, run } from '@rivulet/testkit/engines/cli-process';
import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { load, problemsOf } from '../config-files.js';

const workers = (adapter: string, owner = 'iii-stream', config = 'host: 127.0.0.1, port: 0, ') =>
  `workers:\n  - { name: iii-worker-manager, config: { host: 127.0.0.1, port: 0 } }\n  - name: ${owner}\n    config: { ${config}adapter: ${adapter} }\n`;

/** A store that returns nothing from any call. An engine can start with it. */
const IDLE_STORE = `({
  start: async () => {}, apply: async () => {}, get: async () => {}, snapshot: async () => {}, changes: async () => {},
  groups: async () => [], streams: async () => [], watch: async () => {}, unwatch() {}, close: async () => { process.stderr.write('closed\\n'); },
})`;

describe('an adapter that is a file', () => {
  it.each(['iii-stream', 'iii-state'] as const)('of %s is read with its config, its path relative to the working directory', (owner) => {
    const text = workers('{ module: ./kept/my.mjs, config: { table: ${TABLE:items}, deep: { n: [1] } } }', owner, '');
    const cwd = directoryWith({ 'iii-config.yaml': text });
    const config = loadConfig({ cwd, env: {}, lenient: false });
    expect((owner === 'iii-stream' ? config.stream : config.state)?.adapter).toEqual({
      kind: 'module',
      path: join(cwd, 'kept/my.mjs'),
      config: { table: 'items', deep: { n: [1] } },
    });
    expect(config.warnings).toEqual([]);
    const again = load(JSON.stringify(describeConfig(config)));
    expect([again.stream?.adapter, again.state?.adapter]).toEqual([config.stream?.adapter, config.state?.adapter]);
  });

  it.each(['', ', config: null'])('has an empty config without one%s', (config) => {
    expect(load(workers(`{ module: /srv/my.mjs${config} }`)).stream?.adapter).toEqual({ kind: 'module', path: '/srv/my.mjs', config: {} });
  });

  it.each([
    ['{ module: ./my.mjs, name: kv }', 'name', 'a name or a module, not both'],
    ['{ module: ./my.mjs, class: x }', 'class', 'a class or a module, not both'],
    ['{ module: ./my.mjs, confg: {} }', 'confg', 'did you mean "config"'],
    ['{ module: 7 }', 'module', 'expected the path of a JavaScript file'],
    ['{ module: "" }', 'module', 'expected the path of a JavaScript file'],
    ['{ module: null }', 'module', 'expected the path of a JavaScript file'],
    ['{ module: ./my.mjs, config: [1] }', 'config', 'expected a mapping'],
  ])('refuses %s', (adapter, key, reason) => {
    expect(problemsOf(workers(adapter))).toEqual([
      expect.objectContaining({ line: 4, key: `workers[1].config.adapter.${key}`, message: expect.stringContaining(reason) }),
    ]);
  });

  it('is for streams and state only', () => {
    const [problem] = problemsOf('workers: [{ name: iii-pubsub, config: { adapter: { module: ./my.mjs } } }]');
    expect(problem).toMatchObject({ key: 'workers[0].config.adapter.module', message: expect.stringContaining('unknown key') });
  });
});

describe('the start with an adapter that is a file', () => {
  it.each(['start', 'check-config'])('%s: a file that is not there is exit 78, before anything is opened', async (command) => {
    const both = `${workers('{ module: ./absent.mjs }')}  - { name: iii-state, config: { adapter: { module: ./folder } } }\n`;
    const cwd = directoryWith({ 'iii-config.yaml': both, 'folder/other.mjs': '' });
    const { code, stdout, stderr } = await run([command], cwd);
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toContain(`iii-stream adapter.module: ${cwd}/absent.mjs is no file that can be read; give the path`);
    expect(stderr).toContain(`iii-state adapter.module: ${cwd}/folder is no file that can be read`);
  });

  it('check-config looks for the file and runs none of it', async () => {
    const cwd = directoryWith({ 'iii-config.yaml': workers('{ module: ./my.mjs }'), 'my.mjs': 'throw new Error("ran")' });
    chmodSync(join(cwd, 'my.mjs'), 0o400);
    expect(await run(['check-config'], cwd)).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['a file that is no JavaScript', 'export const = 1', 'import failed: '],
    ['a file that throws', 'throw new Error("no driver")', 'import failed: no driver'],
    [
      'a file that exports something else',
      'export const createstore = () => {}',
      'exports no function createStore; export it by that name',
    ],
    [
      'a factory that throws',
      'export function createStore({ config }) { throw new Error("no table " + config.table) }',
      'createStore failed: no table t1',
    ],
    ['a factory that rejects', 'export default async () => { throw "away" }', 'createStore failed: away'],
    [
      'a factory that answers nothing',
      'export const createStore = () => undefined',
      'the store that createStore returned lacks start, apply, get, snapshot, changes, groups, streams, watch, unwatch, close;',
    ],
    [
      'a store without some methods',
      `export const createStore = () => ({ ...${IDLE_STORE}, watch: undefined, close: 1 })`,
      'the store that createStore returned lacks watch, close; it must have every method',
    ],
    [
      'a store that does not start',
      `export const createStore = () => ({ ...${IDLE_STORE}, start: async () => { throw new Error("locked") } })`,
      'start failed: locked',
    ],
  ])('names the file of %s, and what to do: exit 1', async (_fault, source, reason) => {
    const cwd = directoryWith({ 'iii-config.yaml': workers('{ module: ./my.mjs, config: { table: t1 } }'), 'my.mjs': source });
    const { code, stdout, stderr } = await run(['start'], cwd);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`error start_failed reason="adapter ${cwd}/my.mjs: ${reason}`);
    expect(stderr).not.toContain('uncaught');
  });

  it('closes the store of streams when that of state cannot be made', async () => {
    const text = `${workers('{ module: ./my.mjs }')}  - { name: iii-state, config: { adapter: { module: ./broken.mjs } } }\n`;
    const files = { 'my.mjs': `export const createStore = () => ${IDLE_STORE}`, 'broken.mjs': 'export default () => null' };
    const { code, stderr } = await run(['start'], directoryWith({ 'iii-config.yaml': text, ...files }));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^closed\n(.*\n)*.* error start_failed reason="adapter \S+broken\.mjs: the store that createStore returned lacks/m,
    );
  });

  it.each([
    ['a module of CommonJS', 'my.cjs', `module.exports.createStore = () => ${IDLE_STORE}`],
    ['a default export', 'my.mjs', `export default async () => ${IDLE_STORE}`],
  ])('runs on %s, and closes its store when it stops', async (_form, name, source) => {
    const engine = new CliProcess(['start'], directoryWith({ 'iii-config.yaml': workers(`{ module: ${name} }`), [name]: source }));
    await engine.ready();
    engine.signal('SIGTERM');
    expect(await engine.finished).toMatchObject({ code: 0, stderr: expect.stringMatching(/^closed$/m) });
  });
});
