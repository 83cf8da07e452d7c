import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';
import { openInspector } from '../inspector-tab.js';

/** No sub-protocol can have most of these characters. */
const ODD_TOKEN = 'a/token=of,operators:(with)<odd>"characters"';

test('a group shows its changes as they come, also with a token that no sub-protocol can have', async () => {
  const engine = await startTestEngine({ admin: { token: ODD_TOKEN } });
  const worker = await RawWorker.connect(engine.workerUrl);
  const set = (item_id: string) =>
    worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id, data: { text: item_id } });
  await set('before');
  const { page, problems, requests, show } = await openInspector(engine.adminUrl, ODD_TOKEN);
  await show('/streams/chat/room-1');
  await page.getByText('before', { exact: true }).waitFor();
  await page.getByText('Live', { exact: true }).waitFor();
  await set('my-own-message');
  await page.getByText('my-own-message', { exact: true }).waitFor();
  expect(problems).toEqual([]);
  expect(requests.filter((request) => request.includes('token'))).toEqual([]);
  expect(JSON.stringify(engine.log)).not.toContain(ODD_TOKEN);
});
