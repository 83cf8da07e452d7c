import { describe, expect, it } from 'vitest';
import { ENGINE_VERSION } from '../../src/config/engine-version.js';
import { expandEnvironment } from '../../src/config/expand-environment.js';
import { load, problemsOf } from '../config-files.js';

const expand = (text: string, env: Readonly<Record<string, string | undefined>> = {}) => expandEnvironment(text, env, '9.8.7');

describe('CF-4 environment expansion', () => {
  it.each<[string, string, Record<string, string>, string]>([
    ['takes the default of an unset variable', '${P:3112}', {}, '3112'],
    ['takes the value of a set variable', '${P:3112}', { P: '4000' }, '4000'],
    ['takes the empty value of a set variable', 'a${P:3112}b', { P: '' }, 'ab'],
    ['ends the name at the first colon', '${U:http://localhost:4317}', {}, 'http://localhost:4317'],
    ['takes an empty default', 'a${V:}b', {}, 'ab'],
    ["doesn't know the dash of shells", '${V:-x}', {}, '-x'],
    ['puts the engine version in', '${V:__III_ENGINE_VERSION__}', {}, '9.8.7'],
    ['ends a default at the first brace', '${A:${B:1}}', {}, '${B:1}'],
    ['leaves other dollars', '$NAME $$ ${} ${:x} ${OPEN', { NAME: 'n' }, '$NAME $$ ${} ${:x} ${OPEN'],
    ['expands several in one line', '${A}-${B:2}-${A}', { A: '1' }, '1-2-1'],
    ["doesn't expand what it put in", '${A}', { A: '${B}', B: 'no' }, '${B}'],
    ['leaves comments', 'a: 1 # ${UNSET}\n# ${UNSET}\n', {}, 'a: 1 # ${UNSET}\n# ${UNSET}\n'],
    [
      'expands beside a # that starts no comment',
      'a: "x # ${A}"\nb: x#${A}\nc: |\n  # ${A}\n',
      { A: '1' },
      'a: "x # 1"\nb: x#1\nc: |\n  # 1\n',
    ],
  ])('%s', (_rule, text, env, expected) => {
    const { text: expanded, problems } = expand(text, env);
    expect({ expanded, problems }).toEqual({ expanded, problems: [] });
    expect(expanded).toBe(expected);
  });

  it('names an unset variable without a default', () => {
    const { problems } = expand('a: ${MISSING}');
    expect(problems).toEqual([{ variable: 'MISSING', offset: 3, message: expect.stringContaining('MISSING is not set') }]);
  });

  it('does not take what every object has for a variable', () => {
    expect(expand('a: ${constructor}').problems).toHaveLength(1);
    expect(expand('a: ${toString:x}').text).toBe('a: x');
  });

  it.each(['a\nport: 1', 'a\rb'])('refuses a value with a line break', (value) => {
    const [problem] = expand('a: ${A}', { A: value }).problems;
    expect(problem?.message).toContain('environment variable A has a line break');
    expect(problem?.message).not.toContain('port');
  });

  it('tells places of the text before expansion', () => {
    const text = 'a: ${A:12345678901234567890} z: ${B} end';
    const expanded = expand(text, { A: '1', B: 'a long value indeed' });
    for (const word of ['a:', 'z:', 'end']) expect(expanded.sourceOffset(expanded.text.indexOf(word))).toBe(text.indexOf(word));
    expect(expanded.sourceOffset(expanded.text.indexOf('long'))).toBe(text.indexOf('${B}'));
  });

  it('gives YAML numbers', () => {
    const text = 'workers:\n  - name: iii-worker-manager\n    config: { port: ${P:3112} }';
    expect(load(text).workerManagers[0]?.port).toBe(3112);
    expect(load(text, { env: { P: '4000' } }).workerManagers[0]?.port).toBe(4000);
    expect(problemsOf(text.replace('${P:3112}', '"${P:3112}"'))[0]?.message).toContain('write it without quotes');
  });

  it('gives the version of the engine as the default', () => {
    expect(problemsOf('workers: ${V:__III_ENGINE_VERSION__}')[0]?.message).toContain(ENGINE_VERSION);
  });
});

describe('CF-5 an unset variable without default', () => {
  it('stops the load, with its place and every other one', () => {
    expect(problemsOf('port: 1\nworkers: # ${FINE}\n  - name: ${FIRST}\n  - name: x${SECOND}\n')).toEqual([
      expect.objectContaining({ file: 'iii-config.yaml', line: 3, column: 11, message: expect.stringContaining('FIRST') }),
      expect.objectContaining({ file: 'iii-config.yaml', line: 4, column: 12, message: expect.stringContaining('SECOND') }),
    ]);
  });

  it('is fine in a comment', () => {
    expect(load('# ${UNSET}\nworkers: [] # ${UNSET}').stream).toBeUndefined();
  });
});
