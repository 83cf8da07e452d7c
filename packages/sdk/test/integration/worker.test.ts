import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { connectOfficial } from '@rivulet/testkit/peers/official-worker';
import { expect, test } from 'vitest';
import { InvocationError, registerWorker, state, stream, TriggerAction } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

async function failure(running: Promise<unknown>): Promise<InvocationError> {
  const error = await running.then(
    (value) => expect.fail(`it answered ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InvocationError);
  return error as InvocationError;
}

async function pair() {
  const { workerUrl } = await startTestEngine();
  const [executor, caller] = [connectWorker(workerUrl, { workerName: 'executor' }), connectWorker(workerUrl, { workerName: 'caller' })];
  return { workerUrl, executor, caller };
}

test('a call reaches the handler with the id of its caller and its metadata, and answers what the handler returns', async () => {
  const { executor, caller } = await pair();
  executor.registerFunction('app::echo', (data: unknown, metadata) => Promise.resolve({ data, metadata }));
  await settled(executor);
  await settled(caller);
  const answer = await caller.trigger({ function_id: 'app::echo', payload: { n: 1 }, metadata: { tenant: 'acme' } });
  expect(answer).toEqual({ data: { n: 1, _caller_worker_id: caller.workerId }, metadata: { tenant: 'acme' } });
});

test('a handler that returns nothing, or no promise, is answered', async () => {
  const { executor, caller } = await pair();
  executor.registerFunction('app::nothing', () => undefined);
  executor.registerFunction('app::plain', (n: number) => n + 1);
  await settled(executor);
  expect(await caller.trigger({ function_id: 'app::nothing', payload: {} })).toBeUndefined();
  expect(await caller.trigger({ function_id: 'app::plain', payload: 1 })).toBe(2);
});

test('a handler that throws fails the call with invocation_failed, its message and its stack, whatever it throws', async () => {
  const { executor, caller } = await pair();
  executor.registerFunction('app::error', () => Promise.reject(new Error('boom')));
  executor.registerFunction('app::bare', () => {
    // oxlint-disable-next-line typescript/only-throw-error -- what it is about
    throw Object.create(null);
  });
  executor.registerFunction('app::cycle', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    return cycle;
  });
  await settled(executor);
  const error = await failure(caller.trigger({ function_id: 'app::error', payload: {} }));
  expect(error).toMatchObject({ code: 'invocation_failed', message: 'invocation_failed: boom', function_id: 'app::error' });
  expect(error.stacktrace).toContain('boom');
  expect((await failure(caller.trigger({ function_id: 'app::bare', payload: {} }))).code).toBe('invocation_failed');
  expect((await failure(caller.trigger({ function_id: 'app::cycle', payload: {} }))).code).toBe('serialization_error');
});

test('a missing function, a missing answer and an unreadable payload have codes of their own', async () => {
  const { executor, caller } = await pair();
  executor.registerFunction('app::never', () => new Promise(() => {}));
  await settled(executor);
  expect((await failure(caller.trigger({ function_id: 'app::missing', payload: {} }))).code).toBe('function_not_found');
  expect(await failure(caller.trigger({ function_id: 'app::never', payload: {}, timeoutMs: 20 }))).toMatchObject({
    code: 'TIMEOUT',
    message: 'TIMEOUT: invocation timed out after 20ms',
  });
  expect((await failure(caller.trigger({ function_id: 'app::x', payload: 1n }))).code).toBe('serialization_error');
  expect((await failure(caller.trigger({ function_id: 'app::x', payload: 'x'.repeat(17_000_000) }))).code).toBe('MESSAGE_TOO_LARGE');
  expect((await failure(caller.trigger({ function_id: '', payload: 1 }))).code).toBe('INVALID_ARGUMENTS');
  const enqueue = caller.trigger({ function_id: 'app::x', payload: 1, action: TriggerAction.Enqueue({ queue: 'q' }) });
  expect((await failure(enqueue)).code).toBe('enqueue_error');
});

test('a void call runs and answers nothing', async () => {
  const { executor, caller } = await pair();
  const ran = new Inbox<unknown>();
  executor.registerFunction('app::note', (data: unknown) => ran.push(data));
  await settled(executor);
  expect(await caller.trigger({ function_id: 'app::note', payload: 7, action: TriggerAction.Void() })).toBeUndefined();
  expect(await ran.take(() => true, 'the call')).toBe(7);
});

test('an unregistered function can not be called, and its id is free again', async () => {
  const { executor, caller } = await pair();
  const first = executor.registerFunction('app::f', () => 1);
  expect(() => executor.registerFunction('app::f', () => 2)).toThrow('already registered');
  first.unregister();
  await settled(executor);
  expect((await failure(caller.trigger({ function_id: 'app::f', payload: {} }))).code).toBe('function_not_found');
  executor.registerFunction('app::f', () => 2);
  first.unregister();
  await settled(executor);
  expect(await caller.trigger({ function_id: 'app::f', payload: {} })).toBe(2);
});

test('handlers beyond the bound are answered OVERLOADED and the others go on', async () => {
  const { workerUrl } = await startTestEngine();
  const executor = connectWorker(workerUrl, { maxRunningHandlers: 1 });
  const caller = connectWorker(workerUrl);
  let release: (value: string) => void = () => {};
  executor.registerFunction('app::slow', () => new Promise<string>((resolve) => (release = resolve)));
  await settled(executor);
  const first = caller.trigger({ function_id: 'app::slow', payload: {} });
  expect((await failure(caller.trigger({ function_id: 'app::slow', payload: {} }))).code).toBe('OVERLOADED');
  release('done');
  expect(await first).toBe('done');
});

test('a stream trigger fires until it is unregistered; typed streams and states say what is stored', async () => {
  const { executor, caller } = await pair();
  const fired = new Inbox<{ id: string }>();
  executor.registerFunction('app::on', (event: { id: string }) => fired.push(event));
  const trigger = executor.registerTrigger({ type: 'stream', function_id: 'app::on', config: { stream_name: 'chat' } });
  await settled(executor);
  const chat = stream<{ text: string }>(caller);
  expect(await chat.set('chat', 'r', 'm1', { text: 'hi' })).toEqual({ old_value: null, new_value: { text: 'hi' } });
  await fired.take(({ id }) => id === 'm1', 'm1');
  trigger.unregister();
  await settled(executor);
  await chat.update('chat', 'r', 'm1', [{ type: 'set', path: 'text', value: 'ho' }]);
  expect(await chat.get('chat', 'r', 'm1')).toEqual({ text: 'ho' });
  expect(await chat.list('chat', 'r')).toEqual([{ text: 'ho' }]);
  expect(await chat.listGroups('chat')).toEqual(['r']);
  await chat.send('chat', 'r', 'typing', {});
  expect(await chat.delete('chat', 'r', 'm1')).toEqual({ old_value: { text: 'ho' } });
  expect(await chat.get('chat', 'r', 'm1')).toBeUndefined();
  await settled(executor);
  expect(fired.all.map(({ id }) => id)).toEqual(['m1']);
  const counts = state<number>(caller);
  await counts.set('s', 'k', 1);
  expect(await counts.list('s')).toEqual([1]);
  expect(await counts.listGroups()).toEqual(['s']);
  expect(await counts.delete('s', 'k')).toBe(1);
  expect(await counts.get('s', 'k')).toBeUndefined();
});

test('a provider gets bindings and their ends, and fires them', async () => {
  const { executor, caller } = await pair();
  const bound = new Inbox<{ id: string; function_id: string; config: unknown }>();
  const ended = new Inbox<{ id: string }>();
  executor.registerTriggerType<{ path: string }>(
    { id: 'hook', description: 'a hook' },
    {
      registerTrigger: async (binding) => bound.push(binding),
      unregisterTrigger: async (binding) => ended.push(binding),
    },
  );
  await settled(executor);
  const ran = new Inbox<unknown>();
  caller.registerFunction('app::hook', (data: unknown) => ran.push(data));
  const trigger = caller.registerTrigger({ type: 'hook', function_id: 'app::hook', config: { path: '/x' }, metadata: { m: 1 } });
  const binding = await bound.take(() => true, 'the binding');
  expect(binding).toEqual({ id: binding.id, function_id: 'app::hook', config: { path: '/x' }, metadata: { m: 1 } });
  await executor.trigger({ function_id: binding.function_id, payload: 5 });
  expect(ran.all).toEqual([5]);
  trigger.unregister();
  expect((await ended.take(() => true, 'the end')).id).toBe(binding.id);
});

test('the refusal of a provider is reported to the worker that registered the trigger', async () => {
  const { workerUrl } = await startTestEngine();
  const warned = new Inbox<string>();
  const executor = connectWorker(workerUrl);
  const caller = connectWorker(workerUrl, { onWarning: (code) => warned.push(code) });
  executor.registerTriggerType(
    { id: 'hook', description: '' },
    { registerTrigger: () => Promise.reject(new Error('no')), unregisterTrigger: async () => {} },
  );
  await settled(executor);
  caller.registerTrigger({ type: 'hook', function_id: 'app::f', config: {} });
  expect(await warned.take(() => true, 'a warning')).toBe('trigger_registration_failed');
});

test('lists name what is registered, and onFunctionsAvailable reports a new function until it is ended', async () => {
  const { executor, caller } = await pair();
  const seen = new Inbox<string[]>();
  const end = caller.onFunctionsAvailable((functions) => seen.push(functions.map(({ function_id }) => function_id)));
  await settled(caller);
  executor.registerFunction('app::f', () => 1, { description: 'd' });
  executor.registerTrigger({ type: 'stream', function_id: 'app::f', config: {} });
  await settled(executor);
  await seen.take((ids) => ids.includes('app::f'), 'the function');
  end();
  expect((await caller.listFunctions()).find(({ function_id }) => function_id === 'app::f')?.description).toBe('d');
  expect((await caller.listTriggers()).map(({ function_id }) => function_id)).toContain('app::f');
  expect((await caller.listTriggerTypes()).map(({ id }) => id)).toContain('stream');
  const row = (await caller.listWorkers()).find(({ name }) => name === 'executor');
  expect(row).toMatchObject({ runtime: 'node', version: '0.22.1', pid: process.pid, functions: ['app::f'] });
});

test.each(['0.11.6', '0.22.1'] as const)('SM-1 it calls iii-sdk %s and is called by it', async (version) => {
  const { executor, workerUrl } = await pair();
  const official = await connectOfficial(version, workerUrl);
  official.registerFunction('app::theirs', (data) => Promise.resolve({ theirs: data }));
  executor.registerFunction('app::ours', (data: unknown) => ({ ours: data }));
  await official.settled();
  await settled(executor);
  expect(await executor.trigger({ function_id: 'app::theirs', payload: 1 })).toEqual({ theirs: 1 });
  expect(await official.call('app::ours', 2)).toEqual({ ours: 2 });
});

test('an address that is no WebSocket URL is refused at once, with what to do', () => {
  for (const address of ['localhost', 'http://localhost:49134', ''])
    expect(() => registerWorker(address)).toThrow('INVALID_ARGUMENTS: the address of the engine must be a ws:// or wss:// URL');
});

test('a listener, a warning and a void call that fail end nothing', async () => {
  const { workerUrl } = await startTestEngine();
  const warnings = new Inbox<{ readonly code: string }>();
  const worker = connectWorker(workerUrl, {
    onWarning: (code) => {
      warnings.push({ code });
      throw new Error('a warning too many');
    },
  });
  worker.onConnectionState(() => {
    throw new Error('no');
  });
  await settled(worker);
  void worker.trigger({ function_id: 'app::x', payload: 1n, action: TriggerAction.Void() });
  await warnings.take(({ code }) => code === 'serialization_error', 'the void call');
  await settled(worker);
});

test('any number of drains are one, without a bound if the caller wants none; close does not wait for them', async () => {
  const { workerUrl } = await startTestEngine();
  const caller = connectWorker(workerUrl);
  const begun = new Inbox<() => void>();
  const call = async () => {
    const worker = connectWorker(workerUrl);
    worker.registerFunction('app::slow', () => new Promise<number>((resolve) => begun.push(() => resolve(1))));
    await settled(worker);
    const running = caller.trigger({ function_id: 'app::slow', payload: {} }).catch((error: InvocationError) => error.code);
    const end = await begun.take(() => true, 'the call');
    return { worker, running, end, drains: [worker.drain(Number.POSITIVE_INFINITY), worker.drain(1)] };
  };
  const first = await call();
  await settled(caller);
  expect(first.worker.connectionState.kind).toBe('open');
  first.end();
  expect(await first.running).toBe(1);
  await Promise.all(first.drains);
  const second = await call();
  await second.worker.close();
  await Promise.all(second.drains);
  expect(await second.running).toBe('invocation_stopped');
});

test('drain ends what runs, takes nothing new, and closes', async () => {
  const { executor, caller } = await pair();
  let release: (value: string) => void = () => {};
  const begun = new Inbox<boolean>();
  executor.registerFunction('app::slow', () => {
    begun.push(true);
    return new Promise<string>((resolve) => (release = resolve));
  });
  await settled(executor);
  const running = caller.trigger({ function_id: 'app::slow', payload: {} });
  await begun.take(() => true, 'the call');
  const drained = executor.drain();
  await settled(caller);
  expect((await failure(caller.trigger({ function_id: 'app::slow', payload: {} }))).code).toBe('function_not_found');
  release('done');
  expect(await running).toBe('done');
  await drained;
  expect(executor.connectionState.kind).toBe('closed');
  expect((await failure(executor.trigger({ function_id: 'app::x', payload: {} }))).code).toBe('WORKER_CLOSED');
});
