import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import type { StreamConfig } from '@rivulet/engine';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const JSON_TYPE = { 'content-type': 'application/json' };

async function start(stream: Partial<StreamConfig> = {}) {
  const { streamUrl, workerUrl, engine } = await startTestEngine({
    stream: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }], ...stream },
  });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::echo', (data) => data);
  const url = streamUrl.replace('ws:', 'http:');
  const post = (path: string, body = '{}', headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, { method: 'POST', body, headers: { ...JSON_TYPE, ...headers } });
  return { url, post, worker, engine };
}

async function told(answer: Promise<Response>): Promise<unknown> {
  const response = await answer;
  const body = (await response.json()) as { readonly result?: unknown; readonly error?: { readonly code: string } };
  return [response.status, body.error === undefined ? body.result : body.error.code];
}

test('RV-64 a POST calls a function and gets its result, with the caller that a page has', async () => {
  const { post } = await start();
  const { result } = (await (await post('/call/app::echo', '{"n":1,"_caller":1}')).json()) as { result: Record<string, unknown> };
  const { session_id, ...caller } = result['_caller'] as Record<string, unknown>;
  expect([result['n'], caller]).toEqual([1, { kind: 'page', worker_id: null, identity: null, context: {} }]);
  expect(session_id).toEqual(expect.any(String));
  expect(await told(post('/call/app%3A%3Aecho', '7'))).toEqual([200, { value: 7, _caller: expect.anything() as unknown }]);
  expect(await told(post('/call/app::echo', ''))).toEqual([200, { value: null, _caller: expect.anything() as unknown }]);
});

test('RV-64 curl calls a function', async () => {
  const { url, worker } = await start();
  await worker.serve('app::add', (data) => {
    const { a, b } = data as { a: number; b: number };
    return a + b;
  });
  const arguments_ = ['-sS', '--json', '{"a":1,"b":2}', `${url}/call/app::add`];
  expect((await promisify(execFile)('curl', arguments_)).stdout).toBe('{"result":3}');
});

test('RV-64 an error has a status and a code', async () => {
  const { url, post, worker } = await start({ callTimeoutMs: 2_000 });
  await worker.serve('app::refuse', () => {
    throw new WorkerError({ code: 'NOT_OWNER', message: 'not yours' });
  });
  await worker.serve('app::crash', () => {
    throw new WorkerError({ code: 'invocation_failed', message: 'secret' });
  });
  await worker.serve('app::never', () => new Promise(() => {}));
  expect(await told(post('/call/app::refuse'))).toEqual([422, 'NOT_OWNER']);
  await worker.serve('app::busy', () => {
    throw new WorkerError({ code: 'OVERLOADED', message: 'the queue of orders is full' });
  });
  const busy = await post('/call/app::busy');
  const own = { code: 'OVERLOADED', message: 'the queue of orders is full', ran: true };
  expect([busy.status, await busy.json()]).toEqual([422, { error: own }]);
  const crash = await post('/call/app::crash');
  expect([crash.status, await crash.json()]).toEqual([
    500,
    {
      error: {
        code: 'invocation_failed',
        message: expect.not.stringContaining('secret') as unknown,
        errorId: expect.any(String) as unknown,
        ran: true,
      },
    },
  ]);
  expect(await told(post('/call/app::never'))).toEqual([504, 'TIMEOUT']);
  expect(await told(post('/call/app::none'))).toEqual([404, 'function_not_found']);
  expect(await told(post('/call/stream::set'))).toEqual([403, 'FORBIDDEN']);
  expect(await told(post('/call/'))).toEqual([400, 'deserialization_error']);
  for (const body of ['{', '[', `${'['.repeat(70)}${']'.repeat(70)}`])
    expect([body, await told(post('/call/app::echo', body))]).toEqual([body, [400, 'deserialization_error']]);
  for (const query of ['confirm=a', 'confirm=a/b/c', 'timeoutMs=0', 'timeoutMs=1e3', 'repeatedAfterMs=x', `${'confirm=a/b&'.repeat(9)}`])
    expect([query, await told(post(`/call/app::echo?${query}`))]).toEqual([query, [400, 'deserialization_error']]);
  expect(await told(post('/call/app::echo', '{}', { 'content-type': 'text/plain' }))).toEqual([400, 'INVALID_ARGUMENTS']);
  expect(await told(post('/call/app::echo', JSON.stringify('x'.repeat(262_144))))).toEqual([413, 'MESSAGE_TOO_LARGE']);
  expect((await fetch(`${url}/call/app::echo`)).status).toBe(426);
  const other = await start({ exposeFunctions: undefined });
  expect(await told(other.post('/call/app::echo'))).toEqual([403, 'FORBIDDEN']);
});

test('RV-64 a body of unknown length has the same bound', async () => {
  const { url } = await start();
  const piece = `"${'x'.repeat(65_536)}"`;
  const body = new ReadableStream({
    start(stream) {
      for (let n = 0; n < 5; n++) stream.enqueue(new TextEncoder().encode(piece));
      stream.close();
    },
  });
  const options = { method: 'POST', body, duplex: 'half', headers: JSON_TYPE };
  expect(await told(fetch(`${url}/call/app::echo`, options))).toEqual([413, 'MESSAGE_TOO_LARGE']);
});

test('RV-63, RV-64: the header Idempotency-Key makes a call run once', async () => {
  const { post, worker } = await start();
  let runs = 0;
  await worker.serve('app::count', () => ++runs);
  const key = { 'idempotency-key': 'k1' };
  expect([await told(post('/call/app::count', '{}', key)), await told(post('/call/app::count', '{}', key))]).toEqual([
    [200, 1],
    [200, 1],
  ]);
  expect(await told(post('/call/app::count', '{}', { 'idempotency-key': 'k2' }))).toEqual([200, 2]);
  expect(await told(post('/call/app::count?repeatedAfterMs=3600000', '{}', { 'idempotency-key': 'k3' }))).toEqual([409, 'OUTCOME_UNKNOWN']);
});

test('RV-63, RV-64: a call with a key goes on when its client leaves, and a repeat gets the result', async () => {
  const { url, post, worker } = await start();
  const answers: (() => void)[] = [];
  await worker.serve('app::slow', () => new Promise((resolve) => answers.push(() => resolve('done'))));
  const leaving = new AbortController();
  const first = fetch(`${url}/call/app::slow`, {
    method: 'POST',
    body: '{}',
    headers: { ...JSON_TYPE, 'idempotency-key': 'k' },
    signal: leaving.signal,
  });
  await expect.poll(() => answers.length).toBe(1);
  leaving.abort();
  await expect(first).rejects.toThrow('aborted');
  const repeat = post('/call/app::slow?repeatedAfterMs=5', '{}', { 'idempotency-key': 'k' });
  answers[0]?.();
  expect([await told(repeat), answers.length]).toEqual([[200, 'done'], 1]);
});

test('RV-62, RV-64: the answer has the positions of groups that the caller may read', async () => {
  const { post, worker } = await start({ authFunction: 'test::auth' });
  await worker.serve('test::auth', () => ({ identity: 'ann' }));
  await worker.serve('test::join', (data) => ({ unauthorized: (data as { stream_name: string }).stream_name === 'secret' }));
  await worker.bind('stream:join', 'test::join', {});
  await worker.serve('app::write', () => worker.result('stream::set', { stream_name: 'board', group_id: 'a/b', item_id: 'k', data: 1 }));
  const answer = await post('/call/app::write?confirm=board/a%252Fb&confirm=secret/x&confirm=board/empty');
  const { positions } = (await answer.json()) as { positions: unknown[] };
  expect(positions).toEqual([
    { streamName: 'board', groupId: 'a/b', epoch: expect.any(String) as unknown, offset: 1 },
    null,
    { streamName: 'board', groupId: 'empty', epoch: expect.any(String) as unknown, offset: 0 },
  ]);
});

test('RV-64 the auth function decides, before the body is read', async () => {
  const { url, post, worker } = await start({ authFunction: 'test::auth' });
  await worker.serve('test::auth', (data) => {
    const { authorization } = (data as { headers: { authorization?: string } }).headers;
    return authorization === 'Bearer ann' ? { identity: 'ann', forbidden_functions: ['app::hidden'] } : { unauthorized: true };
  });
  const ann = { authorization: 'Bearer ann' };
  expect(await told(post('/call/app::echo', '{}', ann))).toEqual([
    200,
    expect.objectContaining({ _caller: expect.objectContaining({ identity: 'ann' }) as unknown }),
  ]);
  expect(await told(post('/call/app::hidden', '{}', ann))).toEqual([403, 'FORBIDDEN']);
  const stranger = connect(Number(new URL(url).port), '127.0.0.1');
  stranger.write('POST /call/app::echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{');
  const [head] = (await once(stranger, 'data')) as [Buffer];
  stranger.destroy();
  expect(head.toString()).toContain('HTTP/1.1 401');
});

test('RV-64 a page of another origin calls after a preflight request, if its origin is allowed', async () => {
  const open = await start();
  const preflight = await fetch(`${open.url}/call/app::echo`, { method: 'OPTIONS', headers: { origin: 'https://a.example' } });
  const shown = ({ status, headers }: Response) => [
    status,
    ...['access-control-allow-origin', 'access-control-allow-methods', 'access-control-allow-headers'].map((name) => headers.get(name)),
  ];
  expect(shown(preflight)).toEqual([200, '*', 'POST', 'authorization, content-type, idempotency-key']);
  const { post } = await start({ allowedOrigins: ['https://a.example'] });
  const allowed = await post('/call/app::echo', '{}', { origin: 'https://a.example' });
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, 'https://a.example']);
  expect(await told(post('/call/app::echo', '{}', { origin: 'https://b.example' }))).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
});

test('RV-64 a call whose body comes after a disconnect of its identity does not run', async () => {
  const { url, worker } = await start({ authFunction: 'test::auth' });
  let asked = 0;
  await worker.serve('test::auth', () => {
    asked++;
    return { identity: 'ann' };
  });
  let runs = 0;
  await worker.serve('app::count', () => ++runs);
  const caller = connect(Number(new URL(url).port), '127.0.0.1');
  caller.write('POST /call/app::count HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{');
  await expect.poll(() => asked).toBe(1);
  // The answer of this call shows that the engine has the auth answer, which the worker sent before.
  await worker.result('engine::workers::list', {});
  await worker.result('engine::sessions::disconnect', { identity: 'ann' });
  caller.write('}');
  const [head] = (await once(caller, 'data')) as [Buffer];
  caller.destroy();
  expect([head.toString().split('\r\n')[0], runs]).toEqual(['HTTP/1.1 401 Unauthorized', 0]);
});

test('RV-64 an operator ends the calls of an identity', async () => {
  const { post, worker } = await start({ authFunction: 'test::auth' });
  await worker.serve('test::auth', () => ({ identity: 'ann' }));
  let isCalled = false;
  await worker.serve('app::slow', () => {
    isCalled = true;
    return new Promise(() => {});
  });
  const answer = told(post('/call/app::slow'));
  await expect.poll(() => isCalled).toBe(true);
  await worker.result('engine::sessions::disconnect', { identity: 'ann' });
  expect(await answer).toEqual([401, 'UNAUTHORIZED']);
});
