import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';
import { type RecordedSpan, startTraced, triggersBelongToWrites } from '../harness/traced-engine.js';

const TRACED_WORKER = fileURLToPath(new URL('../harness/traced-worker.mjs', import.meta.url));
const INTERNAL = 0;
const SERVER = 1;
const ERROR = 2;

function newContext() {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

const traceparentOf = ({ traceId, spanId }: RecordedSpan) => `00-${traceId}-${spanId}-01`;

test('a trace leads from an official SDK through calls, a write and triggers, and shows no data', async () => {
  const { engine, worker, spans } = await startTraced();
  await worker.serve('app::on-stream', (data) => worker.result('state::set', { scope: 'secret-scope', key: 'secret-key', value: data }));
  await worker.bind('stream', 'app::on-stream', { stream_name: 'orders' });
  await worker.serve('app::on-state', () => null);
  await worker.bind('state', 'app::on-state', {});
  const caller = newContext();
  const env = { ...process.env, OTEL_ENABLED: 'true' };
  const { stdout } = await promisify(execFile)(process.execPath, [TRACED_WORKER, engine.workerUrl, caller.traceId, caller.spanId], { env });
  const executed = JSON.parse(/^\{.*\}$/m.exec(stdout)?.[0] ?? '') as { readonly spanId: string; readonly parentId: string };
  const fired = await worker.take('invokefunction', ({ function_id }) => function_id === 'app::on-state');
  await worker.settled();
  const recorded = await spans();
  const ordered = recorded.one('call app::order');
  expect(ordered).toMatchObject({ kind: SERVER, parentId: caller.spanId, traceId: caller.traceId });
  expect(ordered.attributes).toMatchObject({ 'rivulet.function': 'app::order', 'rivulet.caller': 'worker', 'rivulet.outcome': 'ok' });
  expect(ordered.attributes['rivulet.worker_id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(executed.parentId).toBe(ordered.spanId);
  const set = recorded.one('call stream::set');
  expect(set).toMatchObject({ kind: SERVER, parentId: executed.spanId });
  const write = recorded.one('stream.set');
  expect(write).toMatchObject({ kind: INTERNAL, parentId: set.spanId });
  expect(write.attributes).toEqual({ 'rivulet.stream': 'orders', 'rivulet.changes': 1, 'rivulet.outcome': 'ok' });
  const missing = recorded.one('call');
  expect(missing).toMatchObject({ parentId: executed.spanId, status: { code: ERROR, message: 'function_not_found' } });
  expect(missing.attributes).toMatchObject({ 'error.type': 'function_not_found', 'rivulet.function': 'app::missing' });
  const trigger = recorded.one('trigger stream');
  expect(trigger).toMatchObject({ kind: INTERNAL, parentId: write.spanId });
  expect(trigger.attributes).toMatchObject({ 'rivulet.trigger.type': 'stream', 'rivulet.function': 'app::on-stream' });
  const onStream = recorded.one('call app::on-stream');
  expect(onStream).toMatchObject({ kind: INTERNAL, parentId: trigger.spanId, attributes: { 'rivulet.caller': 'trigger' } });
  // The raw worker sent no `traceparent` with its write of state, so that write begins a trace of its own.
  const stateSet = recorded.one('call state::set');
  expect(stateSet.parentId).toBeUndefined();
  expect(recorded.one('state.set')).toMatchObject({ parentId: stateSet.spanId, attributes: { 'rivulet.changes': 1 } });
  expect(recorded.one('trigger state').parentId).toBe(recorded.one('state.set').spanId);
  const onState = recorded.one('call app::on-state');
  expect(onState.parentId).toBe(recorded.one('trigger state').spanId);
  expect(fired.traceparent).toBe(traceparentOf(onState));
  const tree = [ordered, set, write, missing, trigger, onStream];
  expect(new Set(tree.map(({ traceId }) => traceId))).toEqual(new Set([caller.traceId]));
  expect(recorded.text).not.toContain('secret');
});

test.each(['in_memory', 'file_based'] as const)('a trigger belongs to the write that fired it, in a store %s', async (storeMethod) => {
  await triggersBelongToWrites({ storeMethod });
});

test('the span of an HTTP request continues the trace of its client, and the function gets the span of its call', async () => {
  const { engine, worker, spans } = await startTraced();
  await worker.serve('app::page', (_data, { traceparent }) => ({ status_code: 201, body: { traceparent } }));
  await worker.serve('app::fails', () => {
    throw new WorkerError({ code: 'BROKEN', message: 'secret' });
  });
  await worker.bind('http', 'app::page', { api_path: '/orders/:id', http_method: 'GET' });
  await worker.bind('http', 'app::fails', { api_path: '/fails', http_method: 'POST' });
  const client = newContext();
  const response = await fetch(`${engine.httpUrl}/orders/7?token=secret`, {
    headers: { traceparent: client.traceparent, baggage: 'k=secret', authorization: 'Bearer secret' },
  });
  const body = (await response.json()) as { traceparent: string };
  expect(response.status).toBe(201);
  expect((await worker.take('invokefunction')).baggage).toBe('k=secret');
  expect((await fetch(`${engine.httpUrl}/fails`, { method: 'POST' })).status).toBe(500);
  expect((await fetch(`${engine.httpUrl}/nowhere`)).status).toBe(404);
  const recorded = await spans();
  const request = recorded.one('GET /orders/:id');
  expect(request).toMatchObject({ kind: SERVER, traceId: client.traceId, parentId: client.spanId, status: { code: 0 } });
  expect(request.attributes).toEqual({
    'http.request.method': 'GET',
    'http.response.status_code': 201,
    'http.route': '/orders/:id',
    'url.path': '/orders/7',
    'url.scheme': 'http',
  });
  const called = recorded.one('call app::page');
  expect(called).toMatchObject({ kind: INTERNAL, parentId: request.spanId, attributes: { 'rivulet.caller': 'http' } });
  expect(body.traceparent).toBe(traceparentOf(called));
  const failed = recorded.one('POST /fails');
  expect(failed).toMatchObject({ status: { code: ERROR }, attributes: { 'http.response.status_code': 500, 'error.type': '500' } });
  expect(recorded.one('call app::fails')).toMatchObject({ parentId: failed.spanId, status: { code: ERROR, message: 'BROKEN' } });
  expect(recorded.one('GET')).toMatchObject({ status: { code: 0 }, attributes: { 'http.response.status_code': 404 } });
  expect(recorded.text).not.toContain('secret');
});

test('a call that the engine refuses, and one whose caller leaves, have a span; 1,000 deliveries have none', async () => {
  const { engine, worker, spans } = await startTraced();
  const client = await StreamSocket.open(engine.streamUrl);
  client.join('s1', 'prices', 'all');
  await client.take('sync');
  const deliveries = 1_000;
  const writes = Array.from({ length: deliveries / 10 }, (_, index) => ({ type: 'set', item_id: `i${index}`, data: index }));
  for (let n = 0; n < 10; n++) await worker.result('stream::batch', { stream_name: 'prices', group_id: 'all', writes });
  for (let n = 0; n < deliveries; n++)
    await client.inbox.take(({ event }) => event.type === 'create' || event.type === 'update', 'a delivery');
  await worker.serve('app::slow', () => new Promise(() => {}));
  const caller = await RawWorker.connect(engine.workerUrl);
  caller.send({ type: 'invokefunction', invocation_id: 'f2a3c1de-0000-4000-8000-000000000001', function_id: 'app::slow', data: {} });
  await worker.take('invokefunction');
  const queued = await caller.call('stream::set', {}, { action: { type: 'enqueue', queue: 'q' } });
  await caller.closeSeenBy(worker);
  const recorded = await spans();
  expect(queued.error).toMatchObject({ code: 'enqueue_error' });
  expect(recorded.one('call')).toMatchObject({ attributes: { 'rivulet.function': 'stream::set', 'error.type': 'enqueue_error' } });
  expect(recorded.one('call app::slow').attributes).toMatchObject({ 'rivulet.outcome': 'cancelled' });
  const ofDeliveries = recorded.all.filter(({ name }) => !name.startsWith('call'));
  expect(ofDeliveries.map(({ name }) => name).filter((name) => name !== 'trigger engine::workers-available')).toEqual(
    Array(10).fill('stream.batch'),
  );
  expect(ofDeliveries[0]?.attributes).toMatchObject({ 'rivulet.changes': 100 });
});

test('no span is named after a function or a route of a guest', async () => {
  const { engine, worker, spans } = await startTraced({
    config: (ports) => `workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${ports.worker} }
  - name: iii-worker-manager
    config:
      host: 127.0.0.1
      port: ${ports.guest}
      rbac: { auth_function_id: app::auth }
  - name: iii-http
    config: { host: 127.0.0.1, port: ${ports.http} }
`,
  });
  await worker.serve('app::auth', () => ({ allowed_trigger_types: ['http'] }));
  const guest = await RawWorker.connect(engine.guestUrl);
  await guest.serve('any-name', () => ({ body: 1 }));
  await guest.bind('http', 'any-name', { api_path: '/any/:path', http_method: 'GET' });
  expect((await fetch(`${engine.httpUrl}/any/1`)).status).toBe(200);
  const recorded = await spans();
  const names = new Set(recorded.all.map(({ name }) => name).filter((name) => !name.startsWith('call engine::')));
  expect(names).toEqual(new Set(['call app::auth', 'call', 'GET']));
  const request = recorded.one('GET').attributes;
  expect(request).toMatchObject({ 'url.path': '/any/1', 'http.response.status_code': 200 });
  expect(request).not.toHaveProperty('http.route');
  const called = recorded.all.filter(({ attributes }) => attributes['rivulet.function'] === 'any-name');
  expect(called.map(({ name, parentId }) => [name, parentId])).toEqual([['call', recorded.one('GET').spanId]]);
});

test('without an SDK the trace of a caller reaches the function byte for byte', async () => {
  const engine = await EngineProcess.start();
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.serve('app::echo', (_data, { traceparent, baggage }) => ({ traceparent, baggage }));
  for (const trace of [
    { traceparent: newContext().traceparent, baggage: 'a=1,b=%20;p' },
    { traceparent: 'ZZ not a trace', baggage: '=' },
    { traceparent: '', baggage: '' },
  ])
    expect(await worker.call('app::echo', {}, trace)).toMatchObject({ result: trace, ...trace });
  expect(engine.log).not.toContain('tracing_enabled');
});

test('an SDK without a propagator makes spans, and the trace of a caller goes on unchanged', async () => {
  const { worker, spans } = await startTraced({ fault: 'no propagator' });
  const { traceparent } = newContext();
  await worker.serve('app::echo', (_data, frame) => frame.traceparent);
  expect(await worker.call('app::echo', {}, { traceparent })).toMatchObject({ result: traceparent, traceparent });
  expect((await spans()).one('call app::echo').parentId).toBeUndefined();
});

test.each([
  // When the SDK fails to begin a span, the caller's own context goes on.
  { fault: 'onStart', forwards: 'the context of the caller' },
  { fault: 'onEnd', forwards: 'that of the span' },
])('an SDK that fails ($fault) breaks no call, no write, no trigger and no stop', async ({ fault, forwards }) => {
  const { engine, worker, spans } = await startTraced({ fault });
  await worker.serve('app::on-stream', () => null);
  await worker.bind('stream', 'app::on-stream', { stream_name: 'orders' });
  const { traceparent } = newContext();
  await worker.serve('app::echo', (_data, frame) => ({ body: frame.traceparent ?? null }));
  await worker.bind('http', 'app::echo', { api_path: '/echo', http_method: 'GET' });
  for (let n = 0; n < 5; n++) {
    const { body } = (await worker.call('app::echo', {}, { traceparent })).result as { body: string };
    expect(body === traceparent ? 'the context of the caller' : 'that of the span').toBe(forwards);
    await worker.result('stream::set', { stream_name: 'orders', group_id: 'g', item_id: 'i', data: n });
    await worker.take('invokefunction', ({ function_id }) => function_id === 'app::on-stream');
    expect((await fetch(`${engine.httpUrl}/echo`)).status).toBe(200);
  }
  await spans();
  expect(engine.log.match(/tracing_failed/g)).toHaveLength(1);
  expect(engine.log).not.toContain('background_failed');
});

/** Collects the spans that arrive at an address of OTLP over HTTP, as JSON. */
async function startCollector() {
  const names = new Inbox<{ readonly name: string; readonly service: string }>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString()) as OtlpTraces;
      for (const { resource, scopeSpans } of resourceSpans) {
        const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        for (const { name } of scopeSpans.flatMap(({ spans }) => spans)) names.push({ name, service });
      }
      response.setHeader('content-type', 'application/json');
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { names, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[] };
    readonly scopeSpans: readonly { readonly spans: readonly { readonly name: string }[] }[];
  }[];
}

test('the set-up of docs/tracing.md sends spans to a collector, and its packages have the versions of this test', async () => {
  const document = readFileSync(new URL('../../../../docs/tracing.md', import.meta.url), 'utf8');
  const program = /```js\n(.*?)```/s.exec(document)?.[1] ?? '';
  const packages = [...(/npm install (.*)/.exec(document)?.[1] ?? '').matchAll(/(\S+)@(\d\S*)/g)];
  const { devDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const directory = directoryWith({ 'tracing.mjs': program });
  for (const [, name = '', version] of packages) {
    expect(`${name}@${devDependencies[name]}`).toBe(`${name}@${version}`);
    const link = join(directory, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(dirname(findPackageJSON(name)), link);
  }
  expect(packages).toHaveLength(program.match(/^import /gm)?.length ?? 0);
  const collector = await startCollector();
  const engine = await EngineProcess.start({
    env: { NODE_OPTIONS: `--import ${join(directory, 'tracing.mjs')}`, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
  });
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.result('stream::set', { stream_name: 'orders', group_id: 'g', item_id: 'i', data: 1 });
  // The spans wait in a batch. The engine sends them when it stops.
  expect(await engine.stop()).toBe(0);
  expect(await collector.names.take(({ name }) => name === 'stream.set', 'the span of the write')).toEqual({
    name: 'stream.set',
    service: 'rivulet',
  });
});

/** Returns the manifest of a package that this one may import. */
function findPackageJSON(name: string): string {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return folders.map((folder) => join(folder, name, 'package.json')).find((file) => existsSync(file)) ?? '';
}
