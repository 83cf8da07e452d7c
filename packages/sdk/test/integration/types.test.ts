import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { Inbox } from '@rivulet/testkit/inbox';
import { expect, expectTypeOf, test } from 'vitest';
import { state, stream } from '../../src/index.js';
import type { StateEventData } from '../../src/state.js';
import { connectWorker, settled } from '../connect-worker.js';

interface Item {
  n: number;
}

async function start() {
  const { workerUrl } = await startTestEngine();
  const worker = connectWorker(workerUrl);
  return { worker, items: stream<Item>(worker), values: state<Item>(worker) };
}

test('the types of results say null where there was no value', async () => {
  const { items, values } = await start();
  const set = await items.set('s', 'g', 'i', { n: 1 });
  expectTypeOf(set.old_value).toEqualTypeOf<Item | null | undefined>();
  const gone = await items.delete('s', 'g', 'none');
  expectTypeOf(gone.old_value).toEqualTypeOf<Item | null | undefined>();
  const updated = await items.update('s', 'g', 'u', [{ type: 'merge', value: { n: 1 } }]);
  expectTypeOf(updated.old_value).toEqualTypeOf<Item | null | undefined>();
  const kept = await values.set('s', 'k', { n: 1 });
  expectTypeOf(kept.old_value).toEqualTypeOf<Item | null | undefined>();
  const changed = await values.update('s', 'u', [{ type: 'merge', value: { n: 1 } }]);
  expectTypeOf(changed.old_value).toEqualTypeOf<Item | null | undefined>();
  expect([set, gone, updated, kept, changed].map(({ old_value }) => old_value)).toEqual([null, null, null, null, null]);
  expect(await values.get('s', 'none')).toBeUndefined();
  expect(await values.delete('s', 'none')).toBeUndefined();
});

test('the types of state events say null for what was not there, or is not there any more', async () => {
  const { worker, values } = await start();
  const events = new Inbox<StateEventData<Item>>();
  worker.registerFunction('app::on', (event: StateEventData<Item>) => events.push(event));
  worker.registerTrigger({ type: 'state', function_id: 'app::on', config: { scope: 's' } });
  await settled(worker);
  await values.set('s', 'k', { n: 1 });
  await values.delete('s', 'k');
  const [created, deleted] = [await events.take(() => true), await events.take(() => true)];
  expectTypeOf(created.old_value).toEqualTypeOf<Item | null | undefined>();
  expectTypeOf(deleted.new_value).toEqualTypeOf<Item | null | undefined>();
  expect([created.old_value, deleted.new_value]).toEqual([null, null]);
});

test('the types of the lists say what rows have, and null where nobody said it', async () => {
  const { worker } = await start();
  worker.registerFunction('app::f', () => 1);
  await settled(worker);
  const [row] = await worker.listFunctions();
  expectTypeOf(row?.description).toEqualTypeOf<string | null | undefined>();
  expect(row).toMatchObject({ function_id: 'app::f', worker_name: expect.any(String) as string, description: null, metadata: null });
  const workers = await worker.listWorkers();
  const engine = workers.find(({ id }) => id === 'engine');
  expectTypeOf(engine?.pid).toEqualTypeOf<number | null | undefined>();
  expectTypeOf(engine?.connected_at_ms).toEqualTypeOf<number | null | undefined>();
  expect(engine).toMatchObject({ connected_at_ms: null, pid: process.pid, os: null });
});

test('an append without a path appends to the whole value', async () => {
  const { items } = await start();
  const appended = await items.update('s', 'g', 'i', [
    { type: 'set', path: '', value: [] },
    { type: 'append', value: 1 },
  ]);
  expect(appended.new_value).toEqual([1]);
});
