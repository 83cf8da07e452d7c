import { openPage, servePage } from '@rivulet/testkit/browser';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { GroupView } from '../../src/index.js';
import { bundle } from '../bundle.js';
import { startChatEngine } from '../chat-engine.js';
import type * as page from '../page.js';

declare global {
  interface Window {
    page: typeof page;
    connect: typeof page.connect;
    tap: ReturnType<typeof page.tapped>;
    view: GroupView<{ id: string; text: string }>;
    log: string[];
    errors: string[];
  }
}

const addScript = async (tab: Page) => {
  await tab.addScriptTag({ content: (await bundle('./page.ts', 'page')).code });
};

/** Opens a page that watches `chat`/`r1` with a copy in IndexedDB. */
async function watch(tab: Page, url: string): Promise<void> {
  await addScript(tab);
  await tab.evaluate((address) => {
    window.log = [];
    window.tap = window.page.tapped(address, { persist: 'ann' });
    window.errors = [];
    window.tap.client.onError(({ code, cause }) => window.errors.push(`${code} ${String(cause)}`));
    window.view = window.tap.client.subscribeGroup('chat', 'r1', {
      onReset: ({ reason }) => window.log.push(`reset ${reason} ${window.view.items.map(({ data }) => data.text).join()}`),
      onChange: ({ type, id }) => window.log.push(`${type} ${id}`),
    });
  }, url);
  await tab.evaluate(() => window.view.whenLive());
}

/** Resolves when the copy has reached the position of the view. */
async function saved(tab: Page): Promise<void> {
  await tab.evaluate(async () => {
    const request = indexedDB.open('rivulet:ann');
    const database = await new Promise<IDBDatabase>((resolve) => {
      request.onsuccess = () => resolve(request.result);
    });
    const offset = () =>
      new Promise<number | undefined>((resolve) => {
        const heads = database.transaction('heads').objectStore('heads').getAll();
        heads.onsuccess = () => resolve((heads.result as { offset: number }[])[0]?.offset);
      });
    // IndexedDB does not report writes of another connection, so the test polls.
    while ((await offset()) !== window.view.position?.offset) await new Promise((resolve) => requestAnimationFrame(resolve));
    database.close();
  });
}

test('RV-4 RV-6 a page that is loaded again shows its copy at once and gets only what changed', async () => {
  const { streamUrl, set, remove } = await startChatEngine();
  for (const id of ['m1', 'm2', 'm3']) await set('r1', id, id);
  const tab = await openPage();
  await tab.goto(await servePage());
  await watch(tab, streamUrl);
  await set('r1', 'm2', 'two');
  await tab.waitForFunction(() => window.view.get('m2')?.data.text === 'two');
  await saved(tab);
  await tab.reload();
  await set('r1', 'm4', 'four');
  await remove('r1', 'm1');
  await watch(tab, streamUrl);
  expect(await tab.evaluate(() => window.errors)).toEqual([]);
  expect(await tab.evaluate(() => [window.log, window.tap.frames])).toEqual([
    ['reset restored m1,two,m3', 'create m4', 'delete m1'],
    ['resumed tail', 'create', 'delete'],
  ]);
  expect(await tab.evaluate(() => window.view.items.map(({ data }) => data.text))).toEqual(['two', 'm3', 'four']);
});

test('a copy that another program has damaged is thrown away', async () => {
  const { streamUrl, set } = await startChatEngine();
  await set('r1', 'm1', 'one');
  const tab = await openPage();
  await tab.goto(await servePage());
  await watch(tab, streamUrl);
  await saved(tab);
  await tab.evaluate(async () => {
    await window.tap.client.close();
    const request = indexedDB.open('rivulet:ann');
    const database = await new Promise<IDBDatabase>((resolve) => {
      request.onsuccess = () => resolve(request.result);
    });
    const writing = database.transaction('items', 'readwrite');
    const items = writing.objectStore('items');
    const keys = items.getAllKeys();
    keys.onsuccess = () => {
      for (const key of keys.result) items.put({ id: 'm1', created: 1, offset: 1, text: '{' }, key);
    };
    await new Promise<void>((resolve) => {
      writing.oncomplete = () => resolve();
    });
    database.close();
  });
  await tab.reload();
  await watch(tab, streamUrl);
  expect(await tab.evaluate(() => window.errors)).toEqual(['PERSIST_FAILED Error: the record is of another layout, or damaged']);
  expect(await tab.evaluate(() => [window.log, window.tap.frames])).toEqual([['reset first one'], ['syncing', 'sync']]);
});

test('the hooks show a group and an item, in StrictMode, with one join for all that watch the same', async () => {
  const { streamUrl, set, say } = await startChatEngine();
  await set('r1', 'm1', 'one');
  await set('r2', 'm1', 'other');
  const tab = await openPage();
  const errors: string[] = [];
  tab.on('pageerror', (error) => errors.push(error.message));
  tab.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await tab.goto(await servePage());
  await addScript(tab);
  await tab.evaluate((url) => {
    window.tap = window.page.tapped(url);
    window.page.show(window.tap.client);
  }, streamUrl);
  const reads = (line: string) =>
    tab.waitForFunction((text) => [...document.querySelectorAll('#room')].every((p) => p.textContent === text), line);
  await tab.waitForFunction(() => document.querySelectorAll('#room').length === 2);
  await reads('r1 live one | live one');
  await set('r1', 'm1', 'ONE');
  await set('r1', 'm2', 'two');
  await say('r1', 'typing');
  await reads('r1 live ONE,two | live ONE');
  await tab.waitForFunction(() => window.page.heard.length === 6);
  expect(await tab.evaluate(() => window.page.heard)).toEqual([
    'update m1',
    'update m1',
    'create m2',
    'create m2',
    'typing in r1',
    'typing in r1',
  ]);
  await tab.click('#go');
  await reads('r2 live other | live other');
  await tab.evaluate(() => window.page.mounted(false));
  await tab.waitForFunction(() => window.tap.sent.length === 8);
  expect(await tab.evaluate(() => window.tap.sent)).toEqual([
    'join r1',
    'join r1 m1',
    'leave r1',
    'leave r1 m1',
    'join r2',
    'join r2 m1',
    'leave r2',
    'leave r2 m1',
  ]);
  expect(errors).toEqual([]);
});

/** Opens a page with the client as a bundler makes it, and connects with `debug`. Returns the lines of the console. */
async function debugged(isThere: boolean) {
  const { streamUrl, set } = await startChatEngine();
  await set('r1', 'm1', 'one');
  const { code, later } = await bundle('../src/index.ts', 'rivulet', [], 'es');
  const files: Readonly<Record<string, string>> = { 'client.js': code, ...(isThere ? later : {}) };
  const tab = await openPage();
  const lines: string[] = [];
  tab.on('console', (line) => lines.push(`${line.type()}: ${line.text()}`));
  await tab.goto(await servePage());
  await tab.route('**/*.js', (route) => {
    const body = files[new URL(route.request().url()).pathname.slice(1)];
    return body === undefined ? route.abort() : route.fulfill({ contentType: 'text/javascript', body });
  });
  await tab.addScriptTag({ type: 'module', content: "import { connect } from '/client.js'; window.connect = connect;" });
  await tab.waitForFunction(() => window.connect !== undefined);
  const items = await tab.evaluate(async (url) => {
    const view = window.connect(url, { debug: true }).subscribeGroup('chat', 'r1');
    await view.whenLive();
    return view.items;
  }, streamUrl);
  expect(items).toMatchObject([{ id: 'm1' }]);
  return { streamUrl, lines: lines.filter((line) => !line.startsWith('error: Failed to load resource')) };
}

test('debug: true loads its lines as a file of their own, and none is lost', async () => {
  const { streamUrl, lines } = await debugged(true);
  expect(lines.slice(0, 3)).toEqual([
    `info: [rivulet] the client connects to ${streamUrl}/`,
    'info: [rivulet] the client is connected',
    'info: [rivulet] the client sends join in chat/r1',
  ]);
});

test('debug: true warns and goes on when that file is not there', async () => {
  const { lines } = await debugged(false);
  expect(lines).toEqual([expect.stringMatching(/^warning: TypeError: Failed to fetch dynamically imported module: .*\/debug-/)]);
});
