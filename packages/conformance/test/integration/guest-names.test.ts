import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

/** Starts an engine whose guests send their identity as a token in the query. `grant` returns the other fields of the auth answer. */
async function start(grant: (who: string | undefined) => Frame = () => ({})) {
  const started = await startTestEngine({ guest: { rbac: { authFunction: 'app::auth', onFunctionRegistration: 'app::hook' } } });
  const worker = await RawWorker.connect(started.workerUrl);
  await worker.serve('app::auth', (data) => {
    const [who] = (data as { query_params: { who?: string[] } }).query_params.who ?? [];
    return { ...(who === undefined ? {} : { identity: who }), ...grant(who) };
  });
  let renamed: string | undefined;
  await worker.serve('app::hook', () => (renamed === undefined ? {} : { function_id: renamed }));
  const guest = (who?: string) => RawWorker.connect(started.guestUrl + (who === undefined ? '' : `/?who=${who}`));
  return { ...started, worker, guest, rename: (id: string) => void (renamed = id) };
}

test('S17 a guest with a prefix registers names below it only, whatever it or the hook writes', async () => {
  const { worker, guest, rename } = await start((who) => ({ function_registration_prefix: `u::${who}` }));
  const ann = await guest('ann');
  for (const id of ['f', 'u::ben::f', '::f', '../f', 'app::f', 'engine::x', 'stream::get(s)']) await ann.serve(id, () => id);
  rename('u::ben::renamed');
  await ann.serve('g', () => 1);
  const { functions } = (await worker.result('engine::functions::list', {})) as { functions: { function_id: string }[] };
  const theirs = functions.map(({ function_id }) => function_id).filter((id) => !id.startsWith('engine::') && !id.startsWith('app::'));
  expect(theirs.filter((id) => !id.startsWith('u::ann::') && !/^(stream|state)::|^publish$/.test(id))).toEqual([]);
  expect(theirs).toContain('u::ann::u::ben::renamed');
  expect(await worker.errorCode('u::ben::f', {})).toBe('function_not_found');
});

test('S17 a guest shadows no function of another identity, in either order', async () => {
  const { worker, guest, log } = await start();
  const [ann, ben, nobody] = [await guest('ann'), await guest('ben'), await guest()];
  await ann.serve('ui::f', () => 'ann');
  for (const other of [ben, nobody]) await other.serve('ui::f', () => 'stolen');
  expect(await worker.result('ui::f', {})).toBe('ann');
  const second = await guest('ann');
  await second.serve('ui::f', () => 'second tab');
  expect(await worker.result('ui::f', {})).toBe('second tab');
  for (const each of [ann, second]) await each.closeSeenBy(worker);
  // The engine does not keep a refused registration for the time when the id is free.
  expect(await worker.errorCode('ui::f', {})).toBe('function_not_found');
  await nobody.serve('ui::g', () => 'nobody');
  await ben.serve('ui::g', () => 'stolen');
  expect(await worker.result('ui::g', {})).toBe('nobody');
  expect(log.filter(({ event }) => event === 'registration_denied').length).toBeGreaterThan(0);
});

test('S17 a guest shadows no function of a trusted worker', async () => {
  const { worker, guest } = await start();
  await worker.serve('shop::f', () => 'trusted');
  await (await guest('ann')).serve('shop::f', () => 'stolen');
  expect(await worker.result('shop::f', {})).toBe('trusted');
});

test('S17 a guest replaces no trigger and no trigger type of another identity', async () => {
  const { worker, guest } = await start(() => ({ allow_trigger_type_registration: true }));
  const [ann, ben] = [await guest('ann'), await guest('ben')];
  for (const each of [ann, ben]) {
    await each.serve(each === ann ? 'ui::ann' : 'ui::ben', () => undefined);
    each.send({ type: 'registertrigger', id: 'one', trigger_type: 'state', function_id: each === ann ? 'ui::ann' : 'ui::ben', config: {} });
    each.send({ type: 'registertriggertype', id: 'custom', description: each === ann ? 'of ann' : 'of ben' });
    await each.settled();
  }
  expect(await worker.result('engine::registered-triggers::info', { id: 'one' })).toMatchObject({ function_id: 'ui::ann' });
  expect(await worker.result('engine::triggers::info', { id: 'custom' })).toMatchObject({ description: 'of ann' });
  ben.send({ type: 'unregistertrigger', id: 'one' });
  ben.send({ type: 'unregistertriggertype', id: 'custom' });
  await ben.settled();
  expect(await worker.result('engine::registered-triggers::info', { id: 'one' })).toMatchObject({ function_id: 'ui::ann' });
  expect(await worker.result('engine::triggers::info', { id: 'custom' })).toMatchObject({ description: 'of ann' });
});
