import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeContract } from '@rivulet/conformance/store-contract';
import { registerWorker, stream } from '@rivulet/sdk';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../../set-up/workspace.mjs';

/** Returns the program of a README, as a user would copy it. packages/sdk/test/integration/docs.test.ts runs the one of the SDK. */
function programOf(name: string): string {
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'packages', name, 'README.md'), 'utf8')) ?? [];
  return code;
}

/** Runs a program in a project that has the packages of this repository. */
function run(files: Readonly<Record<string, string>>): ChildProcess & { readonly printed: () => string } {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-readme-'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const child = spawn(process.execPath, ['main.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  let printed = '';
  child.stdout.on('data', (text) => (printed += String(text)));
  return Object.assign(child, { printed: () => printed });
}

test('the program of the README of the engine starts one, and SIGTERM stops it', async () => {
  const names = ['rivulet-worker-manager', 'rivulet-stream', 'rivulet-http'];
  const config = JSON.stringify({ workers: names.map((name) => ({ name, config: { port: 0 } })) });
  const child = run({ 'main.mjs': programOf('engine'), 'rivulet.yaml': config });
  await expect
    .poll(() =>
      child
        .printed()
        .trim()
        .split('\n')
        .map((line) => line.replace(/\d+$/, 'PORT')),
    )
    .toEqual(['worker 127.0.0.1 PORT', 'stream 127.0.0.1 PORT', 'http 127.0.0.1 PORT']);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

test('the program of the README of the client shows the items of a group', async () => {
  const { streamUrl, workerUrl } = await startTestEngine();
  const worker = registerWorker(workerUrl);
  onTestFinished(() => worker.shutdown());
  await stream(worker).set('chat', 'room-1', 'm1', 'hello');
  const program = programOf('client').replace('ws://127.0.0.1:3112', streamUrl);
  const child = run({ 'main.mjs': `import { WebSocket } from 'ws';\nglobalThis.WebSocket ??= WebSocket;\n${program}` });
  await expect.poll(() => child.printed()).toContain("live [ 'hello' ]");
});

test('the program of the README of the protocol decodes a message and refuses a broken one', async () => {
  const child = run({ 'main.mjs': programOf('protocol') });
  await once(child, 'close');
  expect(child.printed()).toBe('join room-1\ndeserialization_error not JSON\n');
});

test('the program of the README of the conformance suite runs the contract of stores', async () => {
  const child = run({ 'main.mjs': programOf('conformance') });
  await once(child, 'close');
  expect(child.printed()).toBe(`${storeContract.filter(({ persistent }) => !persistent).length} clauses passed\n`);
});
