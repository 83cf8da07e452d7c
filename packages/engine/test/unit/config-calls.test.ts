import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { describeConfig } from '../../src/config/loading/describe-config.js';
import { load, problemsOf, warningCodes } from '../config-files.js';

const stream = (config: string) => `workers:\n  - name: iii-stream\n    config: { ${config} }\n`;
const oldStream = (config: string) => `modules:\n  - class: modules::stream::StreamModule\n    config: { ${config} }\n`;
const messages = (text: string, lenient = false) => problemsOf(text, { lenient }).map(({ message }) => message);
const JWT = 'auth: { jwt: { algorithms: [HS256], secret: a-secret-of-the-tests-with-48-characters-in-it } }';

describe('expose_functions of iii-stream', () => {
  it.each([
    ['', undefined],
    ['expose_functions:', undefined],
    ['expose_functions: []', []],
    [`expose_functions: ['match("app::*")']`, [{ kind: 'match', pattern: 'app::*' }]],
    ['expose_functions: [{ match: app::x }]', [{ kind: 'match', pattern: 'app::x' }]],
    [
      'expose_functions: [{ metadata: { public: true, tier: \'match("pro*")\' } }]',
      [
        {
          kind: 'metadata',
          conditions: [
            { key: 'public', equals: true },
            { key: 'tier', pattern: 'pro*' },
          ],
        },
      ],
    ],
  ])('%s is read, and the printed configuration has it again', (config, rules) => {
    const read = load(stream(config));
    expect(read.stream?.exposeFunctions).toEqual(rules);
    expect(load(stringify(describeConfig(read))).stream?.exposeFunctions).toEqual(rules);
  });

  it('has the default of nothing', () => {
    expect(load('workers: [{ name: iii-stream }]').stream).toMatchObject({ middlewareFunction: undefined, callTimeoutMs: 30_000 });
    expect(load('workers: [{ name: iii-stream }]').stream).not.toHaveProperty('exposeFunctions');
  });

  it.each([
    ['expose_functions: app::x', 'a list of rules'],
    ['expose_functions: [app::x]', 'expected match("pattern")'],
    ['expose_functions: [{ match: app::x, namespace: shop }]', 'the namespace default only'],
    [`${JWT}, expose_functions: []`, 'an empty list exposes nothing'],
    ['expose_functions: [{ metadata: {} }]', 'would expose every function'],
  ])('%s is refused', (config, message) => {
    expect(messages(stream(config))).toEqual([expect.stringContaining(message)]);
  });

  it('that seems to expose functions of the engine is noted', () => {
    const { notes } = load(stream(`expose_functions: ['match("*")']`));
    expect(notes.map(({ code }) => code)).toContain('engine_names_hidden');
    expect(load(stream(`expose_functions: ['match("app::*")']`)).notes.map(({ code }) => code)).not.toContain('engine_names_hidden');
  });

  it('is part of the warning of an open port', () => {
    const open = (config: string) => load(stream(`host: 0.0.0.0${config}`)).warnings.find(({ code }) => code === 'stream_without_auth');
    expect(open('')?.message).not.toContain('expose_functions');
    expect(open(`, expose_functions: ['match("app::*")']`)?.message).toContain('and call what expose_functions names');
  });
});

describe('middleware_function_id of iii-stream', () => {
  it('without expose_functions gets no call, which is a warning', () => {
    expect(warningCodes(load(stream('middleware_function_id: app::mw')))).toContain('value_ignored');
    const read = load(stream('middleware_function_id: app::mw, expose_functions: []'));
    expect([read.stream?.middlewareFunction, warningCodes(read).includes('value_ignored')]).toEqual(['app::mw', false]);
  });

  it('with a name that is nearly right never lets calls pass without it, in no format', () => {
    const near = `middleware_function: app::mw, expose_functions: []`;
    for (const text of [stream(near), oldStream(near)]) {
      expect(messages(text, true)).toEqual([expect.stringContaining('did you mean "middleware_function_id"?')]);
      expect(messages(text).length).toBeGreaterThan(0);
    }
    expect(messages(oldStream('middleware_function: app::mw'), true)).toEqual([]);
  });
});
