import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { SYSTEM_CLOCK } from '../../src/connection/clock.js';
import { connect, type StreamError } from '../../src/index.js';

/** The subscriptions that one connection may have. */
const PLACES = 256;
/** A clock whose timers fire only without a wait. So a later retry can't make the test pass. */
const clock = { ...SYSTEM_CLOCK, setTimer: (run: () => void, ms: number) => (ms === 0 ? SYSTEM_CLOCK.setTimer(run, 0) : undefined) };

async function start() {
  const { streamUrl } = await startTestEngine();
  const client = connect(streamUrl, { WebSocket, silenceMs: 0, runtime: { clock, random: () => 0.9 } });
  onTestFinished(() => client.close());
  const errors: StreamError[] = [];
  client.onError((error) => errors.push(error));
  const open = (from: number, count: number) => Array.from({ length: count }, (_, n) => client.subscribeGroup('chat', `g${from + n}`));
  return { client, errors, open };
}

it('C3 a page that closes 200 views and opens 200 others in one turn gets a place for each', async () => {
  const { errors, open } = await start();
  const before = open(0, 200);
  await Promise.all(before.map((view) => view.whenLive()));
  for (let round = 1; round <= 3; round++) {
    const next = open(round * 200, 200);
    for (const view of before.splice(0)) view.close();
    await Promise.all(next.map((view) => view.whenLive()));
    before.push(...next);
  }
  expect(errors).toEqual([]);
});

it('C3 a place that becomes free is used at once', async () => {
  const { errors, open } = await start();
  const first = open(0, PLACES);
  await Promise.all(first.map((view) => view.whenLive()));
  const late = open(PLACES, 10);
  await expect.poll(() => late.filter(({ error }) => error?.code === 'TOO_MANY_SUBSCRIPTIONS').length).toBe(10);
  for (const view of first.slice(0, 10)) view.close();
  await Promise.all(late.map((view) => view.whenLive()));
  expect(errors).toHaveLength(10);
});

it('a view that is closed and opened again in one turn changes nothing on the wire', async () => {
  const { client } = await start();
  const view = client.subscribeGroup('chat', 'room');
  await view.whenLive();
  view.close();
  const again = client.subscribeGroup('chat', 'room');
  expect(again.status).toBe('live');
  await new Promise((resolve) => setTimeout(resolve));
  expect(again.status).toBe('live');
});
