import { readFileSync } from 'node:fs';
import { fixture } from '@rivulet/testkit/config-fixtures';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type EnginePorts, EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { Inbox } from '@rivulet/testkit/inbox';
import { connectOfficial, type SdkVersion } from '@rivulet/testkit/peers/official-worker';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { registerWorker } from 'iii-sdk-0.22.1';
import { expect, onTestFinished, test } from 'vitest';

/** The configuration file of the official suites, with free ports. */
function onPorts(ports: EnginePorts): string {
  const text = readFileSync(fixture('sdk-main.yaml'), 'utf8');
  const replaced = [
    ['port: 49199', `port: ${ports.worker}`],
    ['port: 49135', `port: ${ports.guest}`],
    ['port: ${STREAMS_PORT:3112}', `port: ${ports.stream}`],
    ['port: 3199', `port: ${ports.http}`],
  ] as const;
  return replaced.reduce((changed, [from, to]) => {
    expect(changed).toContain(from);
    return changed.replace(from, to);
  }, text);
}

const ID = 'test::rbac-worker::';

test.each(['0.11.6', '0.22.1'] as const)(
  'CF-3, RB-1, RB-3, RB-5, RB-6 and RB-7 the main fixture of the SDKs runs, with iii-sdk %s on both of its listeners',
  async (version: SdkVersion) => {
    const engine = await EngineProcess.start({ config: onPorts });
    const trusted = await connectOfficial(version, engine.workerUrl);
    const calls = new Inbox<{ readonly of: string; readonly input: Frame }>();
    const context = { user: 'u1' };
    const decide = (of: string, answer: (input: Frame) => unknown) =>
      trusted.registerFunction(ID + of, async (data) => {
        calls.push({ of, input: data as Frame });
        return answer(data as Frame);
      });
    decide('auth', ({ query_params }) => {
      if ((query_params as Record<string, string[]>).api_key?.[0] !== 'good') throw new Error('who?');
      return { allowed_functions: ['test::named'], forbidden_functions: ['test::ew::public::off'], context };
    });
    decide('middleware', async ({ function_id, payload }) => ({ through: await trusted.call(String(function_id), payload) }));
    decide('on-function-reg', ({ function_id }) => ({ function_id: `tab::${String(function_id)}` }));
    decide('on-trigger-reg', () => ({}));
    decide('on-trigger-type-reg', () => ({}));
    for (const id of ['test::ew::public::echo', 'test::ew::public::off', 'test::named', 'test::hidden'])
      trusted.registerFunction(id, async (data) => ({ id, n: (data as { n: number }).n }));
    const plain = await RawWorker.connect(engine.workerUrl);
    await plain.serve('test::by-metadata', () => 'by metadata', { metadata: { ew_public: true } });
    await trusted.settled();

    const session = await connectOfficial(version, `${engine.guestUrl}/?api_key=good`, 'page', 'engine::functions::list');
    const auths = calls.all.filter(({ of }) => of === 'auth').map(({ input }) => input);
    expect(auths).toMatchObject([{ query_params: { api_key: ['good'] }, ip_address: '127.0.0.1' }]);
    expect(await session.call('test::ew::public::echo', { n: 1 })).toEqual({ through: { id: 'test::ew::public::echo', n: 1 } });
    expect(await session.call('test::named', { n: 2 })).toEqual({ through: { id: 'test::named', n: 2 } });
    expect(await session.call('test::by-metadata', {})).toEqual({ through: 'by metadata' });
    for (const id of ['test::hidden', 'test::ew::public::off', 'test::nobody', `${ID}auth`, 'state::get'])
      await expect(session.call(id, { n: 3 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { functions } = (await session.call('engine::functions::list', {})) as { functions: { function_id: string }[] };
    expect(functions.map(({ function_id }) => function_id)).toEqual(['test::by-metadata', 'test::ew::public::echo', 'test::named']);
    const echo = calls.all.find(({ of }) => of === 'middleware')?.input;
    expect(echo).toMatchObject({ function_id: 'test::ew::public::echo', payload: { n: 1 }, action: null, context });

    const events = new Inbox<unknown>();
    session.registerFunction('on-change', async (data) => {
      events.push(data);
      return { seen: true };
    });
    session.registerTrigger({ type: 'stream', function_id: 'on-change', config: { stream_name: 'chat' } });
    await session.settled();
    expect(calls.all.filter(({ of }) => of === 'on-function-reg').map(({ input }) => input)).toMatchObject([
      { function_id: 'on-change', context },
    ]);
    expect(calls.all.find(({ of }) => of === 'on-trigger-reg')?.input).toMatchObject({ trigger_type: 'stream', context });
    expect(await trusted.call('tab::on-change', {})).toEqual({ seen: true });
    await events.take(() => true);
    await trusted.call('stream::set', { stream_name: 'chat', group_id: 'g', item_id: 'i', data: { n: 4 } });
    await events.take((event) => (event as Frame).id === 'i');

    const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/chat/g`);
    expect((await watcher.take('sync')).event.data).toMatchObject([{ n: 4 }]);
    trusted.registerFunction('test::http', async () => ({ status_code: 201, body: 'made' }));
    trusted.registerTrigger({ type: 'http', function_id: 'test::http', config: { api_path: '/made', http_method: 'POST' } });
    await trusted.settled();
    expect((await fetch(`${engine.httpUrl}/made`, { method: 'POST' })).status).toBe(201);
    await session.close();
    expect(await engine.stop()).toBe(0);
  },
);

test('RB-10 iii-sdk 0.22.1 that is refused asks more and more rarely, registers nothing, and gets in when it may', {}, async () => {
  const { guestUrl, workerUrl } = await startTestEngine({ guest: { rbac: { authFunction: 'app::auth' } } });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::workers', () => undefined);
  await worker.bind('engine::workers-available', 'app::workers', {});
  const asked = new Inbox<{ readonly at: number }>();
  await worker.serve('app::auth', () => {
    asked.push({ at: performance.now() });
    return asked.all.length <= 3 ? null : {};
  });
  const sdk = registerWorker(guestUrl, { workerName: 'page', enableMetricsReporting: false, otel: { enabled: false } });
  onTestFinished(() => sdk.shutdown());
  sdk.registerFunction('page::f', async () => 'there');
  for (let n = 0; n < 3; n++) await asked.take(() => true, 'another attempt');
  expect(await worker.errorCode('page::f', {})).toBe('function_not_found');
  const about = (event: string) => worker.inbox.all.filter(({ data }) => (data as Frame | null)?.event === event);
  expect(about('worker_connected')).toEqual([]);
  await worker.take('invokefunction', ({ data }) => (data as Frame | null)?.event === 'worker_metadata_updated');
  expect(await worker.result('page::f', {})).toBe('there');
  expect(about('worker_connected')).toHaveLength(1);
  const gaps = asked.all.slice(1).map(({ at }, n) => at - (asked.all[n]?.at ?? 0));
  expect(gaps).toHaveLength(3);
  // The waits are 1, 2 and 4 seconds with some jitter. A busy machine makes a gap longer, and never much shorter.
  expect(Math.min(...gaps)).toBeGreaterThan(500);
  expect(gaps[2]).toBeGreaterThan(2_000);
});
