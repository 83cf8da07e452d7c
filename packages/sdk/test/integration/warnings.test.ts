import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type InitOptions, type InvocationError, Logger, registerWorker, stream, TriggerAction } from '../../src/index.js';
import { connectWorker } from '../connect-worker.js';

/** An address at which nothing listens. */
const NOWHERE = 'ws://127.0.0.1:9';
const action = TriggerAction.Void();
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function quietConsole(level: 'info' | 'warn' | 'error') {
  const spy = vi.spyOn(console, level).mockImplementation(() => {});
  onTestFinished(() => {
    spy.mockRestore();
  });
  return spy;
}

function warned(url: string, options: InitOptions = {}) {
  const warnings = new Inbox<readonly [string, string]>();
  const worker = connectWorker(url, { onWarning: (...warning) => warnings.push(warning), ...options });
  return { worker, warnings, of: (code: string) => warnings.all.filter(([each]) => each === code).map(([, text]) => text) };
}

test('warnings that are written through a logger end on the console', async () => {
  const [info, warn] = [quietConsole('info'), quietConsole('warn')];
  let warningCount = 0;
  const onWarning = (code: string) => {
    if (++warningCount < 100) logger.warn(code);
  };
  const worker = connectWorker(NOWHERE, { onWarning });
  const logger = new Logger(undefined, undefined, undefined, worker);
  await worker.close();
  logger.info('bye');
  await worker.trigger({ function_id: 'app::f', payload: 1, action }).catch(() => undefined);
  await turn();
  expect(warningCount).toBe(1);
  expect(info.mock.calls).toEqual([['bye']]);
  expect(warn.mock.calls).toEqual([['WORKER_CLOSED']]);
});

test('a warning about a call that was made during a warning goes to the console, and one that rejects ends nothing', async () => {
  const warn = quietConsole('warn');
  let warningCount = 0;
  const onWarning = (): unknown => {
    if (++warningCount < 100) void worker.trigger({ function_id: 'app::alert', payload: 1, action });
    return Promise.reject(new Error('no'));
  };
  const worker = connectWorker(NOWHERE, { onWarning });
  await worker.close();
  void worker.trigger({ function_id: 'app::f', payload: 1, action });
  await turn();
  expect(warningCount).toBe(1);
  expect(warn.mock.calls).toEqual([['[rivulet]', 'WORKER_CLOSED', 'app::alert: the worker is closed; make a new one']]);
});

test('void calls and log lines that waited are reported when the worker is closed, or is out of attempts', async () => {
  const error = quietConsole('error');
  const { worker, warnings, of } = warned(NOWHERE);
  const { worker: given, of: ofGiven } = warned(NOWHERE, { reconnection: { maxRetries: 0 } });
  for (const each of [worker, given]) {
    expect(await each.trigger({ function_id: 'app::f', payload: 1, action })).toBeUndefined();
    new Logger(undefined, undefined, undefined, each).error('a line', { n: 1 });
  }
  const closed = new Promise<void>((resolve) => given.onConnectionState(({ kind }) => kind === 'closed' && resolve()));
  await worker.close();
  await closed;
  await warnings.take(([code]) => code === 'WORKER_CLOSED', 'the void call');
  expect(of('WORKER_CLOSED')).toEqual(['app::f: the worker was closed before the call was sent']);
  expect(ofGiven('WORKER_CLOSED')).toEqual([
    expect.stringMatching(/^app::f: no attempt to connect is left: no connection to ws:\/\/127\.0\.0\.1:9 /u),
  ]);
  expect(error.mock.calls).toEqual([
    ['a line', { n: 1 }],
    ['a line', { n: 1 }],
  ]);
});

test('log lines take no places of calls; beyond a bound of their own they go to the console', async () => {
  const info = quietConsole('info');
  const { worker } = warned(NOWHERE, { maxQueuedCalls: 1 });
  const logger = new Logger(undefined, undefined, undefined, worker);
  for (let n = 0; n < 1_500; n++) logger.info(`line ${n}`);
  expect(info.mock.calls.length).toBe(500);
  const call = worker.trigger({ function_id: 'f', payload: 1, timeoutMs: 1 }).catch((error: InvocationError) => error.code);
  expect(await call).toBe('TIMEOUT');
});

test('a void call waits for no longer than its time, then it is reported', async () => {
  const { worker, of } = warned(NOWHERE, { maxQueuedCalls: 1 });
  await worker.trigger({ function_id: 'app::first', payload: 1, action, timeoutMs: 0 });
  await worker.trigger({ function_id: 'app::second', payload: 1, action });
  expect(of('TIMEOUT')).toEqual([expect.stringMatching(/^app::first: not sent within 0ms: no connection to ws:/u)]);
  await expect(worker.trigger({ function_id: 'app::third', payload: 1, action })).rejects.toMatchObject({ code: 'QUEUE_FULL' });
  expect(of('QUEUE_FULL')).toEqual(['app::third: too much waits to be sent; wait for the connection']);
});

test('drain waits for the connection when something waits for it, and for nothing else', async () => {
  const { workerUrl, log } = await startTestEngine();
  const { worker, warnings } = warned(workerUrl);
  const at = { stream_name: 's', group_id: 'g', item_id: 'i' };
  void worker.trigger({ function_id: 'stream::set', payload: { ...at, data: 1 }, action });
  new Logger(undefined, undefined, undefined, worker).error('a line');
  await worker.drain();
  expect(await stream(connectWorker(workerUrl)).get('s', 'g', 'i')).toBe(1);
  expect(log.filter(({ event }) => event === 'worker_log').map(({ fields }) => fields.message)).toEqual(['a line']);
  expect(warnings.all).toEqual([]);
  await connectWorker(NOWHERE).drain();
});

test.each([
  ['ws://127.0.0.1:9/#x', {}, 'the address of the engine must have no fragment'],
  [NOWHERE, { 'x y': 'a' }, 'Header name must be a valid HTTP token'],
  [NOWHERE, { x: '\n' }, 'Invalid character in header content'],
])('what the runtime refuses to connect with is INVALID_ARGUMENTS (%s, %o)', (url, headers, text) => {
  expect(() => registerWorker(url, { headers })).toThrow(`INVALID_ARGUMENTS: ${text}`);
});
