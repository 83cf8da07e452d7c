import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, test } from 'vitest';
import { http, Logger, stream } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

test('HT-5 a handler of http() reads the request as a stream and streams the response', async () => {
  const { workerUrl, httpUrl } = await startTestEngine({ http: {} });
  const worker = connectWorker(workerUrl);
  worker.registerFunction(
    'app::upper',
    http(async (request, response) => {
      const text = (await request.request_body.readAll()).toString();
      response.status(201);
      response.headers({ 'content-type': 'text/plain', 'x-path': request.path });
      response.stream.write(text.toUpperCase());
      response.stream.end(`:${request.path_params.name}`);
    }),
  );
  worker.registerFunction(
    'app::value',
    http(async () => ({ status_code: 202, body: { ok: true } })),
  );
  worker.registerTrigger({ type: 'http', function_id: 'app::upper', config: { api_path: '/upper/:name', http_method: 'POST' } });
  worker.registerTrigger({ type: 'http', function_id: 'app::value', config: { api_path: '/value' } });
  await settled(worker);
  const streamed = await fetch(`${httpUrl}/upper/ann`, { method: 'POST', body: 'x'.repeat(200_000) });
  expect([streamed.status, streamed.headers.get('content-type'), streamed.headers.get('x-path')]).toEqual([
    201,
    'text/plain',
    '/upper/:name',
  ]);
  expect(await streamed.text()).toBe(`${'X'.repeat(200_000)}:ann`);
  const value = await fetch(`${httpUrl}/value`);
  expect([value.status, await value.json()]).toEqual([202, { ok: true }]);
});

test('a logger writes to the log of the engine', async () => {
  const { workerUrl, log } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  const logger = new Logger(undefined, 'chat', undefined, worker);
  logger.info('one', { n: 1 });
  logger.warn('two');
  new Logger(undefined, 'latest').error('three');
  await settled(worker);
  const lines = log.filter(({ event }) => event === 'worker_log').map(({ level, fields }) => [level, fields.service, fields.message]);
  expect(lines).toEqual([
    ['info', 'chat', 'one'],
    ['warn', 'chat', 'two'],
    ['error', 'latest', 'three'],
  ]);
});

test('ST-17 a stream of createStream is kept by its backend, also one that answers nothing', async () => {
  const { workerUrl } = await startTestEngine();
  const [executor, caller] = [connectWorker(workerUrl), connectWorker(workerUrl)];
  const items = new Map<string, unknown>();
  executor.createStream('presence', {
    get: async ({ item_id }) => items.get(item_id),
    set: async ({ item_id, data }) => void items.set(item_id, data),
    delete: async ({ item_id }) => void items.delete(item_id),
    list: async () => [...items.values()],
    listGroups: async () => ['g'],
  });
  await settled(executor);
  const presence = stream<{ user: string }>(caller);
  expect(await presence.set('presence', 'g', 'u', { user: 'ann' })).toEqual({ old_value: null, new_value: { user: 'ann' } });
  expect(items.get('u')).toEqual({ user: 'ann' });
  expect(await presence.list('presence', 'g')).toEqual([{ user: 'ann' }]);
  expect(await presence.listGroups('presence')).toEqual(['g']);
  await presence.delete('presence', 'g', 'u');
  expect(items.size).toBe(0);
});
