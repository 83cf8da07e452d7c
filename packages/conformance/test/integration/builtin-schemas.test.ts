import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { z } from 'zod';

type Schema = Parameters<typeof z.fromJSONSchema>[0];

async function start() {
  const engine = await startTestEngine({ http: {} });
  const worker = await RawWorker.connect(engine.workerUrl);
  const { functions } = (await worker.result('engine::functions::list', { include_internal: true })) as { functions: Frame[] };
  const builtins = functions.filter((row) => row.worker_name === 'engine');
  return { ...engine, worker, builtins };
}

it('every function of the engine publishes JSON schemas, under the new names and the old ones', async () => {
  const { worker, builtins } = await start();
  expect(builtins.length).toBeGreaterThan(35);
  for (const row of builtins) {
    const { request_schema: request, response_schema: response } = row;
    expect([row.function_id, (request as Frame).$schema]).toEqual([row.function_id, 'https://json-schema.org/draft/2020-12/schema']);
    expect((response as Frame).$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    expect([row.request_format, row.response_format]).toEqual([request, response]);
    expect((await worker.result('engine::functions::info', { function_id: row.function_id })) as Frame).toMatchObject({
      request_schema: request,
    });
  }
  const set = builtins.find((row) => row.function_id === 'stream::set')?.request_schema as { required: string[]; properties: Frame };
  expect(set.required.toSorted()).toEqual(['data', 'group_id', 'item_id', 'stream_name']);
  expect(Object.keys(set.properties)).toEqual(expect.arrayContaining(['data', 'ttl_ms', 'if_version', 'idempotency_key']));
  const { triggers } = (await worker.result('engine::triggers::list', { include_internal: true })) as { triggers: Frame[] };
  for (const type of triggers) expect(type.trigger_request_format).toMatchObject({ type: 'object' });
});

const VALID: Readonly<Record<string, Frame>> = {
  'stream::set': { stream_name: 's', group_id: 'g', item_id: 'i', data: { a: 1 } },
  'stream::get': { stream_name: 's', group_id: 'g', item_id: 'i' },
  'stream::delete': { stream_name: 's', group_id: 'g', item_id: 'i' },
  'stream::list': { stream_name: 's', group_id: 'g' },
  'stream::list_groups': { stream_name: 's' },
  'stream::list_all': {},
  'stream::send': { stream_name: 's', group_id: 'g', type: 't', data: 1 },
  'stream::update': { stream_name: 's', group_id: 'g', item_id: 'u', ops: [{ type: 'set', path: 'a', value: 1 }] },
  'stream::batch': { stream_name: 's', group_id: 'b', writes: [{ type: 'set', item_id: 'i', data: 1 }] },
  'state::set': { scope: 's', key: 'k', value: 1 },
  'state::get': { scope: 's', key: 'k' },
  'state::delete': { scope: 's', key: 'k' },
  'state::list': { scope: 's' },
  'state::list_groups': {},
  'state::update': { scope: 's', key: 'u', ops: [{ type: 'increment', path: 'n', by: 1 }] },
  publish: { topic: 't', data: 1 },
  'engine::functions::list': {},
  'engine::functions::info': { function_id: 'publish' },
  'engine::workers::list': {},
  'engine::triggers::list': {},
  'engine::trigger-types::list': {},
  'engine::registered-triggers::list': {},
  'engine::channels::create': {},
  'engine::stream-sessions::list': {},
};

/** Codes of bounds that JSON Schema can't express: sizes in bytes, and rules about two fields together. */
const BEYOND = new Set(['INVALID_ID', 'INVALID_ARGUMENTS', 'NOT_FOUND', 'topic_not_set', 'OVERLOADED']);

it('the published schema and the function agree on what they take, and the answer keeps the published shape', async () => {
  const { worker, builtins } = await start();
  const schemas = new Map(
    builtins.map((row) => [
      row.function_id as string,
      { request: z.fromJSONSchema(row.request_schema as Schema), response: z.fromJSONSchema(row.response_schema as Schema) },
    ]),
  );
  const value = fc.oneof(fc.constantFrom(null, true, 0, 1, -1, 2.5, '', 'x', [], {}, [1], ['x'], [{}]), fc.jsonValue({ maxDepth: 2 }));
  for (const [id, valid] of Object.entries(VALID)) {
    const { request, response } = schemas.get(id) ?? {};
    const row = builtins.find(({ function_id: each }) => each === id) as Frame;
    const fields = Object.keys((row.request_schema as { properties?: Frame }).properties ?? {});
    const changed = fc.dictionary(fc.constantFrom('', ...fields), value, { maxKeys: 2 });
    const removed = fc.option(fc.constantFrom('', ...Object.keys(valid)), { freq: 4 });
    await fc.assert(
      fc.asyncProperty(changed, removed, async (more, without) => {
        const input = Object.fromEntries(Object.entries({ ...valid, ...more }).filter(([name]) => name !== '' && name !== without));
        const answer = await worker.call(id, input);
        const error = answer.error as { code: string; message: string } | undefined;
        if (error !== undefined && BEYOND.has(error.code)) return;
        const takes = request?.safeParse(input).success;
        // JSON Schema does not express that two fields exclude each other.
        if (error?.message.includes('exclude each other')) return;
        // The schema does not say that one of `value` and `data` is required.
        if (id === 'state::set' && error?.message.endsWith('is required')) return;
        expect([id, input, takes, error]).toEqual([id, input, error === undefined, error]);
        const fits = error !== undefined || !('result' in answer) || response?.safeParse(answer.result).success;
        expect([id, answer.result, fits]).toEqual([id, answer.result, true]);
      }),
      { numRuns: 40, seed: 11 },
    );
  }
});

it('a row names the worker, its namespace and how many of its name are connected; lists can be narrowed', async () => {
  const { workerUrl } = await startTestEngine();
  const [one, two, unnamed] = await Promise.all([RawWorker.connect(workerUrl), RawWorker.connect(workerUrl), RawWorker.connect(workerUrl)]);
  for (const worker of [one, two]) await worker.result('engine::workers::register', { name: 'chat', pid: 1, namespace: 'tenant' });
  await one.serve('chat::send', () => 1);
  await unnamed.serve('orders::list', () => 1);
  unnamed.send({ type: 'registertriggertype', id: 'hooks::push', description: 'x' });
  await unnamed.settled();
  const rows = async (id: string, input: Frame, list: string) =>
    ((await one.result(id, input)) as Readonly<Record<string, Frame[]>>)[list] ?? [];
  const workers = await rows('engine::workers::list', { search: 'chat' }, 'workers');
  expect(workers.map(({ namespace, instance_count: count }) => [namespace, count])).toEqual([
    ['tenant', 2],
    ['tenant', 2],
  ]);
  expect(await rows('engine::functions::list', { prefix: 'chat::' }, 'functions')).toMatchObject([
    { worker_name: 'chat', namespace: 'tenant' },
  ]);
  expect(await rows('engine::functions::list', { search: 'ORDERS' }, 'functions')).toMatchObject([
    { worker_name: 'orders', namespace: 'default' },
  ]);
  expect(await rows('engine::functions::list', { namespace: 'tenant' }, 'functions')).toMatchObject([{ function_id: 'chat::send' }]);
  const types = (input: Frame) => rows('engine::triggers::list', input, 'triggers').then((found) => found.map(({ id }) => id));
  expect(await types({ worker: 'hooks' })).toEqual(['hooks::push']);
  expect(await types({ prefix: 'stream:' })).toEqual(['stream:join', 'stream:leave']);
  expect(await types({ search: 'PUSH' })).toEqual(['hooks::push']);
  expect(await types({ search: 'nothing' })).toEqual([]);
});
