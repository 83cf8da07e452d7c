import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { create } from '../../src/create.js';
import { tarballOf } from '../../src/manifest.js';
import type { Ask } from '../../src/questions.js';
import { OUR_PACKAGES, OUR_VERSION, type OurPackage } from '../../src/versions.js';

const COMMAND = fileURLToPath(new URL('../../bin/create-rivulet.js', import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rivulet-create-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command in this process. `answers` stand for a terminal. */
async function run(args: readonly string[], answers?: readonly string[]) {
  const output = { code: 0, out: '', err: '', questions: [] as string[] };
  const left = [...(answers ?? [])];
  const ask: Ask = async (question, byDefault) => {
    output.questions.push(question.split('\n').at(-1) ?? '');
    return left.shift() || byDefault;
  };
  output.code = await create(args, {
    cwd: folder,
    out: (text) => (output.out += text),
    err: (text) => (output.err += text),
    withTerminal: answers === undefined ? undefined : (use) => use(ask),
  });
  return output;
}

const read = (path: string) => readFileSync(join(folder, path), 'utf8');

it('makes a project, and says what comes next', async () => {
  const made = await run(['first', '--template', 'worker', '--yes']);
  expect(made).toMatchObject({ code: 0, err: '' });
  expect(made.out).toContain('Next:\n  cd first\n  npm install\n');
  expect((await run(['My First', '-y'])).out).toContain('  cd "My First"\n');
  expect(JSON.parse(read('first/package.json'))).toMatchObject({ name: 'first', dependencies: { '@rivulet/sdk': OUR_VERSION } });
  expect(read('first/README.md')).toMatch(/^# first\n/);
  expect(read('first/.gitignore')).toContain('node_modules/');
  expect(existsSync(join(folder, 'first/gitignore'))).toBe(false);
});

it('asks on a terminal for what is missing, and takes the default for an empty answer', async () => {
  const asked = await run([], ['second', 'page']);
  expect(asked).toMatchObject({ code: 0, questions: ['Directory of the project', 'Template'] });
  expect(existsSync(join(folder, 'second/page/main.ts'))).toBe(true);
  expect(await run(['third'], [''])).toMatchObject({ code: 0, questions: ['Template'] });
  expect(existsSync(join(folder, 'third/page/App.tsx'))).toBe(true);
  expect(await run(['fourth', '--yes'], [])).toMatchObject({ code: 0, questions: [] });
});

it('refuses a directory with files, and a file, and changes nothing there', async () => {
  mkdirSync(join(folder, 'full'));
  writeFileSync(join(folder, 'full/notes.txt'), 'mine');
  expect(await run(['full', '-y'])).toMatchObject({ code: 1, err: expect.stringMatching(/full is not empty; .+ \(NOT_EMPTY\)\n$/) });
  expect(await run(['full/notes.txt', '-y'])).toMatchObject({ code: 1, err: expect.stringContaining('(NOT_EMPTY)') });
  expect(read('full/notes.txt')).toBe('mine');
  mkdirSync(join(folder, 'cloned/.git'), { recursive: true });
  expect(await run(['cloned', '-y'])).toMatchObject({ code: 0 });
});

it('reports a directory that can not be written', async () => {
  expect(await run(['full/notes.txt/app', '-y'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/ \((?:NOT_EMPTY|WRITE_FAILED)\)\n$/),
  });
});

it('takes the dependencies from a folder of packed packages, with all that they need', async () => {
  const packages = join(folder, 'packed');
  mkdirSync(packages);
  const args = ['packed-app', '-t', 'page', '--packages', 'packed', '-y'];
  expect(await run(args)).toMatchObject({ code: 1, err: expect.stringContaining('(PACKAGE_NOT_FOUND)') });
  expect(existsSync(join(folder, 'packed-app'))).toBe(false);

  for (const name of Object.keys(OUR_PACKAGES)) writeFileSync(join(packages, tarballOf(name as OurPackage)), '');
  expect(await run(args)).toMatchObject({ code: 0, err: '' });
  const { dependencies, devDependencies } = JSON.parse(read('packed-app/package.json')) as Record<string, Record<string, string>>;
  const files = Object.entries({ ...dependencies, ...devDependencies }).filter(([name]) => name in OUR_PACKAGES);
  const expected = Object.keys(OUR_PACKAGES).map((name) => [name, `file:${join(packages, tarballOf(name as OurPackage))}`]);
  expect(Object.fromEntries(files)).toEqual(Object.fromEntries(expected));
  expect(dependencies).toHaveProperty('@rivulet/protocol');
});

it('runs as a command: help, a mistake, and no directory without a terminal', async () => {
  const command = (...args: string[]) =>
    new Promise<unknown>((resolve) => {
      execFile(process.execPath, [COMMAND, ...args], { cwd: folder }, (error, out, err) => resolve({ code: error?.code ?? 0, out, err }));
    });
  const [help, mistake, missing] = await Promise.all([command('--help'), command('x', '--template', 'y'), command()]);
  expect(help).toMatchObject({ code: 0, out: expect.stringContaining('create-rivulet DIR'), err: '' });
  expect(mistake).toMatchObject({ code: 64, out: '', err: expect.stringContaining('(UNKNOWN_TEMPLATE)') });
  expect(missing).toEqual({ code: 64, out: '', err: 'error: name the directory: create-rivulet DIR (DIRECTORY_MISSING)\n' });
});
