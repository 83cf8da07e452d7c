import { openPage, servePage } from '@rivulet/testkit/browser';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { connect, type InitialState, type StreamClient } from '../src/index.js';
import { bundle } from './bundle.js';
import { expectCalls, startCallEngine } from './call-run.js';
import { startChatEngine } from './chat-engine.js';
import type { Chat, FrameworkPage, RoomsPage } from './pages/framework-page.js';
import type { Tapped } from './pages/tapped.js';
import { expectPresence, startPresenceEngine } from './presence-run.js';
import { svelteComponents } from './svelte-components.js';

export type Framework = 'react' | 'vue' | 'svelte';

declare global {
  interface Window {
    /** The values of `pages/<name>-page.ts`. */
    framework: FrameworkPage;
    /** The rooms of Vue and Svelte. */
    rooms: RoomsPage;
    tap: Tapped;
  }
}

/** The script of each page, which is packed once. */
const scripts = new Map<Framework, Promise<string>>();

function scriptOf(name: Framework): Promise<string> {
  const plugins = name === 'svelte' ? [svelteComponents('client')] : [];
  const script = scripts.get(name) ?? bundle(`./pages/${name}-page.ts`, name, [], 'iife', { plugins }).then(({ code }) => code);
  scripts.set(name, script);
  return script;
}

/** Opens an empty page with the components of a framework and a client. `html`: what a server has rendered. */
export async function openFramework(name: Framework, streamUrl: string, html = '') {
  const tab = await openPage();
  const problems: string[] = [];
  tab.on('pageerror', (error) => problems.push(error.message));
  tab.on('console', (message) => {
    // React warns of its development build.
    if (message.type() === 'error' || (name !== 'react' && message.type() === 'warning')) problems.push(message.text());
  });
  await tab.goto(await servePage());
  await tab.evaluate((text) => {
    document.body.innerHTML = `<div id="server">${text}</div>`;
  }, html);
  await tab.addScriptTag({ content: await scriptOf(name) });
  await tab.evaluate(
    ([own, url]) => {
      const page = (window as unknown as Record<string, FrameworkPage & { readonly rooms: RoomsPage }>)[own];
      if (page === undefined) throw new Error('the page has no script');
      window.framework = page;
      window.rooms = page.rooms;
      window.tap = page.tapped(url);
    },
    [name, streamUrl] as const,
  );
  return { tab, problems };
}

/** Resolves when the rooms of the page show these texts. */
export const showsRooms = (tab: Page, ...texts: readonly string[]) =>
  tab.waitForFunction(
    (expected) => JSON.stringify([...document.querySelectorAll('.room')].map((room) => room.textContent)) === expected,
    JSON.stringify(texts),
  );

/** Returns what the client of the page has sent. */
export const sentBy = (tab: Page) => tab.evaluate(() => window.tap.sent);

/** Returns the state of a group as a server reads it. */
export async function readInitial(streamUrl: string, group: string): Promise<InitialState<Chat>> {
  const answer = await fetch(`${streamUrl.replace('ws:', 'http:')}/stream/chat/${group}`);
  return (await answer.json()) as InitialState<Chat>;
}

/** Tests that all frameworks share. */
export function testPresenceAndCalls(name: Framework): void {
  test('it shows who is there, and shows the others what this page sends of itself', async () => {
    const { streamUrl } = await startPresenceEngine();
    const { tab, problems } = await openFramework(name, `${streamUrl}?who=ann`);
    await tab.evaluate(() => {
      window.people = window.framework.people;
      window.peopleClient = window.tap.client;
    });
    await expectPresence(tab, streamUrl);
    expect(problems).toEqual([]);
  });

  test('it shows the calls of a component, which may run at the same time and go on without it', async () => {
    const { streamUrl, release } = await startCallEngine();
    const { tab, problems } = await openFramework(name, streamUrl);
    await tab.evaluate(() => {
      window.caller = window.framework.caller;
      window.callerClient = window.tap.client;
    });
    await expectCalls(tab, release);
    expect(problems).toEqual([]);
  });
}

/** Tests that Vue and Svelte share. `render` returns the HTML of a server. */
export function testRooms(name: 'vue' | 'svelte', render: (client: StreamClient, initial: InitialState<Chat>) => Promise<string>): void {
  const twice = (text: string) => [text, text];

  test('it shows a group, an item and the connection, follows its props, and leaves what no component shows', async () => {
    const { streamUrl, set, say } = await startChatEngine();
    await set('r1', 'm1', 'one');
    await set('r2', 'm1', 'other');
    const { tab, problems } = await openFramework(name, streamUrl);
    await tab.evaluate(() => window.rooms.show(window.tap.client));
    await showsRooms(tab, ...twice('r1 live one | one'));
    expect(await tab.evaluate(() => document.querySelector('.room')?.getAttribute('data-state'))).toBe('open');
    await set('r1', 'm1', 'ONE');
    await set('r1', 'm2', 'two');
    await say('r1', 'typing');
    await showsRooms(tab, ...twice('r1 live ONE,two | ONE'));
    await tab.waitForFunction(() => window.rooms.heard.length === 2);
    expect(await tab.evaluate(() => window.rooms.heard)).toEqual(twice('typing in r1'));
    await tab.evaluate(() => window.rooms.turnTo('r2'));
    await showsRooms(tab, ...twice('r2 live other | other'));
    await tab.evaluate(() => window.rooms.showRooms(false));
    await showsRooms(tab);
    await expect
      .poll(async () => (await sentBy(tab)).toSorted())
      .toEqual(['join r1', 'join r1 m1', 'join r2', 'join r2 m1', 'leave r1', 'leave r1 m1', 'leave r2', 'leave r2 m1']);
    await tab.evaluate(() => window.rooms.showRooms(true));
    await showsRooms(tab, ...twice('r2 live other | other'));
    await tab.evaluate(() => window.rooms.end());
    await expect.poll(async () => (await sentBy(tab)).slice(8)).toEqual(['join r2', 'join r2 m1', 'leave r2', 'leave r2 m1']);
    expect(problems).toEqual([]);
  });

  test('it hydrates the HTML of a server with its initial items, and the client resumes from their position', async () => {
    const { streamUrl, set } = await startChatEngine();
    await set('r1', 'm1', 'one');
    const initial = await readInitial(streamUrl, 'r1');
    const html = await render(connect(streamUrl), initial);
    expect(html).toContain('r1 stale one | one');
    await set('r1', 'm2', 'two');
    const { tab, problems } = await openFramework(name, streamUrl, html);
    await tab.evaluate((state) => window.rooms.show(window.tap.client, state), initial);
    await showsRooms(tab, ...twice('r1 live one,two | one'));
    expect(await tab.evaluate(() => window.rooms.rendered[0])).toBe('r1 stale one | one');
    // The engine sends what changed, and no `sync`.
    expect(await tab.evaluate(() => window.tap.frames.filter((frame) => frame.startsWith('sync')))).toEqual([]);
    expect(problems).toEqual([]);
  });
}
