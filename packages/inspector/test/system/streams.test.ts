import { startTestEngine, type TestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { openInspector } from '../inspector-tab.js';

/** Tokens of base64, whose marks no sub-protocol of a WebSocket can have. */
const TOKEN = 'the/full+token/of+this/test/0123456789==';
const VIEWER = 'the/viewer+token/of+this/test/0123456789=';

/** Starts an engine with the group `chat/room-1` of these items. Returns a function that writes one. */
async function withItems(count: number, admin: Parameters<typeof startTestEngine>[0] = { admin: {} }) {
  const engine = await startTestEngine(admin);
  const worker = await RawWorker.connect(engine.workerUrl);
  const set = (item_id: string, data: unknown) => worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id, data });
  await Promise.all(Array.from({ length: count }, (_, index) => set(`m${index}`, { text: `message ${index}` })));
  return { engine, worker, set };
}

/** Returns the item as the engine has it. */
async function itemOf({ adminUrl }: TestEngine, item: string): Promise<unknown> {
  const response = await fetch(`${adminUrl}/api/streams/chat/groups/room-1/items/${item}`);
  return response.status === 404 ? undefined : ((await response.json()) as { data: unknown }).data;
}

/** Returns the kinds and items of the feed, the newest first. */
const feedOf = (page: Page) => page.locator('.feed li').evaluateAll((lines) => lines.map((line) => line.textContent));
const dialog = (page: Page) => page.getByRole('dialog');

test('a group is found, watched, written to and read, and the page shows each change as it comes', async () => {
  const { engine, worker, set } = await withItems(3);
  const { page, problems } = await openInspector(engine.adminUrl);
  await page.getByRole('link', { name: 'Streams' }).click();
  await page.getByRole('link', { name: 'chat' }).click();
  await page.getByRole('link', { name: 'room-1' }).click();
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('rowheader', { name: 'm2' }).waitFor();

  // A new item, by keyboard: the dialog takes the focus and gives it back.
  const button = page.getByRole('button', { name: 'Set item' });
  await button.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.type('from the page');
  await page.keyboard.press('Tab');
  await page.getByLabel('Data').fill('{"text":"hi","n":1.50}');
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  await dialog(page).waitFor({ state: 'detached' });
  expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.getByRole('link', { name: 'from the page' }).waitFor();
  expect(await itemOf(engine, 'from%20the%20page')).toEqual({ text: 'hi', n: 1.5 });

  await page.getByRole('tab', { name: 'Live changes' }).click();
  await set('m0', { text: 'changed' });
  await page.locator('.feed').getByText('{"text": "changed"}').waitFor();
  await worker.result('stream::send', { stream_name: 'chat', group_id: 'room-1', type: 'typing', data: { by: 'ann' } });
  await page.locator('.feed').getByText('typing {"by": "ann"}').waitFor();
  await page.getByRole('button', { name: 'Send event' }).click();
  await dialog(page).getByLabel('Type').fill('ping');
  await dialog(page).getByRole('button', { name: 'Send' }).click();
  await dialog(page).getByText('The event was sent.').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('.feed').getByText('ping {"text": "hello"}').waitFor();
  const [newest] = await feedOf(page);
  expect(newest).toMatch(/^\d+eventwhole groupping/);

  await page.getByRole('tab', { name: 'Log' }).click();
  await page.getByRole('row').getByText('ping {"text": "hello"}').waitFor();
  expect(problems).toEqual([]);
});

test('an item is shown, edited and deleted; wrong JSON is named and not sent', async () => {
  const { engine, set } = await withItems(3);
  const { page, problems, show } = await openInspector(engine.adminUrl);
  await show('/streams/chat/room-1');
  await page.getByRole('link', { name: 'm1', exact: true }).click();
  await dialog(page).getByText('"message 1"').waitFor();
  await dialog(page).getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Data').fill('{"text": 1,\n "more" 2}');
  await dialog(page).getByText('Line 2, column 9: a colon must stand here.').waitFor();
  expect(await dialog(page).getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
  // Somebody else writes meanwhile, and the dialog says so.
  await set('m1', { text: 'by somebody else' });
  await dialog(page).getByText('The item has changed since you opened it.').waitFor();
  await page.getByLabel('Data').fill('{"text": "edited"}');
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  await dialog(page).getByText('"edited"').waitFor();
  expect(await itemOf(engine, 'm1')).toEqual({ text: 'edited' });

  await dialog(page).getByRole('button', { name: 'Delete' }).click();
  await dialog(page).getByText('is deleted for all clients').waitFor();
  await dialog(page).getByRole('button', { name: 'Delete' }).click();
  await dialog(page).getByText('There is no such item now.').waitFor();
  expect(await itemOf(engine, 'm1')).toBeUndefined();
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'm1', exact: true }).waitFor({ state: 'detached' });
  expect(problems).toEqual([]);
});

test('a large group is shown page by page, with search, and watched only on demand', async () => {
  const { engine } = await withItems(1_500);
  const { page, problems, requests, show } = await openInspector(engine.adminUrl);
  await show('/streams/chat/room-1');
  await page.getByText('Not watched').waitFor();
  await page.getByRole('rowheader', { name: 'm0', exact: true }).waitFor();
  expect(await page.getByRole('rowheader').count()).toBe(50);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('Page 2').waitFor();
  await page.getByRole('button', { name: 'Previous' }).click();
  await page.getByLabel('Search items by id').fill('M1499');
  await page.getByRole('rowheader', { name: 'm1499' }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  expect(requests.filter((request) => request.includes('/items?limit=50&search=M1499')).length).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'Watch live' }).click();
  await page.getByText('1,500 items').waitFor();
  expect(await page.getByRole('rowheader').count()).toBe(1);
  expect(problems).toEqual([]);
});

test('the page requests a token and keeps it; with the token of a viewer it changes nothing and says why', async () => {
  const { engine } = await withItems(1, { admin: { token: TOKEN, viewerToken: VIEWER } });
  const { page, problems, show } = await openInspector(engine.adminUrl, VIEWER);
  await page.getByText('Read only').waitFor();
  await show('/streams/chat/room-1');
  await page.getByText('Live', { exact: true }).waitFor();
  const button = page.getByRole('button', { name: 'Set item' });
  expect(await button.getAttribute('aria-disabled')).toBe('true');
  expect(await button.getAttribute('title')).toContain('may only read');
  await button.click({ force: true });
  expect(await dialog(page).count()).toBe(0);

  await page.reload();
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Token').fill('a wrong token');
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByText('The engine refused this token.').waitFor();
  await page.getByLabel('Token').fill(TOKEN);
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByText('Full access').waitFor();
  await button.click();
  expect(await dialog(page).count()).toBe(1);
  expect(page.url()).not.toContain('token');
  expect(problems).toEqual([]);
});
