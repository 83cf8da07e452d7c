import { startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { type Frame, RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, it } from 'vitest';

const ERROR_ID = expect.stringMatching(/^[0-9a-f]{16}$/);

it('HT-6 with expose_error_messages a function that throws is 500 with its code, its message and an id that is in the log', async () => {
  const { serve, fetch, log } = await startHttpEngine({ exposeErrorMessages: true });
  await serve('/e', () => {
    throw new WorkerError({ code: 'invocation_failed', message: 'boom', stacktrace: 'secret' });
  });
  const answer = await fetch('/e');
  const body = (await answer.json()) as { error: { error_id: string } };
  expect([answer.status, body]).toEqual([500, { error: { code: 'invocation_failed', message: 'boom', error_id: ERROR_ID } }]);
  const lines = log.filter(({ event }) => event === 'http_request_failed');
  expect(lines.map(({ fields }) => fields)).toEqual([
    expect.objectContaining({ error_id: body.error.error_id, path: '/e', method: 'GET' }),
  ]);
});

it.each(['function', 'condition', 'middleware'])(
  'S38 D6 what a %s throws stays in the log, under the id that the client gets',
  async (thrower) => {
    const { serve, fetch, log, worker } = await startHttpEngine();
    const fail = () => {
      throw new WorkerError({ code: 'invocation_failed', message: 'secret db password', stacktrace: 'at /srv/app/secret.js:1' });
    };
    await worker.serve('test::thrower', fail);
    const config = {
      function: {},
      condition: { condition_function_id: 'test::thrower' },
      middleware: { middleware_function_ids: ['test::thrower'] },
    }[thrower];
    await serve('/e', thrower === 'function' ? fail : () => ({}), { config: config ?? {} });
    const answer = await fetch('/e');
    const text = await answer.text();
    expect([answer.status, text.includes('secret')]).toEqual([500, false]);
    const { error } = JSON.parse(text) as { error: { code: string; error_id: string } };
    expect(error).toEqual({
      code: 'invocation_failed',
      message: expect.stringContaining('under the id of this error'),
      error_id: ERROR_ID,
    });
    expect(log).toContainEqual(
      expect.objectContaining({
        event: 'function_failed',
        fields: expect.objectContaining({ error_id: error.error_id, message: 'secret db password' }),
      }),
    );
    expect(log.filter(({ event, fields }) => event === 'http_request_failed' && fields.error_id === error.error_id)).toHaveLength(1);
  },
);

it('C5 a code that a function chooses keeps its message', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/e', () => {
    throw new WorkerError({ code: 'NOT_OWNER', message: 'the room belongs to someone else' });
  });
  const answer = await fetch('/e');
  expect([answer.status, await answer.json()]).toEqual([
    500,
    { error: { code: 'NOT_OWNER', message: 'the room belongs to someone else', error_id: ERROR_ID } },
  ]);
});

it('C14 path_prefix may stand before every path, for a proxy that does not remove it', async () => {
  const { serve, fetch } = await startHttpEngine({ pathPrefix: '/rt' });
  await serve('/', () => ({ body: 'root' }));
  await serve('/u/:id', ({ path, path_params }) => ({ body: [path, path_params.id] }));
  expect(await (await fetch('/rt/u/7')).json()).toEqual(['/u/:id', '7']);
  expect(await (await fetch('/rt')).json()).toBe('root');
  expect(await (await fetch('/u/7')).json()).toEqual(['/u/:id', '7']);
  for (const path of ['/rtu/7', '/RT/u/7', '/rt/rt/u/7', '/rt/u/7/']) expect([path, (await fetch(path)).status]).toEqual([path, 404]);
});

it('decision 12: no HTTP client learns of a namespace, also through a worker that repeats the error', async () => {
  const { worker, workerUrl, serve, fetch } = await startHttpEngine();
  const other = await RawWorker.connect(workerUrl);
  await other.result('engine::workers::register', { name: 'w', namespace: 'hidden-name' });
  await other.serve('test::elsewhere', () => 1);
  await worker.bind('http', 'test::elsewhere', { api_path: '/direct' });
  await worker.bind('http', 'test::missing', { api_path: '/named' }, { namespace: 'hidden-name' });
  await serve('/repeated', async () => {
    const { error } = await worker.call('test::elsewhere', {});
    expect(JSON.stringify(error)).toContain('hidden-name');
    throw new WorkerError(error as Frame);
  });
  for (const path of ['/direct', '/named', '/repeated']) {
    const { error } = (await (await fetch(path)).json()) as { error: Frame };
    expect([path, error.code]).toEqual([path, 'function_not_found']);
    expect(JSON.stringify(error)).not.toMatch(/hidden-name|namespace/);
  }
});

it('HT-6 a function that is not there is 500', async () => {
  const { worker, fetch } = await startHttpEngine();
  await worker.bind('http', 'test::missing', { api_path: '/e' });
  const answer = await fetch('/e');
  expect([answer.status, await answer.json()]).toEqual([
    500,
    { error: { code: 'function_not_found', message: expect.stringContaining('test::missing'), error_id: ERROR_ID } },
  ]);
});

it('HT-6 a worker that dies is 500 at once, not at the time-out', async () => {
  const { worker, workerUrl, fetch } = await startHttpEngine();
  const dying = await RawWorker.connect(workerUrl);
  await dying.serve('test::dying', () => new Promise(() => {}));
  await worker.bind('http', 'test::dying', { api_path: '/e' });
  const answer = fetch('/e');
  await dying.take('invokefunction');
  await dying.close();
  expect([(await answer).status, await (await answer).json()]).toEqual([
    500,
    { error: { code: 'invocation_stopped', message: expect.any(String), error_id: ERROR_ID } },
  ]);
});

it('HT-7 404 before the trigger, 200 with it, 404 after it', async () => {
  const { serve, worker, fetch } = await startHttpEngine();
  const before = await fetch('/health');
  expect([before.status, await before.json()]).toEqual([404, { error: { code: 'NOT_FOUND', message: 'Not Found' } }]);
  const id = await serve('/health', () => ({ body: 'up' }));
  expect((await fetch('/health')).status).toBe(200);
  worker.send({ type: 'unregistertrigger', id });
  await worker.settled();
  expect((await fetch('/health')).status).toBe(404);
});

it('a path with another method is 405 with those that it has', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/m/:id', () => ({}), { method: 'POST' });
  await serve('/m/:id', () => ({}), { method: 'GET' });
  await serve('/m/x', () => ({}), { method: 'PUT' });
  const answer = await fetch('/m/x', { method: 'DELETE' });
  expect([answer.status, answer.headers.get('allow'), await answer.text()]).toEqual([405, 'GET, POST, PUT', '']);
  expect((await fetch('/m/x', { method: 'POST' })).status).toBe(200);
});

it('static segments win over parameters', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/u/:id', () => ({ body: 'parameter' }));
  await serve('/u/me', () => ({ body: 'static' }));
  await serve('/u/:id/x', () => ({ body: 'deeper' }));
  expect(await Promise.all(['/u/me', '/u/you', '/u/me/x'].map(async (path) => (await fetch(path)).json()))).toEqual([
    'static',
    'parameter',
    'deeper',
  ]);
});

it('HT-9 names of parameters that conflict are refused with both paths, and the first goes on', async () => {
  const { serve, worker, fetch } = await startHttpEngine();
  await serve('/a/:x', () => ({ body: 'first' }));
  worker.send({ type: 'registertrigger', id: 'second', trigger_type: 'http', function_id: 'f', config: { api_path: '/a/:y' } });
  const refused = await worker.take('triggerregistrationresult');
  expect(refused).toMatchObject({
    id: 'second',
    error: { code: 'trigger_registration_failed', message: expect.stringMatching(/\/a\/:y.*\/a\/:x/) },
  });
  expect(await (await fetch('/a/1')).json()).toBe('first');
  await serve('/a/:y', () => ({ body: 'other method' }), { method: 'POST' });
  expect(await (await fetch('/a/1', { method: 'POST' })).json()).toBe('other method');
});

it.each([
  [{}],
  [{ api_path: 7 }],
  [{ api_path: '/x', http_method: 'TRACE' }],
  [{ api_path: '/x', http_method: 7 }],
  [{ api_path: '/:' }],
  [{ api_path: '/:a/:a' }],
  [{ api_path: `/${'x'.repeat(2_048)}` }],
  [{ api_path: '/x', condition_function_id: 7 }],
  [{ api_path: '/x', middleware_function_ids: 'mw' }],
])('a trigger with the config %j is refused', async (config) => {
  const { worker } = await startHttpEngine();
  worker.send({ type: 'registertrigger', id: 't', trigger_type: 'http', function_id: 'f', config });
  expect(await worker.take('triggerregistrationresult')).toMatchObject({ id: 't', error: { code: 'trigger_registration_failed' } });
});

it('the newest trigger of a route serves; the one before it does so again when it goes', async () => {
  const { serve, worker, workerUrl, fetch } = await startHttpEngine();
  const first = await serve('/r', () => ({ body: 'first' }));
  const other = await RawWorker.connect(workerUrl);
  await other.serve('test::other', () => ({ body: 'second' }));
  await other.bind('http', 'test::other', { api_path: 'r' });
  expect(await (await fetch('/r')).json()).toBe('second');
  await other.closeSeenBy(worker);
  expect(await (await fetch('/r')).json()).toBe('first');
  worker.send({ type: 'unregistertrigger', id: first });
  await worker.settled();
  expect((await fetch('/r')).status).toBe(404);
});

it('HT-8 a function that does not answer in time is 504', async () => {
  const { serve, fetch } = await startHttpEngine({ defaultTimeoutMs: 100 });
  await serve('/slow', () => new Promise(() => {}));
  const answer = await fetch('/slow');
  expect([answer.status, await answer.json()]).toEqual([
    504,
    { error: { code: 'TIMEOUT', message: expect.stringContaining('100 ms'), error_id: ERROR_ID } },
  ]);
});

it('a body that never comes is 504 too, and the connection goes', async () => {
  const { serve, httpUrl } = await startHttpEngine({ defaultTimeoutMs: 100 });
  await serve('/slow', () => ({}), { method: 'POST' });
  const raw = await RawSocket.connect(httpUrl);
  raw.write('POST /slow HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{');
  expect((await raw.ended).status).toBe(504);
});
