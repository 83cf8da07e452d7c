import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type ISdk, registerWorker, stream } from '@rivulet/sdk';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { type Finished, run } from '@rivulet/testkit/engines/cli-process';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { expect, onTestFinished, test } from 'vitest';

function workerOf(url: string): ISdk {
  const worker = registerWorker(url);
  onTestFinished(() => worker.close());
  return worker;
}

async function startEngine(): Promise<{ readonly engine: EngineProcess; readonly worker: ISdk }> {
  const engine = await EngineProcess.start({ storeMethod: 'in_memory' });
  return { engine, worker: workerOf(engine.workerUrl) };
}

function at(url: string, ...words: string[]): Promise<Finished> {
  return run(words, directoryWith(), { RIVULET_URL: url });
}

test('the exit code of a command for a running engine says what happened', async () => {
  const { engine, worker } = await startEngine();
  worker.registerFunction('app::nothing', async () => undefined);
  worker.registerFunction('app::fails', async () => {
    throw new Error('out of paper \u001b[2J');
  });
  worker.registerFunction('app::hangs', () => new Promise(() => {}));
  await worker.listFunctions();
  const cases: readonly [words: string[], code: number, stdout: RegExp, stderr: RegExp][] = [
    [['call', 'app::nothing'], 0, /^null\n$/, /^$/],
    [['call', 'app::nothing', '--json'], 0, /^\{"ok":true,"result":null\}\n$/, /^$/],
    [
      ['call', 'app::fails'],
      1,
      /^$/,
      /^error: .*out of paper \\u001b\[2J.* \(invocation_failed\)\nsee docs\/errors\.md#invocation_failed\n$/,
    ],
    [['call', 'app::fails', '--json'], 1, /^\{"ok":false,"error":\{"code":"invocation_failed",/, /^$/],
    [['call', 'app::absent'], 1, /^$/, /\(function_not_found\)\nsee docs\/errors\.md#function_not_found\n$/],
    [['call', 'app::hangs', '--timeout', '5s'], 75, /^$/, /\(TIMEOUT\)\nsee docs\/errors\.md#TIMEOUT\n$/],
    [['call', 'app::nothing', '{'], 64, /^$/, /^error: the payload is no JSON: \{;/],
    [['get', 'a', 'b', 'c', '--timeout', '3'], 64, /^$/, /^error: --timeout 3 is no duration; write 500ms/],
    [['get', 'a', 'b', 'c', '--url', 'http://127.0.0.1'], 64, /^$/, /^error: .*ws:\/\//],
    [['get', 'a', 'b', 'c'], 1, /^$/, /^error: stream a, group b has no item c \(NOT_FOUND\)\nsee docs\/errors\.md#NOT_FOUND\n$/],
    [['delete', 'a', 'b', 'c'], 1, /^$/, /^error: stream a, group b has no item c \(NOT_FOUND\)\nsee docs\/errors\.md#NOT_FOUND\n$/],
    [['delete', 'a', 'b', 'c', '--if-version', 'x', '--json'], 1, /"conflict":\{"value":null,"version":null\}/, /^$/],
    [['set', 'a'.repeat(257), 'b', 'c', '1'], 64, /^$/, /\(INVALID_ID\)\n$/],
    [['update', 'a', 'b', 'd', 'text=x', 'text+=1'], 1, /^$/, /^error: operation 2 was skipped: .*number.*\n$/],
    [['update', 'a', 'b', 'e', 'text=x', 'text+=1', '--json'], 1, /"error":\{"code":"[^"]+","message":"operation 2 was skipped: /, /^$/],
    [['list', 'a', 'none', '--json'], 0, /^\{"items":\[\n\],"ok":true\}\n$/, /^$/],
  ];
  const results = await Promise.all(cases.map(([words]) => at(engine.workerUrl, ...words)));
  for (const [index, { code, stdout, stderr }] of results.entries()) {
    const [words, wanted, out, err] = cases[index] ?? [[], -1, /$/, /$/];
    expect({ words, code, stdout, stderr }).toEqual({
      words,
      code: wanted,
      stdout: expect.stringMatching(out),
      stderr: expect.stringMatching(err),
    });
  }
});

test('a command for an engine that is not there, or that refuses, says so', async () => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const guarded = await EngineProcess.start({
    config: (ports) => `workers: [{ name: iii-worker-manager, config: { host: 127.0.0.1, port: ${ports.worker}, auth_token: sesame } }]\n`,
  });
  const call = ['call', 'engine::health::check', '--json'];
  const [mute, refused, wrong, admitted] = await Promise.all([
    run([...call, '--url', `ws://127.0.0.1:${port}`, '--timeout', '500ms'], directoryWith()),
    at(guarded.workerUrl, ...call),
    run(call, directoryWith(), { RIVULET_URL: guarded.workerUrl, RIVULET_TOKEN: 'simsalabim' }),
    run(call, directoryWith(), { RIVULET_URL: guarded.workerUrl, RIVULET_TOKEN: 'sesame' }),
  ]);
  expect(mute).toMatchObject({ code: 75, stdout: expect.stringContaining('"code":"NO_CONNECTION"') });
  for (const { code, stdout, stderr } of [refused, wrong]) {
    expect({ code, stderr }).toEqual({ code: 77, stderr: '' });
    expect(stdout).toMatch(/"code":"UNAUTHORIZED".*RIVULET_TOKEN/);
  }
  expect(admitted).toMatchObject({ code: 0, stdout: '{"ok":true,"result":{"status":"ok"}}\n' });
  await guarded.stop();
  const gone = await at(guarded.workerUrl, ...call);
  expect(gone).toMatchObject({ code: 69, stdout: expect.stringContaining('"code":"NO_CONNECTION"') });
});

test('list reads page after page, and stops without a message when its pipe is closed', async () => {
  const { engine, worker } = await startEngine();
  const streams = stream(worker);
  const ids = Array.from({ length: 1_000 }, (_, index) => `item-${index}`);
  for (const part of ['a', 'b', 'c'])
    await streams.batch(
      'long',
      'group',
      ids.map((id) => ({ type: 'set', itemId: `${part}-${id}`, data: { text: 'x'.repeat(200) } })),
    );
  const [all, some] = await Promise.all([
    at(engine.workerUrl, 'list', 'long', 'group', '--json'),
    at(engine.workerUrl, 'list', 'long', 'group', '--json', '--limit', '450', '--after', 'a-item-999'),
  ]);
  const listed = (JSON.parse(all.stdout) as { items: { id: string }[] }).items.map(({ id }) => id);
  expect(listed).toEqual(['a', 'b', 'c'].flatMap((part) => ids.map((id) => `${part}-${id}`)));
  expect((JSON.parse(some.stdout) as { items: { id: string }[] }).items.map(({ id }) => id)).toEqual(listed.slice(1_000, 1_450));

  const child = spawn(process.execPath, [CLI, 'list', 'long', 'group'], { env: { ...process.env, RIVULET_URL: engine.workerUrl } });
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await once(child, 'close');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
