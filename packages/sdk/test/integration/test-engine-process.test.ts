import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { TEST_ENGINE_ERROR_CODES } from '../../src/testing/errors.js';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8');
const PROGRAMS = [...PAGE.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = '']) => code);

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Makes a project of a user. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-kit-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function withPackages(folder: string): string {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Runs Node until it ends by itself. A process that handles keep alive never does. */
function node(cwd: string, args: readonly string[]): Promise<{ readonly code: unknown; readonly output: string }> {
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, VITEST: ___, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [...args], { cwd, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, output: stdout + stderr });
    });
  });
}

test.concurrent('a process ends by itself after `stop`, with no timer or handle, and also when a test forgot it', async () => {
  const script = `
    import { registerWorker } from '@rivulet/sdk';
    import { startTestEngine } from '@rivulet/sdk/testing';
    const rivulet = await startTestEngine();
    const worker = registerWorker(rivulet.workerUrl);
    await worker.listWorkers();
    await worker.shutdown();
    await rivulet.stop();
    await new Promise(setImmediate);
    console.log(JSON.stringify(process.getActiveResourcesInfo().filter((name) => !/^(TTY|Pipe)Wrap$/.test(name))));
    await startTestEngine();
  `;
  const folder = withPackages(project({ 'main.mjs': script }));
  expect(await node(folder, ['main.mjs'])).toEqual({ code: 0, output: '[]\n' });
});

test.concurrent('the first program of docs/testing.md passes with node:test, as a module and as CommonJS', async () => {
  const [program = ''] = PROGRAMS;
  const required = program.replace(/^import (.+) from ('.+');$/gm, 'const $1 = require($2);');
  const folder = withPackages(project({ 'a.test.mjs': program, 'b.test.cjs': required }));
  const { code, output } = await node(folder, ['--test', 'a.test.mjs', 'b.test.cjs']);
  expect(output).toContain('# pass 2');
  expect(code).toBe(0);
});

test.concurrent('the second program of docs/testing.md passes with vitest', async () => {
  const folder = withPackages(project({ 'page.test.js': PROGRAMS[1] ?? '', 'package.json': '{"type":"module"}' }));
  const { code, output } = await node(folder, [join(folder, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, '--reporter=json']);
  expect(output).toContain('"numPassedTests":1');
  expect(code).toBe(0);
});

test.concurrent('the program of docs/testing.md with a token passes, with functions of another file', async () => {
  const [, , program = '', functions = ''] = PROGRAMS;
  const files = { 'token.test.js': program, 'functions.js': functions, 'package.json': '{"type":"module"}' };
  const { code, output } = await node(withPackages(project(files)), ['--test', 'token.test.js']);
  expect(output).toContain('# pass 1');
  expect(code).toBe(0);
});

test.concurrent('without the package of the engine, the error says how to install it', async () => {
  const script = `
    import { startTestEngine } from '@rivulet/sdk/testing';
    await startTestEngine().catch(({ code, message }) => console.log(code + ': ' + message));
  `;
  const folder = project({ 'main.mjs': script });
  const installed = join(folder, 'node_modules/@rivulet/sdk');
  mkdirSync(join(installed, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'packages/sdk/package.json'), join(installed, 'package.json'));
  for (const name of ['testing.js', 'testing'])
    cpSync(join(ROOT, 'packages/sdk/dist', name), join(installed, 'dist', name), { recursive: true });
  expect((await node(folder, ['main.mjs'])).output).toBe(
    'ENGINE_NOT_INSTALLED: @rivulet/sdk/testing runs the package @rivulet/engine, which is not installed; ' +
      'run `npm install --save-dev @rivulet/engine`\n',
  );
});

test('docs/testing.md has one row for every error of the kit, and no other row', () => {
  const table = PAGE.split('| Code | When, and what to do |')[1] ?? '';
  const rows = [...table.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, code, text]) => [code, text]);
  expect(rows).toEqual(Object.entries(TEST_ENGINE_ERROR_CODES));
});
