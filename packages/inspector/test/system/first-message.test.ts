import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openPage } from '@rivulet/testkit/browser';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** Runs the script of `npm start` in the clone, with free ports. Resolves with the addresses in its line. */
async function npmStart(): Promise<{ readonly worker: string; readonly admin: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-first-'));
  const listeners = ['rivulet-worker-manager', 'rivulet-stream', 'rivulet-http', 'rivulet-admin'];
  const config = join(directory, 'rivulet.yaml');
  const entries = listeners.map((name) => `  - name: ${name}\n    config: { port: 0, host: 127.0.0.1 }\n`);
  await writeFile(config, `workers:\n${entries.join('')}`);
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { readonly scripts: { readonly start: string } };
  // npm would add a process between the test and the engine.
  const [node, ...script] = scripts.start.split(' ');
  expect(node).toBe('node');
  const child = spawn(process.execPath, [...script, '--config', config], { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(async () => {
    if (child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, worker, admin] = /^ready .*?worker=(\S+).*?admin=(\S+)/.exec(line) ?? [];
    if (worker !== undefined && admin !== undefined) return { worker, admin };
  }
  throw new Error('npm start ended without a line "ready"');
}

test('README: from npm start to my own message in the inspector, with nothing but its words', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const [, write = ''] = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
  const [, steps = ''] = /[Oo]pen <http:\/\/127\.0\.0\.1:3113> and click ((?:\*\*[^*]+\*\*,?\s+)*\*\*[^*]+\*\*)/.exec(readme) ?? [];
  const clicks = [...steps.matchAll(/\*\*([^*]+)\*\*/g)].map(([, name = '']) => name);
  expect(clicks).toEqual(['Streams', 'chat', 'room-1']);
  const { worker, admin } = await npmStart();
  const program = spawn(process.execPath, ['--input-type=module'], { cwd: ROOT, stdio: ['pipe', 'ignore', 'inherit'] });
  program.stdin.end(write.replace('ws://127.0.0.1:49134', worker));
  expect(await once(program, 'exit')).toEqual([0, null]);
  const page = await openPage();
  await page.goto(admin);
  for (const name of clicks) await page.getByRole('link', { name, exact: true }).click();
  await page.locator('#main').getByText('hello').first().waitFor();
});
