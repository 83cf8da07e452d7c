import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openPage } from '@rivulet/testkit/browser';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';

const SERVER = fileURLToPath(new URL('../../server.mjs', import.meta.url));

/** Starts the example as its README does, on free ports. Returns the address that it prints. */
async function startExample(workerUrl: string, streamUrl: string): Promise<string> {
  const env = { ...process.env, III_URL: workerUrl, STREAM_URL: streamUrl, PORT: '0', OTEL_ENABLED: 'false' };
  const child = spawn(process.execPath, [SERVER], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  for await (const chunk of child.stdout) {
    const address = /chat on (\S+)/.exec(String(chunk))?.[1];
    if (address !== undefined) return address;
  }
  throw new Error('the example ended before it was ready');
}

test('a message that is posted in one window appears in the other, and in a plain WebSocket', async () => {
  const { workerUrl, streamUrl } = await startTestEngine({ lmdb: true });
  const address = await startExample(workerUrl, streamUrl);
  const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/lobby`);
  await watcher.take('sync');
  const page = await openPage();
  await page.goto(`${address}?room=lobby&name=ann`);
  await page.waitForFunction(() => document.getElementById('status')?.textContent === 'live');
  const other = await page.context().newPage();
  await other.goto(`${address}?room=lobby&name=bob`);
  await page.fill('#text', 'Hello <b>Bob</b>');
  await page.click('button');
  await other.waitForFunction(() => document.querySelector('#messages li')?.textContent === 'annHello <b>Bob</b>');
  expect((await watcher.take('create')).event.data).toMatchObject({ author: 'ann', text: 'Hello <b>Bob</b>' });
  await other.type('#text', 'Hi');
  await page.waitForFunction(() => document.getElementById('status')?.textContent === 'bob is typing');
  const typing = [await watcher.take('event'), await watcher.take('event')].map(({ event }) => event.event);
  expect(typing).toEqual([
    { type: 'typing', data: { author: 'ann' } },
    { type: 'typing', data: { author: 'bob' } },
  ]);
  await page.goto(`${address}?room=room-2&name=ann`);
  await page.waitForFunction(() => document.getElementById('status')?.textContent === 'live');
  expect(await page.locator('#messages li').count()).toBe(0);

  const worker = await RawWorker.connect(workerUrl);
  const [message] = (await worker.result('chat::list', { room: 'lobby' })) as { id: string }[];
  expect(await worker.result('chat::delete', { room: 'lobby', id: message?.id })).toEqual({ deleted: true });
  await other.waitForFunction(() => document.querySelectorAll('#messages li').length === 0);
  expect(await worker.errorCode('chat::post', { room: 'lobby', text: '' })).toBe('invocation_failed');
});
