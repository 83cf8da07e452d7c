import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { ConfigError } from '../../src/config/config-error.js';
import { BUILT_WORKERS } from '../../src/config/entry-names.js';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { NAMES } from '../../src/config/loading/known-names.js';
import { loadConfig } from '../../src/config/loading/load-config.js';
import { load, problemsOf, ROOT, warningCodes } from '../config-files.js';

const SAMPLE = readFileSync(join(ROOT, 'rivulet.yaml'), 'utf8');
const ORIGINAL = SAMPLE.replaceAll(/name: rivulet-(?!admin)/g, 'name: iii-');
const WITH_TWO_NAMES = BUILT_WORKERS.filter((name) => name !== 'rivulet-admin');
const iii = (name: string) => name.replace('rivulet-', 'iii-');

const namesIn = (text: string) => {
  const { workers } = describeConfig(load(text)) as { readonly workers: readonly { readonly name: string }[] };
  return workers.map(({ name }) => name);
};

describe('both names of an entry', () => {
  it('give the same configuration, but for the names that messages show', () => {
    const cwd = directoryWith({ 'ours.yaml': SAMPLE, 'theirs.yaml': ORIGINAL });
    const read = (file: string) => ({ ...loadConfig({ file, cwd, env: {}, lenient: false }), file: '' });
    const theirs = read('theirs.yaml');
    expect(theirs.nameStyle).toBe('iii');
    expect({ ...theirs, nameStyle: 'rivulet' }).toEqual(read('ours.yaml'));
  });

  it('are printed as the file has them', () => {
    expect([...new Set(namesIn(SAMPLE))].sort()).toEqual([...BUILT_WORKERS].sort());
    expect([...new Set(namesIn(ORIGINAL))].sort()).toEqual([...WITH_TWO_NAMES.map(iii), 'rivulet-admin'].sort());
    for (const entry of ['class: "modules::state::StateModule"', 'name: state', 'name: iii-state'])
      expect(namesIn(`workers: [{ ${entry} }]`)).toEqual(['iii-worker-manager', 'iii-state', 'iii-observability']);
    expect(namesIn('workers: [{ name: iii-state }, { name: rivulet-stream }]').filter((name) => name.startsWith('iii-'))).toEqual([]);
    const printed = describeConfig(load(ORIGINAL));
    expect(describeConfig(load(stringify(printed)))).toEqual(printed);
  });

  it.each(WITH_TWO_NAMES.filter((name) => name !== 'rivulet-worker-manager'))('%s twice, once by each name, is an error', (name) => {
    for (const [first, second] of [
      [name, iii(name)],
      [iii(name), name],
    ]) {
      for (const lenient of [false, true])
        expect(problemsOf(`workers: [{ name: ${first} }, { name: ${second} }]`, { lenient })).toEqual([
          expect.objectContaining({
            key: 'workers[1]',
            message: `${first} and ${second} are the same worker, listed twice; remove one of the entries`,
          }),
        ]);
    }
  });

  it('of the log are an error also beside an old class, which alone may stand beside one of them', () => {
    const log = '{ class: "modules::observability::LoggingModule" }';
    expect(problemsOf(`workers: [${log}, { name: rivulet-observability }]`)).toEqual([]);
    expect(problemsOf(`workers: [${log}, { name: rivulet-observability }, { name: iii-observability }]`)).toEqual([
      expect.objectContaining({ key: 'workers[2]' }),
    ]);
  });

  it('of the worker listener may stand in one file, each a listener', () => {
    const text = 'workers: [{ name: rivulet-worker-manager, config: { port: 1 } }, { name: iii-worker-manager, config: { port: 2 } }]';
    expect(load(text).workerManagers.map(({ port }) => port)).toEqual([1, 2]);
  });
});

describe('a misspelt name', () => {
  it.each([
    ['rivulet-steam', 'rivulet-stream'],
    ['iii-steam', 'iii-stream'],
    ['rivulet-work-manager', 'rivulet-worker-manager'],
    ['rivulet-observabilty', 'rivulet-observability'],
    ['iii-htp', 'iii-http'],
    ['rivulet_http', 'rivulet-http'],
    ['stream', 'rivulet-stream'],
    ['rivulet-queue', 'iii-queue'],
    ['iii-admin', 'rivulet-admin'],
  ])('%s is refused with %s as the remedy', (written, meant) => {
    expect(problemsOf(`workers: [{ name: ${written} }]`)[0]?.message).toBe(`unknown worker "${written}"; did you mean ${meant}?`);
  });

  it('that is like no name gets the list of all names, ours first', () => {
    const message = problemsOf('workers: [{ name: something }]')[0]?.message ?? '';
    expect(message).toBe(`unknown worker "something"; known: ${[...NAMES.keys()].join(', ')}`);
    expect([...NAMES.keys()].slice(0, BUILT_WORKERS.length)).toEqual(BUILT_WORKERS);
  });
});

describe('a message about a file', () => {
  const bothOf = (stream: string, state: string) =>
    `workers: [${[stream, state].map((name) => `{ name: ${name}, config: { adapter: { name: kv, config: { store_method: file_based, file_path: ./d } } } }`).join(', ')}]`;

  it.each([
    ['rivulet-stream', 'rivulet-state'],
    ['iii-stream', 'state'],
  ])('names the entries as the file does: %s and %s', (stream, state) => {
    expect(problemsOf(bothOf(stream, state))[0]?.message).toContain(`is the directory of ${stream} and of ${state}; give each`);
    const [open] = load(`workers: [{ name: ${stream}, config: { host: 0.0.0.0 } }]`).warnings.filter(
      ({ code }) => code === 'stream_without_auth',
    );
    expect(open?.message).toContain(`set auth or auth_function of ${stream}, or host: 127.0.0.1`);
  });

  it.each(['rivulet-worker-manager', 'iii-worker-manager'])('names %s, whose port wins over the one at the top', (name) => {
    expect(load(`port: 1\nworkers: [{ name: ${name}, config: { port: 2 } }]`).warnings[0]?.message).toContain(
      `as the ${name} entry says 2`,
    );
  });
});

describe('without --config', () => {
  const withPort = (port: number) => `workers: [{ name: rivulet-worker-manager, config: { port: ${port} } }]`;
  const FILES = { 'rivulet.yaml': withPort(1), 'iii-config.yaml': withPort(2), 'config.yaml': withPort(3) };
  const read = (files: Readonly<Record<string, string>>, file?: string) =>
    loadConfig({ cwd: directoryWith(files), env: {}, lenient: false, ...(file === undefined ? {} : { file }) });
  const { 'rivulet.yaml': ours, 'iii-config.yaml': theirs, 'config.yaml': common } = FILES;

  it('rivulet.yaml is read, else iii-config.yaml, else config.yaml', () => {
    const found = [FILES, { 'iii-config.yaml': theirs, 'config.yaml': common }, { 'config.yaml': common }].map((files) => read(files));
    expect(found.map(({ workerManagers }) => workerManagers[0]?.port)).toEqual([1, 2, 3]);
    expect(found.map(({ file = '' }) => file.split('/').at(-1))).toEqual(Object.keys(FILES));
  });

  it('a warning says that iii-config.yaml is not read', () => {
    expect(read({ 'rivulet.yaml': ours, 'iii-config.yaml': theirs }).warnings).toEqual([
      {
        code: 'config_file_not_read',
        message: 'iii-config.yaml is not read, because rivulet.yaml is read; remove one of the two, or name it with --config',
      },
    ]);
    const silent = [
      read(FILES, 'iii-config.yaml'),
      read({ 'rivulet.yaml': ours, 'config.yaml': common }),
      read({ 'iii-config.yaml': theirs }),
    ];
    expect(silent.flatMap(warningCodes)).toEqual([]);
  });

  const misnamed = ['rivulet.yml', 'rivulet.json', 'iii-config.yml', 'iii-config.json'];
  const shared = ['config.yml', 'config.json'];

  it.each([...misnamed, ...shared])('a warning says that %s is not read, and the defaults count', (name) => {
    const { file, warnings } = read({ [name]: ours });
    expect(file).toBeUndefined();
    const start = `${name} is not read, and the built-in defaults count; `;
    expect(warnings).toEqual([{ code: 'config_file_not_read', message: expect.stringContaining(start) }]);
    expect(read({ [name]: ours, 'rivulet.yaml': ours }).warnings).toEqual([]);
    expect(read({ [name]: ours, 'other.yaml': ours }, 'other.yaml').warnings).toEqual([]);
  });

  it.each(['iii-config.yaml', 'config.yaml'])('a warning says that a file with a wrong name is not read, because %s is', (right) => {
    for (const name of misnamed)
      expect(read({ [name]: ours, [right]: theirs }).warnings).toEqual([
        {
          code: 'config_file_not_read',
          message: `${name} is not read, because ${right} is read; call it rivulet.yaml, or name it with --config`,
        },
      ]);
    // Such a file may belong to another program.
    for (const name of shared) expect(read({ [name]: ours, [right]: theirs }).warnings).toEqual([]);
  });

  it('a rivulet.yaml that is wrong is not passed over', () => {
    const problems = () => read({ 'rivulet.yaml': 'workers: 1', 'iii-config.yaml': theirs });
    expect(problems).toThrow(
      expect.objectContaining<Partial<ConfigError>>({ message: expect.stringMatching(/^rivulet\.yaml:1:1 workers: /) }),
    );
  });
});

it('a JSON file may name its schema', () => {
  expect(load('{"$schema":"./config.schema.json","workers":[]}').warnings).toEqual([]);
});
