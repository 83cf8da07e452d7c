import { openPage, servePage } from '@rivulet/testkit/browser';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import type { StreamFrame } from '@rivulet/testkit/peers/stream-socket';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

declare global {
  interface Window {
    frames_: StreamFrame[];
    closed_: number | undefined;
    protocol_: string;
  }
}

/** Opens a socket inside the page. */
async function watch(page: Page, url: string, protocols: string[] = []): Promise<void> {
  await page.evaluate(
    ([address, offered]) => {
      window.frames_ = [];
      window.closed_ = undefined;
      const socket = offered.length === 0 ? new WebSocket(address) : new WebSocket(address, offered);
      socket.onmessage = ({ data }) => window.frames_.push(JSON.parse(String(data)) as StreamFrame);
      socket.onopen = () => {
        window.protocol_ = socket.protocol;
      };
      socket.onclose = ({ code }) => {
        window.closed_ = code;
      };
    },
    [url, protocols] as const,
  );
}

const kinds = (page: Page) => page.evaluate(() => window.frames_.map((frame) => frame.event.type));

test('a page opens /stream/chat/room-1 and sees the snapshot, then every change', async () => {
  const { workerUrl, streamUrl } = await startTestEngine({ lmdb: true });
  const worker = await RawWorker.connect(workerUrl);
  const room = { stream_name: 'chat', group_id: 'room-1' };
  await worker.result('stream::set', { ...room, item_id: 'm1', data: { id: 'm1', text: 'hi' } });
  const page = await openPage();
  await page.goto(await servePage());
  await watch(page, `${streamUrl}/stream/chat/room-1`);
  await page.waitForFunction(() => window.frames_.length === 1);
  await worker.result('stream::set', { ...room, item_id: 'm2', data: { id: 'm2', text: 'ho 🙂' } });
  await worker.result('stream::set', { ...room, item_id: 'm1', data: { id: 'm1', text: 'hi!' } });
  await worker.result('stream::send', { ...room, type: 'typing', data: { user: 'ann' } });
  await worker.result('stream::delete', { ...room, item_id: 'm1' });
  await page.waitForFunction(() => window.frames_.length === 5);
  const frames = await page.evaluate(() => window.frames_);
  expect(frames.map((frame) => frame.event)).toEqual([
    { type: 'sync', data: [{ id: 'm1', text: 'hi' }] },
    { type: 'create', data: { id: 'm2', text: 'ho 🙂' } },
    { type: 'update', data: { id: 'm1', text: 'hi!' } },
    { type: 'event', event: { type: 'typing', data: { user: 'ann' } } },
    { type: 'delete', data: { id: 'm1', text: 'hi!' } },
  ]);
});

test('ST-9 a page with a token sub-protocol gets in; one with a wrong token sees no frame', async () => {
  const { workerUrl, streamUrl } = await startTestEngine({ stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(workerUrl);
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'm1', data: { id: 'm1' } });
  await worker.serve('app::auth', (data) => {
    const { headers } = data as { headers: Record<string, string> };
    return headers['sec-websocket-protocol'] === 'Authorization, good' ? { context: { user: 'u1' } } : { unauthorized: true };
  });
  const page = await openPage();
  await page.goto(await servePage());
  await watch(page, `${streamUrl}/stream/chat/room-1`, ['Authorization', 'good']);
  await page.waitForFunction(() => window.frames_.length === 1);
  expect(await page.evaluate(() => window.protocol_)).toBe('Authorization');
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'm2', data: { id: 'm2' } });
  await page.waitForFunction(() => window.frames_.length === 2);
  expect(await kinds(page)).toEqual(['sync', 'create']);
  await watch(page, `${streamUrl}/stream/chat/room-1`, ['Authorization', 'bad']);
  await page.waitForFunction(() => window.closed_ !== undefined);
  expect(await page.evaluate(() => window.closed_)).toBe(1008);
  expect(await kinds(page)).toEqual([]);
});
