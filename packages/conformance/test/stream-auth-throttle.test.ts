import { expect, test } from 'vitest';
import { startTestEngine } from './harness/engine.js';
import { RawWorker } from './harness/raw-worker.js';
import { StreamSocket } from './harness/stream-socket.js';

const room = '/stream/chat/room-1';

test('a page with a refused token is put off after a while, and locks out nobody behind the same address', async () => {
  const { workerUrl, streamUrl, log } = await startTestEngine({ stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(workerUrl);
  let asked = 0;
  await worker.serve('app::auth', (data) => {
    asked++;
    const { query_params } = data as { query_params: Record<string, string[]> };
    return { unauthorized: !JSON.stringify(query_params).includes('good') };
  });
  const codes: number[] = [];
  for (let n = 0; n < 80; n++) {
    const page = await StreamSocket.open(`${streamUrl}${room}?token=old-${n % 2}`, ['Authorization', 'x']);
    codes.push(await page.closed);
  }
  expect(codes.slice(0, 20)).toEqual(Array<number>(20).fill(1008));
  expect(codes.slice(-1)).toEqual([1013]);
  expect(asked).toBeLessThan(60);
  const valid = await StreamSocket.open(`${streamUrl}${room}?token=good`, ['Authorization', 'x']);
  await valid.take('sync');
  const lines = log.filter(({ event }) => event === 'auth_throttled');
  expect(lines[0]).toMatchObject({ level: 'warn', fields: { of: 'credential' } });
  expect(lines).toHaveLength(1);
});

test('refused origins put nobody off', async () => {
  const allowedOrigins = ['https://app.example'];
  const { workerUrl, streamUrl } = await startTestEngine({ stream: { authFunction: 'app::auth', allowedOrigins } });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::auth', () => ({ context: null }));
  const open = (origin: string) => StreamSocket.open(streamUrl + room, [], { origin });
  for (let n = 0; n < 650; n++) await open('https://evil.example').catch(() => undefined);
  await (await open('https://app.example')).take('sync');
});
