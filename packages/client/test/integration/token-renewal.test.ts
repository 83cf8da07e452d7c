import { expect, it } from 'vitest';
import { TokenRenewal } from '../../src/access/token-renewal.js';
import { SYSTEM_CLOCK } from '../../src/connection/clock.js';
import { connectTo, FakeEngine } from '../fake-engine.js';
import { TestClock } from '../test-clock.js';

/** Resolves when the client has handled the answers of `getToken` and of the engine. */
const settled = async () => {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** An engine that sends `expiring` for each token at once, as the real engine does for a token with less than 30 s left. */
function shortTokens(tokens: (n: number) => string | undefined, leftMs: number) {
  const clock = new TestClock();
  const sent: string[] = [];
  let calls = 0;
  const renewal: TokenRenewal = new TokenRenewal(
    {
      clock,
      getToken: () => tokens(++calls),
      send: (token) => {
        sent.push(token);
        setImmediate(() => renewal.onExpiring(leftMs));
      },
      failed: () => {},
    },
    'first',
  );
  return { clock, sent, renewal, calls: () => calls };
}

it('C2 a token with little time left is renewed once, and the next one after a pause', async () => {
  const { clock, sent, renewal, calls } = shortTokens((n) => `t${n}`, 8_000);
  renewal.onExpiring(8_000);
  await settled();
  for (let n = 0; n < 100; n++) renewal.onExpiring(8_000);
  await settled();
  expect([sent, calls()]).toEqual([['t1'], 1]);
  clock.pass(3_999);
  await settled();
  expect(calls()).toBe(1);
  clock.pass(1);
  await settled();
  expect([sent, calls()]).toEqual([['t1', 't2'], 2]);
});

it.each([-5, 0, 1, Number.NaN])('C2 the pause is at least a second, with %s ms left', async (leftMs) => {
  const { clock, renewal, calls } = shortTokens((n) => `t${n}`, leftMs);
  renewal.onExpiring(leftMs);
  await settled();
  clock.pass(999);
  await settled();
  expect(calls()).toBe(1);
  clock.pass(1);
  await settled();
  expect(calls()).toBe(2);
});

it('C2 a token that did not change is not sent again, and requested again after 5 s', async () => {
  const { clock, sent, renewal, calls } = shortTokens((n) => (n < 3 ? 'first' : 'second'), 20_000);
  renewal.onExpiring(20_000);
  await settled();
  clock.pass(5_000);
  await settled();
  expect([sent, calls()]).toEqual([[], 2]);
  clock.pass(5_000);
  await settled();
  expect([sent, calls()]).toEqual([['second'], 3]);
  renewal.end();
  clock.pass(60_000);
  await settled();
  expect([calls(), clock.pending]).toEqual([3, 0]);
});

it('C2 an engine that repeats expiring without end gets one refresh while no time passes', async () => {
  const engine = await FakeEngine.start();
  const clock = {
    ...SYSTEM_CLOCK,
    now: () => 0,
    setTimer: (run: () => void, ms: number) => (ms === 0 ? SYSTEM_CLOCK.setTimer(run, 0) : undefined),
  };
  let calls = 0;
  const client = await connectTo(engine, { getToken: () => `t${++calls}`, runtime: { clock, random: () => 0 } });
  client.subscribeGroup('chat', 'r1');
  const peer = await engine.peer();
  await peer.next('join');
  const expiring = { type: 'expiring', data: { expiresAtMs: Date.now() + 20_000 } };
  peer.send(expiring);
  expect(await peer.next('refresh')).toEqual({ token: 't2' });
  for (let n = 0; n < 200; n++) peer.send({ type: 'refreshed', data: expiring.data }, expiring);
  // The client reads frames in order. So its leave comes after its answers to these frames.
  client.subscribeGroup('chat', 'r2');
  await peer.next('join');
  expect(calls).toBe(2);
});
