import { expect, test } from 'vitest';
import { startTestEngine } from './harness/engine.js';
import { RawWorker } from './harness/raw-worker.js';
import { StreamSocket } from './harness/stream-socket.js';

test('E1 a refresh with a lone surrogate is a question like any other: the auth function answers it, and the engine lives', async () => {
  const { workerUrl, streamUrl, log } = await startTestEngine({ stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(workerUrl);
  const asked: string[] = [];
  await worker.serve('app::auth', (input) => {
    asked.push((input as { query_params: { token?: string[] } }).query_params.token?.[0] ?? '');
    return {};
  });
  const client = await StreamSocket.open(`${streamUrl}/stream/chat/room?token=good&positions=1`);
  await client.take('sync');
  // JSON.stringify writes an escape, which JSON carries.
  client.send({ type: 'refresh', data: { token: '\ud800' } });
  expect(await client.takeControl('refreshed')).toEqual({ expiresAtMs: null });
  expect(asked).toEqual(['good', '\ufffd']);
  expect(log.filter(({ event }) => event === 'background_failed')).toEqual([]);
});
