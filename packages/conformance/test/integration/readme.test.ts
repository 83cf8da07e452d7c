import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPage } from '@rivulet/testkit/browser';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const DEFAULT_WORKER = 'ws://127.0.0.1:49134';
const DEFAULT_STREAM = 'ws://127.0.0.1:3112';

/** The code blocks of README, pointed at the engine of the test. */
function snippets(workerUrl: string, streamUrl: string): string[] {
  const blocks = [...README.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = '']) => code);
  return blocks.map((code) => code.replace(DEFAULT_WORKER, workerUrl).replace(DEFAULT_STREAM, streamUrl));
}

/** Runs the code as a file of the clone would run. */
async function runInClone(code: string): Promise<{ exit: number | null; output: string }> {
  const env = { ...process.env, OTEL_ENABLED: 'false' };
  const child = spawn(process.execPath, ['--input-type=module'], { cwd: ROOT, env, stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  child.stdin.end(code);
  const [exit] = (await once(child, 'close')) as [number | null];
  return { exit, output };
}

test('README: the snippet in the page of the stream port and the worker in a file show something live', async () => {
  const { workerUrl, streamUrl } = await startTestEngine({ lmdb: true });
  const [watch = '', write = '', ...others] = snippets(workerUrl, streamUrl);
  expect(others).toEqual([]);
  const page = await openPage();
  // Chrome lets only pages of secure origins, such as one of this machine, connect to local addresses.
  await page.goto(streamUrl.replace('ws:', 'http:'));
  expect(await page.evaluate(() => isSecureContext)).toBe(true);
  const logged: unknown[] = [];
  page.on(
    'console',
    (message) =>
      void message
        .args()[0]
        ?.jsonValue()
        .then((value: unknown) => logged.push(value)),
  );
  await page.addScriptTag({ content: watch });
  await expect.poll(() => logged).toEqual([{ type: 'sync', data: [] }]);
  const first = await runInClone(write);
  expect(first.exit).toBe(0);
  expect(first.output).toContain("{ id: 'm1', text: 'hello' }");
  await expect.poll(() => logged[1]).toEqual({ type: 'create', data: { id: 'm1', text: 'hello' } });
  await runInClone(write);
  await expect.poll(() => logged[2]).toEqual({ type: 'update', data: { id: 'm1', text: 'hello' } });
});

test('README: all that a newcomer needs is within the first 40 lines', () => {
  const lines = README.split('\n');
  expect(
    lines
      .slice(0, 40)
      .join('\n')
      .match(/^```js$/gm),
  ).toHaveLength(2);
  expect(lines.slice(0, 40).join('\n')).toContain('npm start');
});

test('documents link to files that exist', () => {
  const documents = ['', 'docs', 'examples/chat', 'bench']
    .flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => join(folder, name)))
    .filter((name) => name.endsWith('.md'));
  const broken = documents.flatMap((document) =>
    [...readFileSync(join(ROOT, document), 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(ROOT, dirname(document), target)))
      .map((target) => `${document} -> ${target}`),
  );
  expect(broken).toEqual([]);
});
