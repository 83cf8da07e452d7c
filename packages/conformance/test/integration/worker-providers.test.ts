import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

test('WP-16 a provider that was replaced can fail no binding; the one in its place can', async () => {
  const { workerUrl } = await startTestEngine();
  const [first, second, registrant] = [
    await RawWorker.connect(workerUrl),
    await RawWorker.connect(workerUrl),
    await RawWorker.connect(workerUrl),
  ];
  for (const provider of [first, second]) {
    provider.send({ type: 'registertriggertype', id: 'hook', description: '' });
    await provider.settled();
  }
  const id = await registrant.bind('hook', 'app::f', {});
  await second.take('registertrigger');
  const refuse = (code: string) => ({
    type: 'triggerregistrationresult',
    id,
    trigger_type: 'hook',
    function_id: 'app::f',
    error: { code, message: '' },
  });
  first.send(refuse('replaced'));
  await first.settled();
  second.send(refuse('current'));
  expect(await registrant.take('triggerregistrationresult')).toMatchObject({ id, error: { code: 'current' } });

  // The binding is still live at the provider, which is notified of its end.
  const other = await registrant.bind('hook', 'app::f', {});
  first.send({ ...refuse('replaced'), id: other });
  await first.settled();
  registrant.send({ type: 'unregistertrigger', id: other });
  expect(await second.take('unregistertrigger')).toMatchObject({ id: other, trigger_type: 'hook' });
});
