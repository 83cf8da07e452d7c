import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { registerWorker, type Streams, stream } from '@rivulet/sdk';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CLI } from '@rivulet/testkit/engines/built-engine';
import { CliProcess, type Finished, run } from '@rivulet/testkit/engines/cli-process';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { expect, onTestFinished, test } from 'vitest';

function streamsOf(engine: EngineProcess): Streams<unknown> {
  const worker = registerWorker(engine.workerUrl);
  onTestFinished(() => worker.close());
  return stream(worker);
}

function watchOf(engine: EngineProcess, ...words: string[]): CliProcess {
  return new CliProcess(['watch', ...words, '--json'], directoryWith(), { RIVULET_STREAM_URL: engine.streamUrl });
}

/** Returns the printed objects, without offsets and positions. */
function linesOf({ stdout }: Finished): unknown[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { offset: _offset, position: _position, ...rest } = JSON.parse(line) as Record<string, unknown>;
      return rest;
    });
}

test('watch prints items, changes and events, also across a restart of the engine, until Ctrl-C', async () => {
  const engine = await EngineProcess.start();
  const streams = streamsOf(engine);
  await streams.set('chat', 'room', 'a', { n: 1 });
  const group = watchOf(engine, 'chat', 'room');
  const item = watchOf(engine, 'chat', 'room', 'b');
  await Promise.all([group.output('stdout', /"live"/), item.output('stdout', /"live"/)]);
  await streams.set('chat', 'room', 'b', { n: 2 });
  await streams.send('chat', 'room', 'typing', { user: 'ann' });
  await Promise.all([group.output('stdout', /"typing"/), item.output('stdout', /"create"/)]);

  await engine.kill();
  await Promise.all([group.output('stdout', /"stale"/), item.output('stdout', /"stale"/)]);
  await engine.start();
  await streams.delete('chat', 'room', 'a');
  await streams.set('chat', 'room', 'b', { n: 3 });
  await Promise.all([group.output('stdout', /\{"n":3\}/), item.output('stdout', /\{"n":3\}/)]);
  group.signal('SIGINT');
  item.signal('SIGTERM');

  const [first, second] = await Promise.all([group.finished, item.finished]);
  expect([first.code, second.code]).toEqual([0, 0]);
  expect(linesOf(first).filter((line) => !['live', 'stale', 'gap'].includes((line as { type: string }).type))).toEqual([
    { type: 'reset', reason: 'first' },
    { type: 'item', id: 'a', data: { n: 1 } },
    { type: 'create', id: 'b', data: { n: 2 } },
    { type: 'event', name: 'typing', data: { user: 'ann' } },
    { type: 'delete', id: 'a' },
    { type: 'update', id: 'b', data: { n: 3 } },
  ]);
  expect(linesOf(second)).toEqual(
    expect.arrayContaining([
      { type: 'create', id: 'b', data: { n: 2 } },
      { type: 'update', id: 'b', data: { n: 3 } },
    ]),
  );
});

test('watch ends with the exit code of what is wrong', async () => {
  const engine = await EngineProcess.start({ storeMethod: 'in_memory', stream: ['auth_function: app::auth'] });
  const worker = registerWorker(engine.workerUrl);
  onTestFinished(() => worker.close());
  worker.registerFunction('app::auth', async ({ query_params, headers }: { query_params: object; headers: object }) => ({
    unauthorized: !JSON.stringify({ query_params, headers }).includes('sesame'),
  }));
  worker.registerFunction('app::join', async ({ group_id }: { group_id: string }) => ({ unauthorized: group_id === 'secret' }));
  worker.registerTrigger({ type: 'stream:join', function_id: 'app::join', config: {} });
  await worker.listFunctions();
  const at = (env: Record<string, string>, ...words: string[]) =>
    run(['watch', ...words, '--json'], directoryWith(), { RIVULET_STREAM_URL: engine.streamUrl, ...env });
  const admitted = { RIVULET_STREAM_TOKEN: 'sesame' };
  const [refused, forbidden, wrong, closed] = await Promise.all([
    at({}, 'chat', 'room'),
    at(admitted, 'chat', 'secret'),
    at(admitted, 'chat', 'a\nb'),
    at({ RIVULET_STREAM_URL: 'ws://127.0.0.1:1' }, 'chat', 'room'),
  ]);
  expect(refused).toMatchObject({ code: 77, stdout: expect.stringMatching(/"code":"UNAUTHORIZED".*RIVULET_STREAM_TOKEN/), stderr: '' });
  expect(forbidden).toMatchObject({ code: 77, stdout: expect.stringContaining('"code":"FORBIDDEN"'), stderr: '' });
  expect(wrong).toMatchObject({ code: 64, stdout: expect.stringContaining('"code":"INVALID_ID"'), stderr: '' });
  expect(closed).toMatchObject({ code: 69, stdout: expect.stringContaining('"code":"CONNECT_FAILED"'), stderr: '' });
});

test('watch waits for a slow reader of the present items, and ends at the first signal', async () => {
  const engine = await EngineProcess.start({ storeMethod: 'in_memory' });
  const streams = streamsOf(engine);
  const text = 'x'.repeat(200_000);
  for (let part = 0; part < 20; part++)
    await streams.batch(
      'chat',
      'room',
      [1, 2, 3, 4, 5].map((n) => ({ type: 'set', itemId: `${part}-${n}`, data: { text } })),
    );
  const start = async () => {
    const child = spawn(process.execPath, [CLI, 'watch', 'chat', 'room', '--json'], {
      env: { ...process.env, RIVULET_STREAM_URL: engine.streamUrl },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    // All present items are printed now, and nobody reads on.
    await once(child.stdout, 'readable');
    return { child, ended };
  };
  const [slow, stalled] = await Promise.all([start(), start()]);
  const other = watchOf(engine, 'chat', 'room', 'new');
  await other.output('stdout', /"live"/);
  await streams.set('chat', 'room', 'new', { n: 1 });
  await other.output('stdout', /"create"/);
  stalled.child.kill('SIGTERM');
  expect(await stalled.ended).toEqual([0, null]);

  let printed = '';
  for await (const part of slow.child.stdout.setEncoding('utf8')) {
    printed = `${printed.slice(-1_000)}${part as string}`;
    if (printed.includes('"type":"create","id":"new"')) slow.child.kill('SIGINT');
  }
  expect(await slow.ended).toEqual([0, null]);
});
