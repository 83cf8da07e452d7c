import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { RawWorker, WorkerError } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';
import { ask } from '../harness/admin-client.js';

const CHAT = { streams: 'chat', maxItems: 100_000, maxBytes: undefined, maxAgeMs: undefined, onFull: 'refuse' } as const;
const PATTERN = { ...CHAT, streams: 'board-*' } as const;

async function start(stream: TestEngineOptions['stream'] = {}) {
  const engine = await startTestEngine({ admin: {}, stream: { groupBounds: [CHAT, PATTERN], ...stream } });
  const worker = await RawWorker.connect(engine.workerUrl);
  return { ...engine, worker };
}

/** Returns the samples of a scrape: the series with its labels, and its value. */
async function scrape(adminUrl: string): Promise<Map<string, number>> {
  const { text } = await ask(adminUrl, '/metrics');
  const lines = text.split('\n').filter((line) => line.startsWith('rivulet_'));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end))];
    }),
  );
}

/** Resolves when a series has this value. Each scrape waits for the one before. */
async function until(adminUrl: string, series: string, value: number): Promise<void> {
  while ((await scrape(adminUrl)).get(series) !== value);
}

test('decision 36 streams that the configuration names have series of their own, and 10,000 others add none', async () => {
  const { adminUrl, streamUrl, worker } = await start({
    maxSubscriptionsPerConnection: 65_536,
    maxJoinsPerSecond: 0,
    maxFramesPerSecond: 0,
  });
  const before = await scrape(adminUrl);
  const client = await StreamSocket.open(`${streamUrl}/`);
  for (const stream of ['chat', 'board-1', '_other', '__proto__']) client.join(stream, stream, 'g');
  for (let joined = 0; joined < 4; joined++) await client.take('sync');
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'g', item_id: 'a', data: 1 });
  await client.take('create');
  for (let n = 0; n < 10_000; n++) client.join(`${n}`, `made-${n}`, 'g');
  await until(adminUrl, 'rivulet_stream_subscriptions{stream="_other"}', 10_003);
  await until(adminUrl, 'rivulet_stream_subscriptions_catching_up{stream="_other"}', 0);
  const after = await scrape(adminUrl);
  expect([...after.keys()]).toEqual([...before.keys()]);
  expect(after.size).toBeLessThan(500);
  const of = (stream: string) =>
    ['joins', 'changes', 'deliveries', 'lagged', 'leaves'].map((name) => after.get(`rivulet_stream_${name}_total{stream="${stream}"}`));
  expect([of('chat'), of('_other'), of('board-1')]).toEqual([
    [1, 1, 1, 0, 0],
    [10_003, 0, 0, 0, 0],
    [undefined, undefined, undefined, undefined, undefined],
  ]);
});

test('joins without effect are counted by reason', async () => {
  const { adminUrl, streamUrl, worker } = await start({ maxSubscriptionsPerConnection: 2 });
  const client = await StreamSocket.open(`${streamUrl}/`);
  client.join('s1', 'chat', '\u0000');
  for (const id of ['s2', 's3', 's4']) client.join(id, 'chat', id);
  await worker.serve('app::join', () => ({ unauthorized: true }));
  await worker.bind('stream:join', 'app::join', {});
  const other = await StreamSocket.open(`${streamUrl}/`);
  other.join('s1', 'chat', 'no');
  const counts = async () => {
    const samples = await scrape(adminUrl);
    return ['refused', 'failed', 'invalid_id', 'too_many'].map((reason) =>
      samples.get(`rivulet_stream_joins_refused_total{reason="${reason}"}`),
    );
  };
  await until(adminUrl, 'rivulet_stream_joins_refused_total{reason="refused"}', 1);
  expect(await counts()).toEqual([1, 0, 1, 1]);
});

test('a join that no function could decide counts as failed', async () => {
  const { adminUrl, streamUrl } = await start({ joinFailClosed: true });
  const client = await StreamSocket.open(`${streamUrl}/`);
  client.join('s1', 'chat', 'g');
  await until(adminUrl, 'rivulet_stream_joins_refused_total{reason="failed"}', 1);
});

test('leases are counted: held, taken, ended by a leave and by a lost connection, and expired', async () => {
  const { adminUrl, streamUrl, worker } = await start();
  await worker.serve('app::join', (event) => ({ lease: { item_id: (event as { group_id: string }).group_id, grace_ms: 50 } }));
  await worker.bind('stream:join', 'app::join', {});
  const leaver = await StreamSocket.open(`${streamUrl}/`);
  leaver.join('s1', 'presence', 'ann');
  await until(adminUrl, 'rivulet_leases_held', 1);
  leaver.leave('s1', 'presence', 'ann');
  await until(adminUrl, 'rivulet_leases_held', 0);
  const dropped = await StreamSocket.open(`${streamUrl}/`);
  dropped.join('s1', 'presence', 'bob');
  await until(adminUrl, 'rivulet_leases_held', 1);
  dropped.socket.terminate();
  await until(adminUrl, 'rivulet_leases_expired_total', 1);
  await until(adminUrl, 'rivulet_leases_held', 0);
  const samples = await scrape(adminUrl);
  const names = ['taken_total', 'ended_total{how="left"}', 'ended_total{how="dropped"}', 'expired_total', 'refused_total'];
  expect(names.map((name) => samples.get(`rivulet_leases_${name}`))).toEqual([2, 1, 1, 1, 0]);
});

test('firings are counted by the type of their trigger: fired, skipped, failed, and those that wait', async () => {
  const { adminUrl, worker } = await start();
  let end: (answer: unknown) => void = () => {};
  const begun = new Promise<void>((resolve) => {
    void worker.serve('app::slow', () => {
      resolve();
      return new Promise((answered) => {
        end = answered;
      });
    });
  });
  await worker.serve('app::fails', () => {
    throw new WorkerError({ code: 'app_failed', message: 'no' });
  });
  await worker.serve('app::never', () => false);
  await worker.bind('state', 'app::slow', { scope: 'slow' });
  await worker.bind('state', 'app::fails', { scope: 'fails' });
  await worker.bind('state', 'app::fails', { scope: 'skipped', condition_function_id: 'app::never' });
  const set = (scope: string) => worker.result('state::set', { scope, key: 'k', value: 1 });
  await set('slow');
  await begun;
  await set('slow');
  await set('fails');
  await set('skipped');
  const of = (name: string) => `rivulet_triggers_${name}{type="state"}`;
  await until(adminUrl, of('failed_total'), 1);
  await until(adminUrl, of('skipped_total'), 1);
  const samples = await scrape(adminUrl);
  expect(['fired_total', 'queued', 'dropped_total'].map((name) => samples.get(of(name)))).toEqual([2, 1, 0]);
  end(null);
  await until(adminUrl, of('queued'), 0);
  const types = [...samples.keys()].flatMap((name) => /^rivulet_triggers_fired_total\{type="(.*)"\}$/.exec(name)?.[1] ?? []);
  expect(types.sort()).toEqual([
    'engine::functions-available',
    'engine::workers-available',
    'state',
    'stream',
    'stream:join',
    'stream:leave',
    'subscribe',
  ]);
});
