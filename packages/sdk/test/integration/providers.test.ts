import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RecordingEngine } from '@rivulet/testkit/engines/recording-engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { HalfOpenProxy } from '@rivulet/testkit/links/half-open-proxy';
import { expect, test } from 'vitest';
import type { ISdk, TriggerConfig } from '../../src/index.js';
import { connectWorker, settled } from '../connect-worker.js';

interface ProviderCall {
  readonly step: string;
  readonly binding: TriggerConfig<{ path?: string }>;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Provides the trigger type `hook`. `during` runs inside each call of its handler. */
function provide(worker: ISdk, during: (step: string) => Promise<void> = async () => {}) {
  const calls = new Inbox<ProviderCall>();
  const note = (step: string) => async (binding: TriggerConfig<{ path?: string }>) => {
    calls.push({ step, binding });
    await during(step);
  };
  const ref = worker.registerTriggerType(
    { id: 'hook', description: '' },
    { registerTrigger: note('begin'), unregisterTrigger: note('end') },
  );
  return {
    ref,
    calls,
    take: (step: string) => calls.take((each) => each.step === step, `the ${step}`),
    all: () => calls.all.map(({ step }) => step),
  };
}

test('SM-3 a provider that was disconnected gets the ends that it missed, and no binding that it has', async () => {
  const { workerUrl } = await startTestEngine();
  const proxy = await HalfOpenProxy.to(workerUrl);
  const [provider, other] = [connectWorker(proxy.url, { reconnection: { initialDelayMs: 1 } }), connectWorker(workerUrl)];
  const { take, all } = provide(provider);
  await settled(provider);
  other.registerFunction('app::f', () => 1);
  const bind = (path: string) => other.registerTrigger({ type: 'hook', function_id: 'app::f', config: { path } });
  const [first] = [bind('/first'), bind('/second')];
  const begun = (await take('begin')).binding;
  await take('begin');
  const link = await proxy.next();
  // The messages of the engine are lost from here on.
  link.upstream.pause();
  first.unregister();
  await settled(other);
  link.client.destroy();
  expect((await take('end')).binding).toEqual(begun);
  bind('/third');
  expect((await take('begin')).binding.config).toEqual({ path: '/third' });
  expect(all()).toEqual(['begin', 'begin', 'end', 'begin']);
});

test('what a provider hears of one binding comes one after another', async () => {
  const engine = await RecordingEngine.start();
  const provider = connectWorker(engine.url);
  let release = () => {};
  const { calls, take } = provide(provider, (step) =>
    step === 'begin' ? new Promise((resolve) => (release = resolve)) : Promise.resolve(),
  );
  await settled(provider);
  const frame = { id: 'b', trigger_type: 'hook', function_id: 'f', config: { n: 1 } };
  engine.send({ type: 'registertrigger', ...frame });
  await take('begin');
  engine.send({ type: 'unregistertrigger', id: 'b', trigger_type: 'hook' });
  await settled(provider);
  expect(calls.all).toHaveLength(1);
  release();
  expect((await take('end')).binding).toEqual({ id: 'b', function_id: 'f', config: { n: 1 } });
});

test('a binding that comes again changed ends before it begins; one that was refused, or never announced, has no end', async () => {
  const engine = await RecordingEngine.start();
  const provider = connectWorker(engine.url);
  let refuse = false;
  const { calls, all } = provide(provider, (step) => (refuse && step === 'begin' ? Promise.reject(new Error('no')) : Promise.resolve()));
  await settled(provider);
  const bind = (id: string, config: object) => engine.send({ type: 'registertrigger', id, trigger_type: 'hook', function_id: 'f', config });
  const unbind = (id: string) => engine.send({ type: 'unregistertrigger', id, trigger_type: 'hook' });
  bind('b', { n: 1 });
  bind('b', { n: 1 });
  bind('b', { n: 2 });
  await settled(provider);
  expect(all()).toEqual(['begin', 'end', 'begin']);
  expect(calls.all.map(({ binding }) => binding.config)).toEqual([{ n: 1 }, { n: 1 }, { n: 2 }]);
  refuse = true;
  bind('refused', {});
  unbind('refused');
  unbind('unknown');
  await settled(provider);
  await turn();
  expect(all()).toEqual(['begin', 'end', 'begin', 'begin']);
  expect(engine.framesOf(0).filter(({ type }) => type === 'triggerregistrationresult')).toMatchObject([
    { id: 'b' },
    { id: 'b' },
    { id: 'b' },
    { id: 'refused', error: { code: 'trigger_registration_failed', message: 'no' } },
  ]);
});

test('the first reference of a trigger type that was registered twice takes nothing away from the second', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  const [first, second] = [provide(worker), provide(worker)];
  first.ref.unregister();
  await settled(worker);
  const types = async () => (await worker.listTriggerTypes()).map(({ id }) => id);
  expect(await types()).toContain('hook');
  worker.registerTrigger({ type: 'hook', function_id: 'app::f', config: {} });
  await second.take('begin');
  expect(first.all()).toEqual([]);
  second.ref.unregister();
  await settled(worker);
  expect(await types()).not.toContain('hook');
});

test('createStream registers all of its functions or none', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  worker.registerFunction('stream::delete(q)', () => 1);
  const backend = { get: async () => null, set: async () => {}, delete: async () => {}, list: async () => [], listGroups: async () => [] };
  expect(() => worker.createStream('q', backend)).toThrow('already registered: stream::delete(q)');
  await settled(worker);
  const ids = (await worker.listFunctions()).map(({ function_id }) => function_id);
  expect(ids.filter((id) => id.endsWith('(q)'))).toEqual(['stream::delete(q)']);
});
