import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, it } from 'vitest';
import { ask, askJson } from '../harness/admin-client.js';

type Rows = readonly Readonly<Record<string, unknown>>[];

async function rowsOf(url: string, path: string): Promise<Rows> {
  return ((await askJson(url, path)) as { rows: Rows }).rows;
}

const REQUEST = { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] };

async function start() {
  const started = await startTestEngine({ admin: {} });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.result('engine::workers::register', { name: 'mailer', namespace: 'default' });
  const register = (id: string, more: object = {}) => worker.send({ type: 'registerfunction', id, ...more });
  register('mail::send', {
    description: 'Sends a mail.',
    request_format: REQUEST,
    response_format: { type: 'null' },
    metadata: { team: 'a' },
  });
  await worker.settled();
  return { ...started, worker, register };
}

describe('workers', () => {
  it('are shown alone, with their functions and triggers', async () => {
    const { adminUrl, workerUrl, worker } = await start();
    const other = await RawWorker.connect(workerUrl);
    await other.serve('other::f', () => null);
    await worker.bind('stream', 'mail::send', { stream_name: 'chat' });
    const id = await worker.workerId();
    expect(await askJson(adminUrl, `/api/workers/${id}`)).toMatchObject({ process: 'main', worker_id: id, name: 'mailer', functions: 1 });
    expect(await rowsOf(adminUrl, `/api/functions?worker=${id}`)).toMatchObject([
      { function_id: 'mail::send', worker_id: id, worker_name: 'mailer' },
    ]);
    expect(await rowsOf(adminUrl, `/api/functions?worker=${id}&search=other`)).toEqual([]);
    expect(await rowsOf(adminUrl, `/api/triggers?worker=${id}`)).toMatchObject([{ trigger_type: 'stream', worker_id: id }]);
    expect(await rowsOf(adminUrl, '/api/functions?worker=nobody')).toEqual([]);
    expect(await rowsOf(adminUrl, '/api/functions?search=stream::set')).toMatchObject([
      { function_id: 'stream::set', worker_id: null, worker_name: 'engine' },
    ]);
  });
});

describe('functions', () => {
  it('show their schemas, those of the engine too', async () => {
    const { adminUrl } = await start();
    expect(await askJson(adminUrl, '/api/functions/mail::send')).toEqual({
      process: 'main',
      function_id: 'mail::send',
      namespace: 'default',
      worker_id: expect.any(String) as string,
      worker_name: 'mailer',
      description: 'Sends a mail.',
      registrants: 1,
      request_schema: REQUEST,
      response_schema: { type: 'null' },
      metadata: { team: 'a' },
    });
    expect(await askJson(adminUrl, '/api/functions/stream::set')).toMatchObject({
      worker_id: null,
      worker_name: 'engine',
      request_schema: { properties: { stream_name: {} } },
    });
  });

  it('leave out a schema that is too long, and say so', async () => {
    const { adminUrl, register, worker } = await start();
    register('big::f', { request_format: { text: 'x'.repeat(LIMITS.adminSchemaChars) }, metadata: { a: 1 } });
    register('wide::f', { response_format: Array.from({ length: 30_000 }, (_, n) => ({ n })) });
    await worker.settled();
    expect(await askJson(adminUrl, '/api/functions/big::f')).toMatchObject({
      request_schema: null,
      request_schema_left_out: true,
      response_schema: null,
      metadata: { a: 1 },
    });
    expect(await askJson(adminUrl, '/api/functions/wide::f')).toMatchObject({ response_schema: null, response_schema_left_out: true });
  });

  it('are found by namespace', async () => {
    const { adminUrl, workerUrl } = await start();
    const worker = await RawWorker.connect(workerUrl);
    await worker.result('engine::workers::register', { name: 'w', namespace: 'team' });
    worker.send({ type: 'registerfunction', id: 'mail::send', description: 'Of the team.' });
    await worker.settled();
    const shown = (query: string) => askJson(adminUrl, `/api/functions/mail::send${query}`);
    expect(await shown('?namespace=team')).toMatchObject({ namespace: 'team', description: 'Of the team.' });
    expect(await shown('?namespace=default')).toMatchObject({ namespace: 'default', description: 'Sends a mail.' });
    expect(await shown('')).toMatchObject({ namespace: 'team' });
    expect((await ask(adminUrl, '/api/functions/mail::send?namespace=none')).status).toBe(404);
  });
});

describe('triggers', () => {
  it('say what they wait for', async () => {
    const { adminUrl, worker } = await start();
    await worker.bind('stream', 'mail::send', { stream_name: 'chat' });
    await worker.bind('stream', 'mail::absent', { stream_name: 'chat' });
    await worker.bind('my::type', 'mail::send', { deep: { a: [1] } });
    await worker.bind('cron', 'mail::send', {});
    const rows = await rowsOf(adminUrl, '/api/triggers');
    const waits = rows.map(({ trigger_type, function_id, state, waits_for }) => [trigger_type, function_id, state, waits_for]);
    expect(waits).toHaveLength(4);
    expect(waits).toEqual(
      expect.arrayContaining([
        ['stream', 'mail::send', 'live', null],
        ['stream', 'mail::absent', 'live', { kind: 'function', id: 'mail::absent', remedy: null }],
        ['my::type', 'mail::send', 'waiting', { kind: 'trigger_type', id: 'my::type', remedy: null }],
        ['cron', 'mail::send', 'waiting', { kind: 'trigger_type', id: 'cron', remedy: 'bindings of this type never fire here' }],
      ]),
    );
    const own = rows.find(({ trigger_type }) => trigger_type === 'my::type');
    expect(await askJson(adminUrl, `/api/triggers/${encodeURIComponent(String(own?.id))}`)).toMatchObject({
      process: 'main',
      id: own?.id,
      config: { deep: { a: [1] } },
    });
  });

  it('show the keys of a config that is too long for a summary, and leave the config out', async () => {
    const { adminUrl, worker } = await start();
    await worker.bind('my::type', 'mail::send', { first: 'x'.repeat(LIMITS.adminSchemaChars), second: 2 });
    const [row] = await rowsOf(adminUrl, '/api/triggers');
    expect(row).toMatchObject({ config_summary: '{"first":…,"second":…}' });
    expect(await askJson(adminUrl, `/api/triggers/${encodeURIComponent(String(row?.id))}`)).toMatchObject({
      config: null,
      config_left_out: true,
    });
  });
});

it.each([
  ['/api/workers/nobody', 404, 'NOT_FOUND'],
  ['/api/functions/no::body', 404, 'NOT_FOUND'],
  ['/api/functions/__proto__', 404, 'NOT_FOUND'],
  ['/api/triggers/nothing', 404, 'NOT_FOUND'],
  ['/api/triggers/constructor', 404, 'NOT_FOUND'],
  ['/api/functions/a?namespace=a%20%00', 400, 'INVALID_NAMESPACE'],
  ['/api/functions/a?worker=b', 400, 'INVALID_ARGUMENTS'],
  ['/api/workers?worker=b', 400, 'INVALID_ARGUMENTS'],
  ['/api/workers/a?limit=1', 400, 'INVALID_ARGUMENTS'],
])('%s gets %i', async (path, status, code) => {
  const { adminUrl } = await startTestEngine({ admin: {} });
  const reply = await ask(adminUrl, path);
  expect([reply.status, (JSON.parse(reply.text) as { error: { code: string } }).error.code]).toEqual([status, code]);
});
