import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { PYTHON_SDKS, pythonClient, rustClient } from '../../../../scripts/set-up/language-clients.mjs';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

type Started = { readonly command: readonly string[] } | { readonly missing: string };

const command = (client: ReturnType<typeof rustClient>, ...args: string[]): Started =>
  'missing' in client ? client : { command: [client.program, ...args] };

/** The implementations of the worker. All of them do the same. */
const WORKERS: readonly (readonly [string, Started])[] = [
  ["on Rivulet's SDK", { command: [process.execPath, file('dist/worker.js')] }],
  ['on the official SDK for Node', { command: [process.execPath, file('dist/worker-iii.js')] }],
  ...PYTHON_SDKS.map(
    (version) => [`in Python on iii-sdk ${version}`, command(pythonClient(ROOT, version), file('python/worker.py'))] as const,
  ),
  ['in Rust', command(rustClient(ROOT, 'chat-and-presence'))],
];

/** Starts an engine process and the worker. Resolves when the engine has the last registration of the worker. */
async function start(started: Started) {
  if ('missing' in started) throw new Error(started.missing);
  const engine = await EngineProcess.start({ state: [] });
  const raw = await RawWorker.connect(engine.workerUrl);
  await raw.serve('test::functions', () => undefined);
  await raw.bind('engine::functions-available', 'test::functions', {});
  const [program = '', ...args] = started.command;
  const child = spawn(program, args, {
    env: { ...process.env, III_URL: engine.workerUrl, OTEL_ENABLED: 'false' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const output = { stderr: '' };
  child.stderr.on('data', (data: Buffer) => {
    output.stderr += data.toString();
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const ready = raw.take('invokefunction', ({ data }) => hasFunctions(data, ['stream::list_groups(presence)', 'http::presence::list']));
  await Promise.race([
    ready,
    exited.then(() => {
      throw new Error(`the worker ended: ${output.stderr}`);
    }),
  ]);
  return { engine, raw, http: (method: string, path: string, body?: unknown) => request(engine.httpUrl + path, method, body) };
}

function hasFunctions(data: unknown, ids: readonly string[]): boolean {
  const { functions } = data as { readonly functions: readonly Frame[] };
  return ids.every((id) => functions.some(({ function_id }) => function_id === id));
}

async function request(url: string, method: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(url, { method, ...json });
  return { status: response.status, body: await response.json() };
}

describe.each(WORKERS)('the chat %s', (_name, started) => {
  beforeEach(({ skip }) => {
    if ('missing' in started) skip(started.missing);
  });

  test('posts, gets, lists and deletes messages over HTTP, and its watchers see each change', async () => {
    const { engine, http } = await start(started);
    const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/chat/lobby`);
    expect((await watcher.take('sync')).event.data).toEqual([]);
    const posted = await http('POST', '/rooms/lobby/messages', { author: 'ann', text: 'grüße 🙂' });
    const message = { id: expect.any(String) as string, author: 'ann', text: 'grüße 🙂', at: expect.any(Number) as number };
    expect(posted).toEqual({ status: 201, body: message });
    const { id } = posted.body as { id: string };
    const create = await watcher.take('create');
    expect(create).toMatchObject({ streamName: 'chat', groupId: 'lobby', id, event: { data: posted.body } });
    expect(await http('GET', `/rooms/lobby/messages/${id}`)).toEqual({ status: 200, body: posted.body });
    expect(await http('GET', '/rooms/lobby/messages/none')).toEqual({ status: 404, body: { error: 'not found' } });
    expect(await http('GET', '/rooms/lobby/messages')).toEqual({ status: 200, body: [posted.body] });
    expect(await http('GET', '/rooms/other/messages')).toEqual({ status: 200, body: [] });
    expect(await http('DELETE', `/rooms/lobby/messages/${id}`)).toEqual({ status: 200, body: { deleted: true } });
    expect((await watcher.take('delete')).event.data).toEqual(posted.body);
    expect(await http('DELETE', `/rooms/lobby/messages/${id}`)).toEqual({ status: 200, body: { deleted: false } });
    expect((await http('POST', '/rooms/lobby/messages', { author: 'ann', text: '' })).status).toBe(400);
    expect((await http('POST', '/rooms/lobby/messages')).status).toBe(400);
    for (const body of [[], [{ author: 'ann', text: 'hi' }], 'hi', 7, null])
      expect([body, (await http('POST', '/rooms/lobby/messages', body)).status]).toEqual([body, 400]);
    await watcher.settled();
    expect(watcher.kinds()).toEqual(['sync', 'create', 'delete']);
  });

  test('broadcasts what is not stored', async () => {
    const { engine, http } = await start(started);
    const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/chat/lobby`);
    await watcher.take('sync');
    expect(await http('POST', '/rooms/lobby/events', { type: 'typing', data: { user: 'ann' } })).toEqual({
      status: 200,
      body: { sent: true },
    });
    expect((await watcher.take('event')).event.event).toEqual({ type: 'typing', data: { user: 'ann' } });
    expect(await http('GET', '/rooms/lobby/messages')).toEqual({ status: 200, body: [] });
  });

  test('keeps who is there in the state, and the watchers of presence see them come and go', async () => {
    const { engine, raw, http } = await start(started);
    const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/presence/lobby`);
    expect((await watcher.take('sync')).event.data).toEqual([]);
    const ann = await http('PUT', '/rooms/lobby/members/ann');
    expect(ann).toEqual({ status: 200, body: { id: 'ann', since: expect.any(Number) as number } });
    expect(await watcher.take('create')).toMatchObject({ streamName: 'presence', id: 'ann', event: { data: ann.body } });
    const again = await http('PUT', '/rooms/lobby/members/ann');
    expect((await watcher.take('update')).event.data).toEqual(again.body);
    const bob = await http('PUT', '/rooms/lobby/members/bob');
    expect((await watcher.take('create')).event.data).toEqual(bob.body);
    expect(await http('GET', '/rooms/lobby/members')).toEqual({ status: 200, body: [again.body, bob.body] });
    expect(await raw.result('state::get', { scope: 'presence/lobby', key: 'bob' })).toEqual(bob.body);
    expect(await raw.result('stream::list_groups', { stream_name: 'presence' })).toEqual(['lobby']);
    const late = await StreamSocket.open(`${engine.streamUrl}/stream/presence/lobby`);
    expect((await late.take('sync')).event.data).toEqual([again.body, bob.body]);
    expect(await http('DELETE', '/rooms/lobby/members/ann')).toEqual({ status: 200, body: { left: true } });
    expect((await watcher.take('delete')).event.data).toEqual(again.body);
    expect(await http('DELETE', '/rooms/lobby/members/ann')).toEqual({ status: 200, body: { left: false } });
    expect(await raw.result('state::list', { scope: 'presence/lobby' })).toEqual([bob.body]);
  });

  test('serves other workers the same functions', async () => {
    const { raw } = await start(started);
    const message = (await raw.result('chat::post', { room: 'lobby', author: 'ann', text: 'hello' })) as { readonly id: string };
    expect(await raw.result('chat::get', { room: 'lobby', id: message.id })).toEqual(message);
    expect(await raw.result('chat::list', { room: 'lobby' })).toEqual([message]);
    expect(await raw.result('chat::broadcast', { room: 'lobby', type: 'typing', data: {} })).toEqual({ sent: true });
    expect(await raw.result('presence::join', { room: 'lobby', user: 'ann' })).toMatchObject({ id: 'ann' });
    expect(await raw.result('presence::list', { room: 'lobby' })).toMatchObject([{ id: 'ann' }]);
    expect(await raw.result('presence::leave', { room: 'lobby', user: 'ann' })).toEqual({ left: true });
    expect(await raw.result('chat::delete', { room: 'lobby', id: message.id })).toEqual({ deleted: true });
    const refused = await raw.call('chat::post', { room: 'lobby', author: '', text: 'x' });
    expect(refused.error).toMatchObject({
      code: 'invocation_failed',
      message: expect.stringContaining('author must have 1 to 80') as string,
    });
  });
});
