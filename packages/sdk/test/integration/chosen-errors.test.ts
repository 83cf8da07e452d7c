import { readFile } from 'node:fs/promises';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';
import { InvocationError } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

class OwnError extends Error {
  readonly code = 'NOT_OWNER';
}

/** Returns a chosen error with members that a runtime adds to each error. */
function withHidden(members: object): Error {
  const hidden = Object.entries(members).map(([name, value]) => [name, { value: value as unknown, writable: true, configurable: true }]);
  const error = Object.assign(new Error('not your order'), { code: 'NOT_OWNER' });
  return Object.defineProperties(error, Object.fromEntries(hidden) as PropertyDescriptorMap);
}

const CHOSEN: readonly (readonly [string, () => unknown])[] = [
  ['an InvocationError', () => new InvocationError({ code: 'NOT_OWNER', message: 'not your order' })],
  ['an object', () => ({ code: 'NOT_OWNER', message: 'not your order' })],
  ['an Error with a code', () => Object.assign(new Error('not your order'), { code: 'NOT_OWNER' })],
  ['a class of its own', () => new OwnError('not your order')],
  ['an Error of Safari or Bun', () => withHidden({ line: 1, column: 8, sourceURL: 'a.js', originalLine: 2, originalColumn: 9 })],
  ['an Error of Firefox', () => withHidden({ fileName: 'a.js', lineNumber: 1, columnNumber: 8 })],
  [
    'an InvocationError of another copy',
    () => Object.assign(new Error('NOT_OWNER: not your order'), { name: 'InvocationError', code: 'NOT_OWNER', x: 1 }),
  ],
];

/** Throws any value from an async function. */
const rejecting = (error: unknown) => () => Promise.reject(error as Error);

test.each(CHOSEN)('C5 the code and the message of %s arrive as they were', async (_name, make) => {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  worker.registerFunction('app::f', rejecting(make()));
  await settled(worker);
  const raw = await RawWorker.connect(workerUrl);
  expect((await raw.call('app::f', {})).error).toMatchObject({ code: 'NOT_OWNER', message: 'not your order' });
  const failed = await worker.trigger({ function_id: 'app::f', payload: {} }).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(InvocationError);
  expect(failed).toMatchObject({ code: 'NOT_OWNER', message: 'NOT_OWNER: not your order' });
});

test('C5 a chosen code comes through nested calls and middleware once, to guests and over HTTP', async () => {
  const { workerUrl, guestUrl, httpUrl } = await startTestEngine({
    http: {},
    guest: { rbac: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] }, manager: { middlewareFunction: 'mw::all' } },
  });
  const worker = connectWorker(workerUrl);
  worker.registerFunction('app::inner', rejecting(new InvocationError({ code: 'NOT_OWNER', message: 'not your order' })));
  worker.registerFunction('app::outer', () => worker.trigger({ function_id: 'app::inner', payload: {} }));
  worker.registerFunction('mw::all', ({ function_id, payload }: { function_id: string; payload: unknown }) =>
    worker.trigger({ function_id, payload }),
  );
  worker.registerTrigger({ type: 'http', function_id: 'app::outer', config: { api_path: '/outer', http_method: 'GET' } });
  await settled(worker);
  const guest = await RawWorker.connect(guestUrl);
  expect((await guest.call('app::outer', {})).error).toEqual({ code: 'NOT_OWNER', message: 'not your order' });
  const { error } = (await (await fetch(`${httpUrl}/outer`)).json()) as { error: unknown };
  expect(error).toMatchObject({ code: 'NOT_OWNER', message: 'not your order' });
});

const FAULTS: readonly (readonly [string, () => unknown])[] = [
  ['an Error', () => new Error('secret db password')],
  ['a text', () => 'secret db password'],
  ['an error of the file system', () => readFile('/secret/place').catch((error: unknown) => error)],
  ['an error of Node', () => Object.assign(new TypeError('secret argument'), { code: 'ERR_INVALID_ARG_TYPE' })],
  ['an error of a database', () => Object.assign(new Error('secret row'), { code: 'ER_DUP_ENTRY', errno: 1062, sqlState: '23000' })],
  ['an error of a parser', () => Object.assign(new Error('secret text'), { code: 'BAD_INDENT', line: 3, column: 4 })],
  ['a refused connection', () => Object.assign(new Error('connect ECONNREFUSED secret'), { code: 'ECONNREFUSED' })],
  ['an object without a message', () => ({ code: 'secret' })],
];

test.each(FAULTS)('D6 %s that a handler throws tells a guest nothing but an error_id', async (_name, make) => {
  const { workerUrl, guestUrl, log } = await startTestEngine({
    guest: { rbac: { exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] } },
  });
  const worker = connectWorker(workerUrl);
  worker.registerFunction('app::f', rejecting(await make()));
  await settled(worker);
  const guest = await RawWorker.connect(guestUrl);
  const { error } = await guest.call('app::f', {});
  expect(error).toEqual({ code: 'invocation_failed', message: expect.any(String) as string, error_id: expect.any(String) as string });
  expect(JSON.stringify(error)).not.toMatch(/secret|\.ts|\bat /);
  const page = connectWorker(guestUrl);
  const failed = await page.trigger({ function_id: 'app::f', payload: {} }).catch((thrown: unknown) => thrown);
  expect(failed).toMatchObject({ code: 'invocation_failed', error_id: expect.any(String) as string });
  const ids = log.filter(({ event }) => event === 'function_failed').map(({ fields }) => fields.error_id);
  expect(ids).toEqual([(error as { error_id: string }).error_id, (failed as InvocationError).error_id]);
});
