import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from '@rivulet/client';
import { registerWorker } from '@rivulet/sdk';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { CliProcess, type Finished, run } from '@rivulet/testkit/engines/cli-process';
import { startTestEngine, type TestEngine } from '@rivulet/testkit/engines/engine';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

const TOKEN = 'a-token-of-operators';
const VIEWER = 'a-token-of-viewers';

function at({ adminUrl, workerUrl }: TestEngine, env: Readonly<Record<string, string>>, ...words: string[]): Promise<Finished> {
  return run(words, directoryWith(), { RIVULET_ADMIN_URL: adminUrl, RIVULET_URL: workerUrl, ...env });
}

/** Starts an engine with an auth function that takes any token as the identity, and a client for each identity. */
async function engineWithClients(...identities: string[]): Promise<TestEngine> {
  const engine = await startTestEngine({ admin: { token: TOKEN, viewerToken: VIEWER }, stream: { authFunction: 'app::auth' } });
  const worker = registerWorker(engine.workerUrl);
  onTestFinished(() => worker.close());
  worker.registerFunction('app::auth', async ({ query_params }: { query_params: { token?: string[] } }) => ({
    identity: query_params.token?.[0] ?? 'nobody',
  }));
  worker.registerTrigger({ type: 'stream', function_id: 'app::auth', config: { stream_name: 'never' } });
  await worker.listFunctions();
  for (const token of identities) {
    const client = connect(engine.streamUrl, { WebSocket, token, tokenAs: 'query' });
    onTestFinished(() => client.close());
    await client.subscribeGroup('chat', 'room').whenLive();
  }
  return engine;
}

test('lists show what the engine has, page by page, with either token', async () => {
  const engine = await engineWithClients('ann', 'bob');
  const full = { RIVULET_ADMIN_TOKEN: TOKEN };
  const viewer = { RIVULET_ADMIN_TOKEN: VIEWER };
  const rowsOf = async (name: string, env: Record<string, string>, ...words: string[]) => {
    const { code, stdout, stderr } = await at(engine, env, name, ...words, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return (JSON.parse(stdout) as Record<string, Record<string, unknown>[]>)[name] ?? [];
  };
  await at(engine, {}, 'set', 'chat', 'room', 'm1', '1');
  const [streams, groups, sessions, functions, some, triggers, anns, rooms, table] = await Promise.all([
    rowsOf('streams', viewer),
    rowsOf('groups', viewer, 'chat'),
    rowsOf('sessions', full),
    rowsOf('functions', full),
    rowsOf('functions', full, '--limit', '3'),
    rowsOf('triggers', viewer),
    rowsOf('sessions', viewer, '--search', 'AN'),
    rowsOf('groups', viewer, 'chat', '--search', 'other'),
    at(engine, viewer, 'sessions'),
  ]);
  expect(streams).toEqual([{ process: 'main', stream: 'chat' }]);
  expect(groups).toMatchObject([{ stream: 'chat', group: 'room', subscriptions: 2 }]);
  expect(sessions.map(({ identity }) => identity)).toEqual(['ann', 'bob']);
  expect(anns.map(({ identity }) => identity)).toEqual(['ann']);
  expect(rooms).toEqual([]);
  expect(functions.map(({ function_id }) => function_id)).toEqual(expect.arrayContaining(['app::auth', 'stream::set']));
  expect(some).toEqual(functions.slice(0, 3));
  expect(triggers).toMatchObject([{ trigger_type: 'stream', function_id: 'app::auth', state: 'live' }]);
  expect(table.stdout).toMatch(/^SESSION +IDENTITY +ADDRESS .*\n\S+ +ann +127\.0\.0\.1 .*\n\S+ +bob .*\n$/);
});

test('disconnect ends a session, or all sessions of an identity, with the full token only', async () => {
  const engine = await engineWithClients('ann', 'bob');
  const full = { RIVULET_ADMIN_TOKEN: TOKEN };
  const refused = await at(engine, { RIVULET_ADMIN_TOKEN: VIEWER }, 'disconnect', '--identity', 'ann');
  expect(refused).toMatchObject({
    code: 77,
    stdout: '',
    stderr: expect.stringMatching(/^error: viewer_token may only read.*\(FORBIDDEN\)\nsee docs\/errors\.md#FORBIDDEN\n$/),
  });
  expect(await at(engine, full, 'disconnect', '--identity', 'ann')).toMatchObject({ code: 0, stdout: 'disconnected 1\n' });
  const { stdout } = await at(engine, full, 'sessions', '--json');
  const bob = (JSON.parse(stdout) as { sessions: { session_id: string; identity: string }[] }).sessions.find(
    ({ identity }) => identity === 'bob',
  );
  expect(await at(engine, full, 'disconnect', bob?.session_id ?? '', '--json')).toMatchObject({
    code: 0,
    stdout: '{"ok":true,"disconnected":1}\n',
  });
  expect(await at(engine, full, 'disconnect', '--identity', 'carl')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('NOT_FOUND'),
  });
});

test('top shows figures and rates again and again, until Ctrl-C', async () => {
  const engine = await engineWithClients('ann');
  const env = { RIVULET_ADMIN_URL: engine.adminUrl, RIVULET_ADMIN_TOKEN: VIEWER };
  const top = new CliProcess(['top', '--every', '200ms', '--json'], directoryWith(), env);
  await top.output('stdout', /"rates":\{/);
  top.signal('SIGINT');
  const { code, stdout, stderr } = await top.finished;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const looks = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(looks[0]).toMatchObject({ process: 'main', ready: true, sessions: 1, rates: null });
  expect(looks[1]).toMatchObject({ sessions: 1, rates: { changes: 0, deliveries: 0, calls: expect.any(Number), cpu: expect.any(Number) } });
  const text = await run(['top', '--count', '2', '--every', '200ms'], directoryWith(), env);
  expect(text.stdout).toMatch(/^rivulet \d.*, ready\nsessions 1 .*\n.*\nstore stream: state ok\n/);
  expect(text.stdout).toMatch(/\nchanges 0\/s .* processor \d+ %\n\n$/);
});

test('top goes on after a restart of the engine', async () => {
  let requests = 0;
  const server = createServer((request, response) => {
    const isRestarting = ++requests > 2 && requests <= 4;
    response.writeHead(isRestarting ? 503 : 200);
    if (isRestarting) response.end('{"error":{"code":"ENGINE_STOPPING","message":"the engine stops"}}');
    else response.end(request.url === '/metrics' ? 'rivulet_calls_total 5\n' : '{"process":"main","ready":true}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const { code, stdout, stderr } = await run(['top', '--json', '--every', '200ms', '--count', '2', '--admin-url', url], directoryWith());
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'note: the engine stops (ENGINE_STOPPING)\n' });
  expect(stdout.trimEnd().split('\n')).toEqual([expect.stringContaining('"rates":null'), expect.stringContaining('"rates":{"calls":0}')]);
});

test('the exit code says why the admin listener did not answer', async () => {
  const engine = await engineWithClients();
  const [silent, wrong, unreachable, other, address, usage, unnamed] = await Promise.all([
    at(engine, {}, 'streams', '--json'),
    at(engine, { RIVULET_ADMIN_TOKEN: 'wrong' }, 'top', '--json'),
    at(engine, {}, 'functions', '--admin-url', 'http://127.0.0.1:65'),
    at(engine, {}, 'groups', 'chat', '--admin-url', engine.streamUrl.replace('ws:', 'http:')),
    at(engine, {}, 'sessions', '--admin-url', 'ws://127.0.0.1:3113'),
    at(engine, {}, 'disconnect'),
    at(engine, {}, 'groups', '', '--json'),
  ]);
  expect(silent).toMatchObject({ code: 77, stderr: '' });
  expect(JSON.parse(silent.stdout)).toMatchObject({
    streams: [],
    ok: false,
    error: { code: 'UNAUTHORIZED', message: expect.stringContaining('RIVULET_ADMIN_TOKEN') },
  });
  expect(wrong).toMatchObject({ code: 77, stdout: expect.stringContaining('"code":"UNAUTHORIZED"') });
  expect(unreachable).toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/^error: no connection to the admin listener .*ECONNREFUSED/),
  });
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('no admin listener') });
  expect(address).toMatchObject({ code: 64, stderr: expect.stringContaining('no http:// or https:// address') });
  expect(usage).toMatchObject({ code: 64, stderr: expect.stringContaining('name a session') });
  expect(unnamed).toMatchObject({ code: 64, stdout: expect.stringContaining('"code":"INVALID_ARGUMENTS"'), stderr: '' });
});
