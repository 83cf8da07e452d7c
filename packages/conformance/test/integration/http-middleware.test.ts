import { startHttpEngine } from '@rivulet/testkit/engines/http-engine';
import { WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { expect, it } from 'vitest';

it('HT-10 middleware of the listener, condition, middleware of the route and function run in this order, with their inputs', async () => {
  const { serve, worker, fetch } = await startHttpEngine({ middleware: [{ functionId: 'mw::global', priority: 0 }] });
  const seen: [string, unknown, unknown][] = [];
  const noting = (name: string, answer: unknown) => (data: unknown, frame: Readonly<Record<string, unknown>>) => {
    seen.push([name, data, frame.metadata]);
    return answer;
  };
  await worker.serve('mw::global', noting('global', { action: 'continue' }));
  await worker.serve('mw::one', noting('one', undefined));
  await worker.serve('mw::two', noting('two', 'anything'));
  await worker.serve('cond::yes', noting('condition', null));
  const config = { condition_function_id: 'cond::yes', middleware_function_ids: ['mw::one', 'mw::two'] };
  await serve('/m/:id', noting('function', { body: 'done' }), { method: 'POST', config, metadata: { tenant: 'acme' } });
  const answer = await fetch('/m/7?q=1', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' });
  expect(await answer.json()).toBe('done');
  expect(seen.map(([name]) => name)).toEqual(['global', 'condition', 'one', 'two', 'function']);
  expect(seen.map(([, , metadata]) => metadata)).toEqual(Array.from({ length: 5 }, () => ({ tenant: 'acme' })));
  const headers = expect.objectContaining({ 'content-type': 'application/json' });
  const request = { path_params: { id: '7' }, query_params: { q: '1' }, headers, method: 'POST' };
  for (const at of [0, 2, 3]) expect(seen[at]?.[1]).toEqual({ phase: 'preHandler', request, context: {} });
  expect(seen[1]?.[1]).toEqual({ ...request, path: '/m/:id', trigger: { type: 'http', path: '/m/:id', method: 'POST' }, body: { a: 1 } });
});

it('HT-10 middleware that responds ends the request', async () => {
  const { serve, worker, fetch } = await startHttpEngine();
  let called = 0;
  await worker.serve('mw::stop', () => ({ action: 'respond', response: { status_code: 403, headers: { 'x-by': 'mw' }, body: { no: 1 } } }));
  await serve('/m', () => ++called, { config: { middleware_function_ids: ['mw::stop'] } });
  const answer = await fetch('/m');
  expect([answer.status, answer.headers.get('x-by'), await answer.json(), called]).toEqual([403, 'mw', { no: 1 }, 0]);
});

it('HT-10 middleware that fails is 500, also when it is not there', async () => {
  const { serve, worker, fetch } = await startHttpEngine();
  await worker.serve('mw::broken', () => {
    throw new WorkerError({ code: 'broken', message: 'no' });
  });
  for (const [id, code] of [
    ['mw::broken', 'broken'],
    ['mw::missing', 'function_not_found'],
  ]) {
    await serve(`/${id}`, () => ({}), { config: { middleware_function_ids: [id] } });
    const answer = await fetch(`/${id}`);
    expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([500, code]);
  }
});

it('HT-10 middleware that does not answer is 504', async () => {
  const { serve, worker, fetch } = await startHttpEngine({ defaultTimeoutMs: 100 });
  await worker.serve('mw::slow', () => new Promise(() => {}));
  await serve('/m', () => ({}), { config: { middleware_function_ids: ['mw::slow'] } });
  const answer = await fetch('/m');
  expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([504, 'MIDDLEWARE_TIMEOUT']);
});

it.each<[unknown, number]>([
  [false, 422],
  [true, 200],
  [null, 200],
  [undefined, 200],
  [0, 200],
  ['false', 200],
])('HT-10 a condition of %j is %i', async (verdict, status) => {
  const { serve, worker, fetch } = await startHttpEngine();
  await worker.serve('cond::it', () => verdict);
  await serve('/m', () => ({}), { config: { condition_function_id: 'cond::it' } });
  const answer = await fetch('/m');
  const refused = { error: { code: 'CONDITION_NOT_MET', message: expect.any(String) }, skipped: true };
  expect([answer.status, await answer.json()]).toEqual([status, status === 422 ? refused : {}]);
});

it('HT-10 a condition that fails is 500', async () => {
  const { serve, fetch } = await startHttpEngine();
  await serve('/m', () => ({}), { config: { condition_function_id: 'cond::missing' } });
  expect((await fetch('/m')).status).toBe(500);
});

it('C6 the context that middleware gives reaches later middleware, the condition and the function; a client can not forge it', async () => {
  const { serve, worker, fetch } = await startHttpEngine({ middleware: [{ functionId: 'mw::global', priority: 0 }] });
  const seen: [string, unknown][] = [];
  const noting = (name: string, answer: unknown) => (data: unknown) => {
    seen.push([name, (data as { readonly context?: unknown }).context]);
    return answer;
  };
  await worker.serve('mw::global', noting('global', { action: 'continue', context: { user: 'ada', role: 'guest' } }));
  await worker.serve('mw::one', noting('one', { context: { role: 'admin' } }));
  await worker.serve('mw::two', noting('two', { context: 'no object' }));
  await worker.serve('cond::yes', noting('condition', true));
  const config = { condition_function_id: 'cond::yes', middleware_function_ids: ['mw::one', 'mw::two'] };
  await serve('/m', noting('function', {}), { method: 'POST', config });
  const body = JSON.stringify({ context: { user: 'eve' } });
  const headers = { 'content-type': 'application/json', context: '{"user":"eve"}' };
  expect((await fetch('/m?context=eve', { method: 'POST', headers, body })).status).toBe(200);
  const both = { user: 'ada', role: 'admin' };
  expect(seen).toEqual([
    ['global', {}],
    ['condition', { user: 'ada', role: 'guest' }],
    ['one', { user: 'ada', role: 'guest' }],
    ['two', both],
    ['function', both],
  ]);
});

it('C6 a function without such middleware has no context, and one that is too large is 500', async () => {
  const { serve, worker, fetch } = await startHttpEngine();
  await worker.serve('mw::large', () => ({ context: { text: 'x'.repeat(70_000) } }));
  await serve('/plain', (input) => ({ body: Object.keys(input).includes('context') }));
  await serve('/large', () => ({}), { config: { middleware_function_ids: ['mw::large'] } });
  expect(await (await fetch('/plain?context=1')).json()).toBe(false);
  const answer = await fetch('/large');
  expect([answer.status, await answer.json()]).toMatchObject([500, { error: { code: 'VALUE_TOO_LARGE' } }]);
});
