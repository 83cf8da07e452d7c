import { LIMITS } from '@rivulet/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { StreamConfig } from '../../src/config/config.js';
import { FunctionFabric } from '../../src/core/fabric/function-fabric.js';
import { silentLogger } from '../../src/logging/logger.js';
import { FunctionWaits } from '../../src/stream/calls/function-waits.js';
import { AuthGate } from '../../src/stream/session/auth-gate.js';
import { systemClock } from '../../src/structures/clock.js';
import type { UpgradeRequest } from '../../src/transport/upgrade/upgrade-request.js';
import { settled } from '../hub-world.js';

const REQUEST: UpgradeRequest = {
  path: '/',
  rawQuery: '',
  headers: {},
  protocols: [],
  remoteAddress: '10.0.0.1',
  remotePort: 1,
  addressGroup: '10.0.0.1',
  scheme: undefined,
};

function world(more: Partial<StreamConfig> = {}) {
  const fabric = new FunctionFabric(silentLogger);
  const waits = new FunctionWaits(fabric);
  const config = { authFunction: 'app::auth', authTimeoutMs: 10_000, authFailOpen: false, allowedOrigins: [], ...more };
  const gate = new AuthGate(fabric, config as unknown as StreamConfig, systemClock, silentLogger, undefined, waits);
  const decided: unknown[] = [];
  const decide = (request = REQUEST) => void gate.decide(request).then((decision) => decided.push(decision));
  const serve = () => {
    const dispatch = (_call: unknown, done: (outcome: { readonly kind: 'result'; readonly text: string }) => void) => {
      done({ kind: 'result', text: '{"identity":"ann"}' });
      return { cancel() {} };
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
  };
  return { waits, decide, decided, serve };
}

const UNDECIDED = { kind: 'refused', status: 503, reason: 'function_not_registered' };

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

it('a client waits for the worker of the auth function, because workers may come back later than clients', async () => {
  const { decide, decided, serve } = world();
  decide();
  await settled();
  expect(decided).toEqual([]);
  serve();
  await settled();
  expect(decided).toMatchObject([{ kind: 'allowed', identity: 'ann' }]);
  expect(vi.getTimerCount()).toBe(0);
});

it.each([
  ['5 s', {}, LIMITS.clientFunctionWaitMs],
  ['the time of the auth function, if it is shorter', { authTimeoutMs: 200 }, 200],
])('a client is not admitted after %s without a worker', async (_name, more, ms) => {
  const { decide, decided } = world(more);
  decide();
  await settled();
  vi.advanceTimersByTime(ms - 1);
  await settled();
  expect(decided).toEqual([]);
  vi.advanceTimersByTime(1);
  await settled();
  expect(decided).toMatchObject([UNDECIDED]);
});

it('a client that leaves waits no more, and neither does any when the engine stops', async () => {
  const { decide, decided, waits } = world();
  let leave = () => {};
  decide({
    ...REQUEST,
    whenGone: (callback) => {
      leave = callback;
      return () => {};
    },
  });
  decide();
  await settled();
  leave();
  await settled();
  expect(decided).toMatchObject([UNDECIDED]);
  waits.stop();
  await settled();
  expect(decided).toMatchObject([UNDECIDED, UNDECIDED]);
  expect(vi.getTimerCount()).toBe(0);
});

it('a client is let in at once without a worker if the configuration says so', async () => {
  const { decide, decided } = world({ authFailOpen: true });
  decide();
  await settled();
  expect(decided).toMatchObject([{ kind: 'allowed' }]);
});
