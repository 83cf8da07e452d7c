import type { Page } from 'playwright-core';
import { renderToString } from 'react-dom/server';
import { expect, test } from 'vitest';
import { connect } from '../../src/index.js';
import { startCallEngine } from '../call-run.js';
import { startChatEngine } from '../chat-engine.js';
import { openFramework, readInitial, sentBy, showsRooms, testPresenceAndCalls } from '../framework-run.js';
import * as reactPage from '../pages/react-page.js';

declare global {
  interface Window {
    react: typeof reactPage;
  }
}

const open = (streamUrl: string, html?: string) => openFramework('react', streamUrl, html);

/** Starts an engine and opens a page. */
async function start() {
  const engine = await startChatEngine();
  const { tab, problems } = await open(engine.streamUrl);
  const show = (name: string) => tab.evaluate((first) => window.react.show(window.tap.client, first), name);
  const turnTo = (name: string, inTransition = false) =>
    tab.evaluate(([next, soft]) => window.react.pages.show(next, soft), [name, inTransition] as const);
  return { ...engine, tab, problems, show, turnTo };
}

const rendered = (tab: Page) => tab.evaluate(() => window.react.rendered.splice(0));
testPresenceAndCalls('react');

test('a hook with Suspense shows the fallback until the state is known, and never renders without it', async () => {
  const { tab, set, show, turnTo, problems } = await start();
  await set('r1', 'm1', 'one');
  await set('r2', 'm1', 'other');
  await show('suspended r1');
  await showsRooms(tab, 'r1 live one');
  expect((await rendered(tab)).filter((line) => line !== 'suspended r1 live one one')).toEqual([]);
  await turnTo('none');
  await showsRooms(tab, 'none');
  await expect.poll(() => sentBy(tab)).toEqual(['join r1', 'join r1 m1', 'leave r1', 'leave r1 m1']);
  expect(problems).toEqual([]);
});

test('a transition keeps the old room in the page until the new one is known', async () => {
  const { tab, set, show, turnTo } = await start();
  await set('r1', 'm1', 'one');
  await set('r2', 'm1', 'other');
  await show('kept r1');
  await showsRooms(tab, 'r1 live one');
  await tab.evaluate(() => {
    const seen = new Set<string>();
    const look = () => seen.add(document.querySelector('.room')?.textContent ?? 'empty');
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
    Object.assign(window, { seen });
  });
  await turnTo('kept r2', true);
  await showsRooms(tab, 'r2 live other');
  expect(await tab.evaluate(() => [...(window as unknown as { seen: Set<string> }).seen])).toEqual(['r2 live other']);
  await expect.poll(() => sentBy(tab)).toEqual(['join r1', 'join r1 m1', 'join r2', 'join r2 m1', 'leave r1', 'leave r1 m1']);
});

test('a view that was opened for a component that never mounted is closed after 30 s', async () => {
  const { tab, show, turnTo, worker } = await start();
  await worker.serve('app::slow', () => new Promise(() => {}));
  await worker.bind('stream:join', 'app::slow', { stream_name: 'chat' });
  await tab.clock.install();
  await show('suspended r1');
  await expect.poll(() => sentBy(tab)).toEqual(['join r1']);
  await turnTo('none');
  await showsRooms(tab, 'none');
  await tab.clock.fastForward(29_000);
  expect(await sentBy(tab)).toEqual(['join r1']);
  await tab.clock.fastForward(2_000);
  await expect.poll(() => sentBy(tab)).toEqual(['join r1', 'leave r1']);
});

test('a refused join goes to the error boundary', async () => {
  const { tab, show, worker } = await start();
  await worker.serve('app::refuse', () => ({ unauthorized: true }));
  await worker.bind('stream:join', 'app::refuse', { stream_name: 'chat' });
  await show('suspended r1');
  await showsRooms(tab, 'FORBIDDEN');
});

test('a component that mounts later shows in its first render what others show', async () => {
  const { tab, set, show, turnTo } = await start();
  await set('r1', 'm1', 'one');
  await show('same r1');
  await showsRooms(tab, 'r1 live one');
  await rendered(tab);
  await turnTo('rooms r1');
  await showsRooms(tab, 'r1 live one', 'r1 live one');
  expect(new Set(await rendered(tab))).toEqual(new Set(['room r1 live one']));
});

test('changing props and fast mounts leave one join for each view in use, and no view behind', async () => {
  const { tab, set, show, turnTo } = await start();
  for (const group of ['r1', 'r2', 'r3']) await set(group, 'm1', group);
  await show('same r1');
  await showsRooms(tab, 'r1 live r1');
  for (const group of ['r2', 'r3', 'r2', 'r3', 'r1', 'r3']) await turnTo(`same ${group}`);
  await showsRooms(tab, 'r3 live r3');
  for (let round = 0; round < 5; round++) {
    await turnTo('none');
    await turnTo('room r3');
  }
  await showsRooms(tab, 'r3 live r3');
  await turnTo('none');
  await showsRooms(tab, 'none');
  const open = async () => {
    const all = await sentBy(tab);
    return all.filter((line) => line.startsWith('join')).length - all.filter((line) => line.startsWith('leave')).length;
  };
  await expect.poll(open).toBe(0);
});

test('components that React renders in several slices never show two states of a group together', async () => {
  const { tab, set, show, turnTo } = await start();
  await set('r1', 'm1', '0');
  await show('none');
  await turnTo('many r1', true);
  for (let count = 1; count <= 40; count++) await set('r1', 'm1', `${count}`);
  await tab.waitForFunction(() => {
    const slow = [...document.querySelectorAll('.slow')];
    return slow.length === 20 && slow.every(({ textContent }) => textContent === '40');
  });
  expect(await tab.evaluate(() => window.react.torn)).toEqual([]);
});

test('useConnection follows the connection', async () => {
  const { tab, show } = await start();
  const shows = (kind: string) => tab.waitForFunction((text) => document.querySelector('#connection')?.textContent === text, kind);
  await show('connection');
  await shows('open');
  await tab.evaluate(() => window.tap.sockets[0]?.close());
  await shows('waiting');
  await shows('open');
  await tab.evaluate(() => window.tap.client.close());
  await shows('closed');
});

test('the HTML of a server hydrates with its initial items, and the client resumes from their position', async () => {
  const engine = await startChatEngine();
  for (const id of ['m1', 'm2', 'm3']) await engine.set('r1', id, id);
  const initial = await readInitial(engine.streamUrl, 'r1');
  const html = renderToString(reactPage.serverTree(connect(engine.streamUrl), initial));
  expect(html).toContain('r1 stale m1,m2,m3');
  await engine.set('r1', 'm2', 'two');
  await engine.set('r1', 'm4', 'four');
  await engine.remove('r1', 'm1');

  const { tab, problems } = await open(engine.streamUrl, html);
  await tab.evaluate((state) => window.react.hydrate(window.tap.client, state), initial);
  await showsRooms(tab, 'r1 live two,m3,four', 'r1 live two,m3,four');
  expect(await tab.evaluate(() => window.react.problems)).toEqual([]);
  // The engine sends what changed, and no `sync`.
  expect(await tab.evaluate(() => window.tap.frames.filter((frame) => /sync/.test(frame)))).toEqual([]);
  expect((await rendered(tab)).slice(0, 2)).toEqual(['room r1 stale m1,m2,m3', 'room r1 stale m1,m2,m3']);
  expect(problems).toEqual([]);
});

test('on a server a hook with Suspense and without a state renders the fallback, and the browser renders the rest', async () => {
  const { streamUrl, set } = await startChatEngine();
  await set('r1', 'm1', 'one');
  const html = renderToString(reactPage.serverTree(connect(streamUrl), undefined));
  expect(html).toContain('<p class="room">waits</p>');
  const { tab } = await open(streamUrl, html);
  await tab.evaluate(() => window.react.hydrate(window.tap.client, undefined));
  await showsRooms(tab, 'r1 live one', 'r1 live one');
  expect(await tab.evaluate(() => window.react.problems)).toEqual([expect.stringContaining('needs the option `initial`')]);
});

test('an optimistic call of useCall is drawn at once, and is confirmed or taken back without any other state in between', async () => {
  const { streamUrl, release } = await startCallEngine(({ text }, worker) =>
    worker.call('stream::set', { stream_name: 'chat', group_id: 'r1', item_id: text, data: { id: text, text } }),
  );
  const { tab, problems } = await open(streamUrl);
  const shows = (line: string) => tab.waitForFunction((text) => document.querySelector('#composer')?.textContent === text, line);
  await tab.evaluate((url) => window.react.showComposer(url), streamUrl);
  await shows('');
  await tab.evaluate(() => window.react.composer.post('one'));
  await shows('one?');
  await tab.evaluate(() => window.react.composer.post('bad'));
  await shows('one? BAD_QUESTION');
  await release('one');
  await shows('one BAD_QUESTION');
  expect(await tab.evaluate(() => window.react.drawn)).toEqual(['', 'one?', 'one?,bad?', 'one? BAD_QUESTION', 'one BAD_QUESTION']);
  expect(problems).toEqual([]);
});
