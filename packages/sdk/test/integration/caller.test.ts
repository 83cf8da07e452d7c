import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, expectTypeOf, test } from 'vitest';
import { type FunctionCaller, type RemoteFunctionHandler } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

test('C6 a handler gets its caller as third argument, for every kind of caller', async () => {
  const { workerUrl, guestUrl, httpUrl } = await startTestEngine({
    http: {},
    guest: { rbac: { authFunction: 'app::auth', exposeFunctions: [{ kind: 'match', pattern: 'app::*' }] } },
  });
  const worker = connectWorker(workerUrl);
  worker.registerFunction('app::auth', (_input, _metadata, { caller }) => ({ identity: 'ann', context: { asked: caller.kind } }));
  worker.registerFunction('app::who', (_data: unknown, _metadata, { caller }) => {
    expectTypeOf(caller).toEqualTypeOf<FunctionCaller>();
    return caller;
  });
  worker.registerFunction('app::http', (_request: unknown, _metadata, { caller }) => ({ status_code: 200, body: caller }));
  worker.registerTrigger({ type: 'http', function_id: 'app::http', config: { api_path: '/who' } });
  await settled(worker);
  const who = (payload: unknown) => worker.trigger({ function_id: 'app::who', payload });
  expect(await who({})).toEqual({ kind: 'worker', worker_id: worker.workerId });
  expect(await who(1)).toEqual({ kind: 'worker' });
  expect(await (await fetch(`${httpUrl}/who`)).json()).toEqual({ kind: 'http' });
  const page = connectWorker(guestUrl);
  for (const payload of [{}, { _caller: { identity: 'root' } }, [1]]) {
    const caller = await page.trigger({ function_id: 'app::who', payload });
    expect(caller).toEqual({
      kind: 'guest',
      worker_id: page.workerId,
      session_id: page.workerId,
      identity: 'ann',
      context: { asked: 'engine' },
    });
  }
  const old: RemoteFunctionHandler = (data) => data;
  worker.registerFunction('app::old', old);
  expect(old(1)).toBe(1);
});
