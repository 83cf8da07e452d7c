import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/cli/command/command.js';
import { EXIT_CODES } from '../../src/cli/command/exit-codes.js';
import { Progress } from '../../src/cli/command/progress.js';
import { readWords } from '../../src/cli/command/read-words.js';
import { COMMANDS } from '../../src/cli/commands.js';
import { ROOT } from '../config-files.js';

const DOCUMENT = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8');

/** Returns the rows of the table of docs/cli.md with this header. */
function rowsOf(header: string): readonly string[][] {
  const lines = DOCUMENT.split('\n');
  const start = lines.indexOf(header) + 2;
  const rest = lines.slice(start);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end < 0 ? rest.length : end).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

const COPY: Command = {
  name: 'copy',
  positionals: [
    { name: 'FROM', description: 'the file to copy' },
    { name: 'TO', description: 'the new file', optional: true },
  ],
  options: {
    force: { type: 'flag', short: 'f', description: 'replace' },
    json: { type: 'flag', description: 'print JSON' },
    mode: { type: 'value', value: 'MODE', description: 'the mode' },
    skip: { type: 'value', value: 'NAME', multiple: true, description: 'a name to skip' },
  },
  run: async () => 0,
};

const COPY_ROW = { name: 'copy', summary: 'copy a file', example: 'rivulet copy a b', group: 'Files:' };

/** Reads a command line of the command above. Returns what it printed beside the result. */
function read(words: readonly string[]) {
  const printed = { out: '', err: '' };
  const result = readWords(words, [COPY_ROW], COPY, { out: (text) => (printed.out += text), err: (text) => (printed.err += text) });
  return { ...printed, result };
}

function inputOf(...words: string[]) {
  const { result, err } = read(['copy', ...words]);
  if (result.kind === 'done') throw new Error(err);
  return result.input;
}

describe('the words of a command', () => {
  it('become positionals, flags and values', () => {
    const input = inputOf('a', '-f', '--mode', '1', '--mode=2', '--skip', 'x', '--skip', 'y', 'b');
    expect(input.words).toEqual(['a', 'b']);
    expect([input.flag('force'), input.value('mode'), input.values('skip')]).toEqual([true, '2', ['x', 'y']]);
    const bare = inputOf('--', '-a');
    expect([bare.words, bare.flag('force'), bare.value('mode'), bare.values('skip')]).toEqual([['-a'], false, undefined, []]);
    expect(inputOf('-').words).toEqual(['-']);
  });

  it.each<[string[], RegExp]>([
    [[], /^error: missing required argument 'FROM'\n/],
    [['a', 'b', 'c'], /^error: too many arguments for 'copy'\. Expected 2 arguments but got 3/],
    [['a', '--modes', '1'], /^error: unknown option '--modes'\n\(Did you mean --mode\?\)\n/],
    [['a', '--zzzzzzzz'], /^error: unknown option '--zzzzzzzz'\n/],
    [['a', '-x'], /^error: unknown option '-x'\n/],
    [['a', '--mode'], /^error: option '--mode <MODE>' argument missing\n/],
    [['a', '--mode='], /^error: option '--mode <MODE>' argument '' is invalid\. It needs a value\.\n/],
    [['a', '--force=1'], /^error: unknown option '--force=1'\n/],
    [['a', '--constructor'], /^error: unknown option '--constructor'\n/],
  ])('%j are refused with a sentence', (words, sentence) => {
    const { result, out, err } = read(['copy', ...words]);
    expect({ result, out }).toEqual({ result: { kind: 'done', code: 64 }, out: '' });
    expect(err).toMatch(sentence);
    expect(err).toContain('Try "rivulet copy --help".');
  });

  it.each<[string[], string]>([
    [['--json'], "missing required argument 'FROM'"],
    [['a', '--json', '--zzzzzzzz'], "unknown option '--zzzzzzzz'"],
  ])('%j are refused with JSON', (words, message) => {
    const { result, out, err } = read(['copy', ...words]);
    expect({ result, err }).toEqual({ result: { kind: 'done', code: 64 }, err: '' });
    expect(JSON.parse(out)).toEqual({ ok: false, error: { code: 'INVALID_ARGUMENTS', message } });
    expect(read(['copy', '--zzzzzzzz', '--', '--json'])).toMatchObject({ out: '', err: expect.stringContaining('unknown option') });
  });

  it.each([[['copy', '-h']], [['copy', 'a', '--help']], [['help', 'copy']]])('%j print the help of the command', (words) => {
    const { result, out, err } = read(words);
    expect({ result, err }).toEqual({ result: { kind: 'done', code: 0 }, err: '' });
    expect(out).toMatch(/^Usage: rivulet copy \[options\] <FROM> \[TO\]\n\nCopy a file\.\n/);
    expect(out).toMatch(/\nExample: rivulet copy a b\n$/);
  });
});

describe('the table of commands', () => {
  it.each(COMMANDS.map((row) => [row.name, row] as const))('%s has a file, a summary, an example and a help', async (name, row) => {
    expect(row.example).toMatch(new RegExp(`^rivulet ${name}\\b`));
    expect(row.summary).not.toMatch(/^[A-Z]|\.$/);
    const command = await row.load();
    expect(command.name).toBe(name);
    let out = '';
    const result = readWords([name, '--help'], COMMANDS, command, { out: (text) => (out += text), err: () => {} });
    expect(result).toEqual({ kind: 'done', code: 0 });
    for (const option of Object.keys(command.options)) expect(out).toContain(` --${option}`);
    expect(out).toContain(`\nExample: ${row.example}\n`);
  });

  it('is the help of rivulet, with an example of each command', () => {
    let out = '';
    readWords(['--help'], COMMANDS, undefined, { out: (text) => (out += text), err: () => {} });
    for (const { name, summary, example } of COMMANDS) {
      expect(out).toMatch(new RegExp(`^  ${name} +${summary}$`, 'm'));
      expect(out).toContain(`\n  ${example}\n`);
    }
    for (const { meaning } of Object.values(EXIT_CODES)) expect(out).toContain(meaning);
  });

  it('is the one of docs/cli.md, with its exit codes', () => {
    expect(rowsOf('| Command | Effect |').map(([name]) => name)).toEqual(COMMANDS.map(({ name }) => `\`${name}\``));
    const codes = Object.values(EXIT_CODES).map(({ code, meaning }) => [String(code), meaning]);
    expect(rowsOf('| Exit code | Meaning |')).toEqual(codes);
  });
});

describe('progress', () => {
  function recorded(isTerminal: boolean) {
    const written: string[] = [];
    const time = { now: 0 };
    const context = { cwd: '/', env: {}, isTerminal, out: () => {}, err: (text: string) => written.push(text) };
    return { written, time, progress: new Progress(context, () => time.now) };
  }

  it('writes one line five times a second, and removes it', () => {
    const { written, time, progress } = recorded(true);
    for (const now of [0, 100, 199, 200]) {
      time.now = now;
      progress.report(() => `at ${now}`);
    }
    progress.end();
    progress.end();
    expect(written).toEqual(['\r\u001b[Kat 0', '\r\u001b[Kat 200', '\r\u001b[K']);
  });

  it('writes nothing when stderr is no terminal', () => {
    const { written, progress } = recorded(false);
    progress.report(() => 'at 0');
    progress.end();
    expect(written).toEqual([]);
  });
});
