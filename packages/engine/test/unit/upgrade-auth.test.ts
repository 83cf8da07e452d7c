import { expect, test } from 'vitest';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import { failure, type Outcome } from '../../src/core/fabric/invocation.js';
import { UpgradeAuth } from '../../src/core/workers/access/upgrade-auth.js';
import { silentLogger } from '../../src/logging/logger.js';

const ATTEMPTS = 1_000;
const RBAC = {
  authFunction: 'app::auth',
  authTimeoutMs: 1_000,
  authErrorFrame: false,
  exposeFunctions: [],
  onFunctionRegistration: undefined,
  onTriggerRegistration: undefined,
  onTriggerTypeRegistration: undefined,
  hookTimeoutMs: 1_000,
  allowedTriggerTypes: undefined,
};

/** Returns the decisions about the last of many credentials that had this outcome, and about a new credential. */
async function afterMany(outcome: Outcome) {
  const fabric = new FunctionFabric(silentLogger);
  let answer = outcome;
  const pending = { cancel() {} };
  const dispatch = (_call: unknown, done: (outcome: Outcome) => void) => {
    done(answer);
    return pending;
  };
  fabric.functions.register({
    namespace: 'default',
    id: 'app::auth',
    owner: { workerId: 'w', dispatch, displaced() {} },
    description: null,
    requestFormat: null,
    responseFormat: null,
    metadata: undefined,
    httpInvoked: false,
    guest: false,
    mayDecide: true,
  });
  const auth = new UpgradeAuth(fabric, RBAC, [], { now: () => 0, monotonic: () => 0 }, silentLogger);
  const request = (key: string | number) =>
    auth.decide({
      path: '/',
      rawQuery: `api_key=${key}`,
      headers: {},
      protocols: [],
      remoteAddress: '10.0.0.1',
      remotePort: 1,
      addressGroup: '10.0.0.1',
      scheme: undefined,
    });
  for (let n = 0; n < ATTEMPTS; n++) await request(n);
  answer = { kind: 'result', text: '{}' };
  return [(await request(ATTEMPTS - 1)).kind, (await request('fresh')).kind];
}

test.each([
  ['OVERLOADED', 'the worker is busy'],
  ['MESSAGE_TOO_LARGE', 'the headers are too large for it'],
  ['function_not_invokable', 'it is HTTP-invoked'],
  ['invocation_stopped', 'its worker went away'],
] as const)('RB-2 %s of the engine itself, as %s, counts against nobody', async (code, why) => {
  expect(await afterMany(failure(code, why))).toEqual(['granted', 'granted']);
});

test('RB-2 a refusal or an error of the auth function counts against its credential, and against nobody else', async () => {
  const failed = { kind: 'error', error: { code: 'OVERLOADED', message: 'no' }, origin: 'function' } as const;
  expect(await afterMany(failed)).toEqual(['refused', 'granted']);
  expect(await afterMany({ kind: 'result', text: '{"unauthorized":true}' })).toEqual(['refused', 'granted']);
});
