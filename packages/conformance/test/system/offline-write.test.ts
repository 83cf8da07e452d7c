import { connect } from '@rivulet/client';
import { optimistic } from '@rivulet/client/optimistic';
import { registerWorker } from '@rivulet/sdk';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';

interface Note {
  readonly id: string;
  readonly text: string;
}

it('a write that a page makes while the engine is dead is stored and shown once its worker is back after the page', async () => {
  const engine = await EngineProcess.start({
    // The engine waits for the worker for this time before it closes a connection.
    stream: ['auth_function: "app::auth"', 'auth_timeout_ms: 200', 'expose_functions:', '  - match("app::*")'],
  });
  let runs = 0;
  const startWorker = () => {
    const worker = registerWorker(engine.workerUrl, { onWarning: () => {} });
    onTestFinished(() => worker.shutdown());
    worker.registerFunction('app::auth', () => Promise.resolve({ identity: 'ann' }));
    worker.registerFunction('app::write', async ({ id, text }: Note) => {
      runs++;
      await worker.trigger({
        function_id: 'stream::set',
        payload: { stream_name: 'notes', group_id: 'g', item_id: id, data: { text } },
      });
    });
    return worker;
  };
  const first = startWorker();
  const client = connect(engine.streamUrl, { WebSocket, optimistic, runtime: { random: () => 0 } });
  onTestFinished(() => client.close());
  const closes: string[] = [];
  client.onState((state) => {
    if (state.kind === 'waiting') closes.push(state.last.reason);
  });
  const view = client.subscribeGroup<{ readonly text: string }>('notes', 'g');
  await view.whenLive();
  await first.shutdown();
  await engine.kill();
  // A call on a connection that the client takes for open would count as sent.
  await expect.poll(() => client.state.kind).not.toBe('open');
  const call = client.call(
    'app::write',
    { id: 'n1', text: 'hi' },
    { optimistic: (draft) => draft.group('notes', 'g').set('n1', { text: 'hi' }) },
  );
  expect(view.items).toMatchObject([{ id: 'n1', pending: true }]);
  await engine.start();
  // The client has sent the call by then, and the engine has read nothing of it.
  await expect.poll(() => closes).toContain('not admitted: no auth worker');
  startWorker();
  expect(await call).toBe(null);
  await view.whenLive();
  await expect.poll(() => view.items.map(({ id, data, pending }) => [id, data.text, pending])).toEqual([['n1', 'hi', undefined]]);
  expect(runs).toBe(1);
}, 60_000);
