import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/cli/command/command.js';
import { EXIT_CODES } from '../../src/cli/command/exit-codes.js';
import { parseWords } from '../../src/cli/command/parse-words.js';
import { Progress } from '../../src/cli/command/progress.js';
import { usageOfCommand } from '../../src/cli/command/usage.js';
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
    mode: { type: 'value', value: 'MODE', description: 'the mode' },
    skip: { type: 'value', value: 'NAME', multiple: true, description: 'a name to skip' },
  },
  run: async () => 0,
};

function inputOf(...words: string[]) {
  const input = parseWords(COPY, words);
  if (typeof input === 'string') throw new Error(input);
  return input;
}

describe('the words of a command', () => {
  it('become positionals, flags and values', () => {
    const input = inputOf('a', '-f', '--mode', '1', '--mode=2', '--skip', 'x', '--skip', 'y', 'b');
    expect(input.words).toEqual(['a', 'b']);
    expect([input.flag('force'), input.value('mode'), input.values('skip')]).toEqual([true, '2', ['x', 'y']]);
    const bare = inputOf('--', '-a');
    expect([bare.words, bare.flag('force'), bare.value('mode'), bare.values('skip')]).toEqual([['-a'], false, undefined, []]);
  });

  it.each<[string[], RegExp]>([
    [[], /^FROM is missing: the file to copy$/],
    [['a', 'b', 'c'], /^"c" is one word too many/],
    [['a', '--modes', '1'], /^"copy" has no option --modes; did you mean --mode\?$/],
    [['a', '--zzzzzzzz'], /^"copy" has no option --zzzzzzzz; leave it out$/],
    [['a', '-x'], /^"copy" has no option -x/],
    [['a', '--mode'], /^option --mode needs a value: --mode MODE$/],
    [['a', '--mode='], /^option --mode needs a value/],
    [['a', '--force=1'], /^option --force takes no value; leave "1" out$/],
    [['a', '--constructor'], /^"copy" has no option --constructor/],
  ])('%j are refused with a sentence', (words, sentence) => {
    expect(parseWords(COPY, words)).toMatch(sentence);
  });
});

describe('the table of commands', () => {
  it.each(COMMANDS.map((row) => [row.name, row] as const))('%s has a file, a summary, an example and a usage text', (name, row) => {
    expect(row.example).toMatch(new RegExp(`^rivulet ${name}\\b`));
    expect(row.summary).not.toMatch(/^[A-Z]|\.$/);
    expect(usageOfCommand({ ...COPY, name }, row)).toContain(`Usage: rivulet ${name} FROM [TO] [options]\n`);
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
