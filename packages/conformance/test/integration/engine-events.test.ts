import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

test.each(['engine::functions-available', 'engine::workers-available'])('a connection has a bound of triggers of type %s', async (type) => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::on', () => undefined);
  for (let n = 0; n < LIMITS.engineTriggersPerWorker; n++) await worker.bind(type, 'app::on', {});
  await worker.bind(type, 'app::on', {}, { id: 'more' });
  expect(await worker.take('triggerregistrationresult')).toMatchObject({ id: 'more', error: { code: 'trigger_registration_failed' } });
});

test('announcements that follow each other closely are reported as few', async () => {
  const { workerUrl } = await startTestEngine();
  const [worker, other] = [await RawWorker.connect(workerUrl), await RawWorker.connect(workerUrl)];
  const events: unknown[] = [];
  await worker.serve('app::on', (event) => void events.push(event));
  await worker.bind('engine::workers-available', 'app::on', {});
  const id = await other.workerId();
  const announced = { event: 'worker_metadata_updated', worker_id: id };
  await Promise.all(Array.from({ length: 200 }, () => other.result('engine::workers::register', { name: 'n' })));
  for (let n = 0; n < 2; n++) await worker.take('invokefunction', ({ data }) => JSON.stringify(data) === JSON.stringify(announced));
  await worker.settled();
  expect(events.length).toBeLessThan(20);
  expect(events).toContainEqual(announced);
});
