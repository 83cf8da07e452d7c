import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { run } from '@rivulet/testkit/engines/cli-process';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, askJson } from '../harness/admin-client.js';

const DOCUMENT = readFileSync(new URL('../../../../docs/admin.md', import.meta.url), 'utf8');
const TOKEN = 'a-token-of-operators';
const VIEWER = 'a-token-of-viewers';
const ITEM = '/api/streams/chat/groups/a%2Fb/items/m%201';

describe('the lists of /api', () => {
  it('page through streams, groups and items, each row with its process', async () => {
    const { adminUrl, workerUrl } = await startTestEngine({ admin: {} });
    const worker = await RawWorker.connect(workerUrl);
    for (const group of ['r1', 'r2', 'r3'])
      for (const item of ['a', 'b'])
        await worker.result('stream::set', { stream_name: 'chat', group_id: group, item_id: item, data: { group, item } });
    expect(await askJson(adminUrl, '/api/streams')).toEqual({ rows: [{ process: 'main', stream: 'chat' }] });
    const first = await askJson(adminUrl, '/api/streams/chat/groups?limit=2');
    expect(first).toMatchObject({ rows: [{ group: 'r1', process: 'main' }, { group: 'r2' }], next: 'r2' });
    const rest = await askJson(adminUrl, '/api/streams/chat/groups?limit=2&after=r2');
    expect(rest).toEqual({ rows: [{ process: 'main', stream: 'chat', group: 'r3', subscriptions: 0, log_changes: 0, log_bytes: 0 }] });
    const items = await askJson(adminUrl, '/api/streams/chat/groups/r3/items?limit=1');
    expect(items).toEqual({ process: 'main', rows: [{ id: 'a', data: { group: 'r3', item: 'a' } }], next: 'a' });
    expect(await askJson(adminUrl, '/api/streams/chat/groups/r3/items?after=a')).toMatchObject({ rows: [{ id: 'b' }] });
  });

  it('page through functions of all namespaces, and through names with any character', async () => {
    const { adminUrl, workerUrl } = await startTestEngine({ admin: {} });
    const ids = ['app::a', 'app::a 1:x', 'app::ä', 'app::b'];
    const namespaces = ['default', 'team 1', '7:team'];
    for (const namespace of namespaces) {
      const worker = await RawWorker.connect(workerUrl);
      if (namespace !== 'default') await worker.result('engine::workers::register', { name: 'w', namespace });
      for (const id of ids) await worker.serve(id, () => null);
    }
    const seen: string[] = [];
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page = (await askJson(adminUrl, `/api/functions?limit=3&after=${encodeURIComponent(after)}`)) as {
        rows: { function_id: string; namespace: string }[];
        next?: string;
      };
      seen.push(...page.rows.map((row) => JSON.stringify([row.function_id, row.namespace])));
      after = page.next;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(ids.flatMap((id) => namespaces.map((namespace) => JSON.stringify([id, namespace])))));
    expect(seen.some((row) => row.includes('stream::set'))).toBe(true);
  });

  it('page through sessions, workers, functions and triggers', async () => {
    const { adminUrl, workerUrl, streamUrl } = await startTestEngine({ admin: {} });
    const worker = await RawWorker.connect(workerUrl);
    await worker.serve('app::hello', () => null);
    await worker.bind('stream', 'app::hello', { stream_name: 'chat' });
    await worker.result('stream::set', { stream_name: 'chat', group_id: 'r1', item_id: 'a', data: 1 });
    for (let n = 0; n < 3; n++) {
      const socket = await StreamSocket.open(`${streamUrl}/`);
      socket.join(`s${n}`, 'chat', 'r1');
      await socket.take('sync');
    }
    const seen: unknown[] = [];
    for (let after = ''; ; ) {
      const { rows, next } = (await askJson(adminUrl, `/api/sessions?limit=2&after=${after}`)) as {
        rows: { session_id: string }[];
        next?: string;
      };
      seen.push(...rows.map((row) => row.session_id));
      if (next === undefined) break;
      after = next;
    }
    expect(new Set(seen).size).toBe(3);
    expect(await askJson(adminUrl, '/api/streams/chat/groups')).toMatchObject({ rows: [{ group: 'r1', subscriptions: 3 }] });
    expect(await askJson(adminUrl, '/api/workers')).toMatchObject({ rows: [{ process: 'main', kind: 'trusted', functions: 1 }] });
    const functions = (await askJson(adminUrl, '/api/functions?limit=1000')) as { rows: { function_id: string }[] };
    expect(functions.rows.map((row) => row.function_id)).toEqual(expect.arrayContaining(['app::hello', 'stream::set']));
    expect(await askJson(adminUrl, '/api/triggers')).toMatchObject({ rows: [{ process: 'main', trigger_type: 'stream', state: 'live' }] });
    expect(await askJson(adminUrl, '/api/engine')).toMatchObject({ process: 'main', ready: true, sessions: 3, workers: 1, triggers: 1 });
  });
});

describe('writes of /api', () => {
  it('set, read and delete an item, call a function and end sessions, and each is logged without its value', async () => {
    const { adminUrl, workerUrl, streamUrl, log } = await startTestEngine({ admin: { token: TOKEN, viewerToken: VIEWER } });
    const put = (json: unknown) => ask(adminUrl, ITEM, { method: 'PUT', token: TOKEN, json });
    expect(await put({ secret: 'swordfish' })).toMatchObject({
      status: 200,
      text: '{"result":{"old_value":null,"new_value":{"secret":"swordfish"}}}',
    });
    expect(await askJson(adminUrl, ITEM, { token: VIEWER })).toEqual({ process: 'main', id: 'm 1', data: { secret: 'swordfish' } });
    expect((await put(null)).status).toBe(200);
    expect(await askJson(adminUrl, ITEM, { token: VIEWER })).toEqual({ process: 'main', id: 'm 1', data: null });
    expect((await ask(adminUrl, ITEM, { method: 'DELETE', token: TOKEN, json: null })).status).toBe(200);
    expect((await ask(adminUrl, ITEM, { token: VIEWER })).status).toBe(404);

    const worker = await RawWorker.connect(workerUrl);
    await worker.serve('app::double', (data) => ({ doubled: (data as { n: number }).n * 2 }));
    const call = (json: unknown, token = TOKEN) => ask(adminUrl, '/api/call/app::double', { method: 'POST', token, json });
    expect((await call({ n: 21 })).text).toBe('{"result":{"doubled":42}}');
    expect((await call({ n: 21 }, VIEWER)).status).toBe(403);

    const socket = await StreamSocket.open(`${streamUrl}/`);
    const { rows } = (await askJson(adminUrl, '/api/sessions', { token: VIEWER })) as { rows: { session_id: string }[] };
    const closed = socket.closed;
    const ended = await askJson(adminUrl, '/api/sessions/disconnect', {
      method: 'POST',
      token: TOKEN,
      json: { session_id: rows[0]?.session_id },
    });
    expect(ended).toEqual({ disconnected: 1 });
    await closed;

    const actions = log.filter(({ event }) => event === 'admin_action');
    expect(actions.map(({ fields }) => [fields.action, fields.status])).toEqual([
      ['PUT /api/streams/{stream}/groups/{group}/items/{item}', 200],
      ['PUT /api/streams/{stream}/groups/{group}/items/{item}', 200],
      ['DELETE /api/streams/{stream}/groups/{group}/items/{item}', 200],
      ['POST /api/call/{function}', undefined],
      ['POST /api/call/{function}', 200],
      ['POST /api/sessions/disconnect', 200],
    ]);
    expect(actions[0]?.fields).toMatchObject({ stream: 'chat', group: 'a/b', item: 'm 1' });
    expect(actions[3]?.fields).toMatchObject({ function: 'app::double', stage: 'started' });
    expect(JSON.stringify(log)).not.toMatch(/swordfish|a-token-of/);
  });

  it('leave a line each, also when many come in a second or the engine refuses them', async () => {
    const { adminUrl, log } = await startTestEngine({ admin: {} });
    for (let n = 0; n < 30; n++) await ask(adminUrl, ITEM, { method: 'PUT', json: n });
    await ask(adminUrl, ITEM, { method: 'PUT', raw: '1' });
    await ask(adminUrl, ITEM, { method: 'PUT', raw: '{', headers: { 'content-type': 'application/json' } });
    await ask(adminUrl, '/api/call/app::nobody?timeout_ms=10&token=swordfish', { method: 'POST', json: 1 });
    const statuses = log.filter(({ event }) => event === 'admin_action').map(({ fields }) => fields.status);
    expect(statuses).toEqual([...Array<number>(30).fill(200), 415, 400, 400]);
    expect(log.at(-1)?.fields).toMatchObject({ function: 'app::nobody', timeout_ms: '10' });
    expect(JSON.stringify(log)).not.toContain('swordfish');
  });

  it.each<[string, string, Parameters<typeof ask>[2], number, string]>([
    [
      'a body that is no JSON',
      ITEM,
      { method: 'PUT', raw: '{"a":', headers: { 'content-type': 'application/json' } },
      400,
      'deserialization_error',
    ],
    ['another content type', ITEM, { method: 'PUT', raw: '1', headers: { 'content-type': 'text/plain' } }, 415, 'INVALID_ARGUMENTS'],
    ['no content type', ITEM, { method: 'DELETE' }, 415, 'INVALID_ARGUMENTS'],
    [
      'a number that JSON cannot carry',
      ITEM,
      { method: 'PUT', raw: '9007199254740993', headers: { 'content-type': 'application/json' } },
      400,
      'deserialization_error',
    ],
    ['an unknown parameter', `${ITEM}?if_absent=1`, { method: 'PUT', json: 1 }, 400, 'INVALID_ARGUMENTS'],
    ...['/health', '/ready', '/metrics', '/api/engine', '/api/sessions'].map((path): [string, string, object, number, string] => [
      `an unknown parameter of ${path}`,
      `${path}?token=x`,
      {},
      400,
      'INVALID_ARGUMENTS',
    ]),
    ['another value of unready', '/ready?unready=200', {}, 400, 'INVALID_ARGUMENTS'],
    [
      'an unknown parameter of disconnect',
      '/api/sessions/disconnect?token=x',
      { method: 'POST', json: { identity: 'a' } },
      400,
      'INVALID_ARGUMENTS',
    ],
    ['an empty body', ITEM, { method: 'PUT', raw: ' ', headers: { 'content-type': 'application/json' } }, 400, 'deserialization_error'],
    ...['0x10', '-1', '%20', '1e3', '99999999999999999999'].map((after): [string, string, object, number, string] => [
      `sessions after ${after}`,
      `/api/sessions?after=${after}`,
      {},
      400,
      'INVALID_ARGUMENTS',
    ]),
    ['functions after a cursor that no page had', '/api/functions?after=app::x', {}, 400, 'INVALID_ARGUMENTS'],
    ['groups of a stream whose name is too long', `/api/streams/${'x'.repeat(300)}/groups`, {}, 400, 'INVALID_ID'],
    ['groups of a stream with a control character', '/api/streams/a%00/groups', {}, 400, 'INVALID_ID'],
    ['groups after a control character', '/api/streams/a/groups?after=%00', {}, 400, 'INVALID_ID'],
    ['streams after a control character', '/api/streams?after=%00', {}, 400, 'INVALID_ID'],
    ['a method that the path lacks', '/api/streams', { method: 'POST', json: 1 }, 405, 'INVALID_ARGUMENTS'],
    ['an unknown function', '/api/call/app::nobody', { method: 'POST', json: 1 }, 404, 'function_not_found'],
    ['an id that is too long', `/api/streams/${'x'.repeat(300)}/groups/r/items/a`, { method: 'PUT', json: 1 }, 400, 'INVALID_ID'],
    [
      'both identity and session',
      '/api/sessions/disconnect',
      { method: 'POST', json: { identity: 'a', session_id: 'b' } },
      400,
      'INVALID_ARGUMENTS',
    ],
    ['a path that does not exist', '/api/nothing', {}, 404, 'NOT_FOUND'],
  ])('refuse %s', async (_matter, path, options, status, code) => {
    const { adminUrl } = await startTestEngine({ admin: {} });
    const reply = await ask(adminUrl, path, options);
    expect([reply.status, (JSON.parse(reply.text) as { error: { code: string } }).error.code]).toEqual([status, code]);
  });
});

it('a write that would make a group too large gets 507', async () => {
  const bound = { streams: '*', maxItems: 1, maxBytes: undefined, maxAgeMs: undefined, onFull: 'refuse' as const };
  const { adminUrl } = await startTestEngine({ admin: {}, stream: { groupBounds: [bound] } });
  const put = (item: string) => ask(adminUrl, `/api/streams/s/groups/g/items/${item}`, { method: 'PUT', json: 1 });
  expect((await put('a')).status).toBe(200);
  expect(await put('b')).toMatchObject({ status: 507, text: expect.stringContaining('"GROUP_FULL"') as string });
});

describe('docs/admin.md', () => {
  it('has commands that work', async () => {
    const { adminUrl } = await startTestEngine({ admin: { token: TOKEN } });
    const commands = DOCUMENT.split('```sh\n')[1]?.split('```')[0]?.trim().split('\n') ?? [];
    expect(commands.length).toBeGreaterThan(10);
    for (const command of commands) {
      const { stdout } = await promisify(execFile)('sh', ['-c', `${command} -w '\\n%{http_code}'`], {
        env: { ...process.env, ADMIN: adminUrl, TOKEN },
      });
      expect([command, stdout.slice(-3)]).toEqual([command, '200']);
    }
  });
});

it('a port that is taken ends the start only if a file asked for it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const { engine, log } = await startTestEngine({ admin: { port } });
  expect(engine.listeners.map(({ name }) => name)).not.toContain('admin');
  expect(log.map(({ event }) => event)).toContain('admin_port_taken');
  const cwd = directoryWith({
    'iii-config.yaml': `workers: [{ name: iii-worker-manager, config: { port: 0 } }, { name: rivulet-admin, config: { port: ${port} } }]`,
  });
  const { code, stderr } = await run(['start'], cwd);
  expect([code, stderr]).toEqual([1, expect.stringContaining(`rivulet-admin: port ${port} is in use`)]);
});

/** A store whose `close` waits for the test. */
const SLOW_STORE = `
const no = async () => { throw new Error('not used'); };
export const createStore = () => ({
  apply: no, get: no, snapshot: no, changes: no, groups: no, streams: no, watch: no, unwatch() {},
  start: async () => {},
  close: () => globalThis.slowStoreCloses(),
});
`;

/** Makes an adapter file whose store closes only after `release`. `closing` resolves when the close has begun. */
function slowAdapter() {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const closing = new Promise<void>((resolve) => {
    Object.assign(globalThis, {
      slowStoreCloses: () => {
        resolve();
        return released;
      },
    });
  });
  const path = join(directoryWith({ 'slow.mjs': SLOW_STORE }), 'slow.mjs');
  return { path, closing, release };
}

it('the listener closes after the stores', async () => {
  const { path, closing, release } = slowAdapter();
  const { engine, adminUrl } = await startTestEngine({ admin: {}, stream: { adapter: { kind: 'module', path, config: {} } } });
  const stopped = engine.stop();
  await closing;
  const { status, text } = await ask(adminUrl, '/ready');
  expect([status, text]).toEqual([503, expect.stringContaining('"draining"')]);
  expect((await ask(adminUrl, '/health')).status).toBe(200);
  release();
  await stopped;
  await expect(ask(adminUrl, '/health')).rejects.toThrow('ECONNREFUSED');
});

it('a list answers 503 when its store has closed already', async () => {
  const { path, closing, release } = slowAdapter();
  const { engine, adminUrl, log } = await startTestEngine({
    admin: {},
    lmdb: true,
    state: { adapter: { kind: 'module', path, config: {} } },
  });
  const stopped = engine.stop();
  await closing;
  for (const path of ['/api/streams', '/api/streams/s/groups', '/api/streams/s/groups/g/items', '/api/streams/s/groups/g/items/a'])
    expect([path, (await ask(adminUrl, path)).status]).toEqual([path, 503]);
  expect(log.map(({ event }) => event)).not.toContain('admin_request_failed');
  release();
  await stopped;
});
