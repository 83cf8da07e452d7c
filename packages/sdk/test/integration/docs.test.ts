import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, onTestFinished, test, vi } from 'vitest';
import { InvocationError, SDK_ERROR_CODES, stream } from '../../src/index.js';
import { connectWorker } from '../connect-worker.js';

/** Without it, vitest waits for one second only. */
const PATIENT = { timeout: 120_000 };

const read = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));

/** Returns the first program of a page, as a reader would copy it. The test runs it with the built package. */
function firstProgram(page: string): string {
  const [, code] = /```js\n([\s\S]*?)```/.exec(read(page)) ?? [];
  if (code === undefined) throw new Error(`${page} has no program`);
  return code;
}

test('docs/sdk.md has one row for every code of the SDK, in order, and no other row', () => {
  const table = read('../../../../docs/sdk.md').split('| Code | When, and what to do |')[1]?.split('\n\n')[0] ?? '';
  const rows = [...table.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, code, text]) => [code, text]);
  expect(rows).toEqual(Object.entries(SDK_ERROR_CODES));
});

test('docs/errors.md has an entry for every code of the SDK, where `docs` of an error leads', () => {
  const page = read('../../../../docs/errors.md');
  expect(Object.keys(SDK_ERROR_CODES).filter((code) => !page.includes(`<a id="${code}"></a>`))).toEqual([]);
  expect(new InvocationError({ code: 'QUEUE_FULL', message: 'x' }).docs).toBe('docs/errors.md#QUEUE_FULL');
});

test.each([
  ['../../../../docs/sdk.md', 'changed: create\nchanged: create\n'],
  ['../../README.md', "{ message: 'Hello, world!' }\n"],
])('the program of %s runs and prints what it says', async (page, output) => {
  const { workerUrl } = await startTestEngine();
  const program = firstProgram(page).replace('ws://localhost:49134', workerUrl);
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: PACKAGE,
    env: { ...process.env, III_URL: workerUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let printed = '';
  for await (const part of child.stdout) {
    printed += String(part);
    if (printed.length >= output.length) break;
  }
  expect(printed).toBe(output);
});

test('the program of docs/http.md posts a message, and streams events until the client leaves', async () => {
  const { workerUrl, httpUrl } = await startTestEngine({ http: {} });
  const program = firstProgram('../../../../docs/http.md').replace('ws://localhost:49134', workerUrl);
  // The program also prints the result of a write after the end of the handler.
  const late = "setTimeout(() => console.log('late write:', typeof response.stream.write('x')), 0);\n  console.log('the client left');";
  const child = spawn(process.execPath, ['--input-type=module', '-e', program.replace("console.log('the client left');", late)], {
    cwd: PACKAGE,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const watcher = connectWorker(workerUrl);
  await new Promise<void>((resolve) => {
    watcher.onFunctionsAvailable((functions) => functions.some(({ function_id }) => function_id === 'rooms::clock') && resolve());
  });
  const posting = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const posted = await vi.waitFor(async () => {
    const response = await fetch(`${httpUrl}/rooms/r1/messages`, { ...posting, body: '{"id":"m1","text":"hello"}' });
    expect(response.status).toBe(201);
    return response.json();
  }, PATIENT);
  expect(posted).toEqual({ id: 'm1', text: 'hello' });
  expect(await stream(watcher).get('chat', 'r1', 'm1')).toEqual(posted);
  expect((await fetch(`${httpUrl}/rooms/r1/messages`, { ...posting, body: '{}' })).status).toBe(400);
  const leaving = new AbortController();
  const events = await vi.waitFor(async () => {
    const response = await fetch(`${httpUrl}/rooms/r1/clock`, { signal: leaving.signal });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    return response;
  }, PATIENT);
  const { value } = (await events.body?.getReader().read()) ?? {};
  expect(new TextDecoder().decode(value)).toMatch(/^data: r1 \d+\n\n/);
  leaving.abort();
  const expected = 'lost: CHANNEL_LOST\nthe client left\nlate write: boolean\n';
  let printed = '';
  for await (const part of child.stdout) {
    printed += String(part);
    if (printed.length >= expected.length) break;
  }
  expect(printed).toBe(expected);
});

test('the program of docs/adapters.md serves its stream', async () => {
  const { workerUrl } = await startTestEngine();
  const program = firstProgram('../../../../docs/adapters.md').replace('ws://localhost:49134', workerUrl);
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: PACKAGE, stdio: ['ignore', 'ignore', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const watcher = connectWorker(workerUrl);
  await new Promise<void>((resolve) => {
    watcher.onFunctionsAvailable(
      (functions) => functions.some(({ function_id }) => function_id === 'stream::list_groups(presence)') && resolve(),
    );
  });
  const presence = stream(watcher);
  expect(await presence.set('presence', 'r1', 'ann', { here: true })).toEqual({ old_value: null, new_value: { here: true } });
  expect(await presence.set('presence', 'r1', 'ann', { here: false })).toEqual({ old_value: { here: true }, new_value: { here: false } });
  const again = { stream_name: 'presence', group_id: 'r1' };
  expect(await watcher.trigger({ function_id: 'stream::list(presence)', payload: again })).toEqual([{ here: false }]);
  expect(await presence.listGroups('presence')).toEqual(['r1']);
  await presence.delete('presence', 'r1', 'ann');
  expect(await presence.get('presence', 'r1', 'ann')).toBeUndefined();
  expect(await presence.list('presence', 'r1')).toEqual([]);
});
