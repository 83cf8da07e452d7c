import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import type { Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { connect, type StreamClient } from '../src/index.js';
import type { PeoplePage, Person } from './pages/people.js';

declare global {
  interface Window {
    people: PeoplePage;
    peopleClient: StreamClient;
  }
}

/** Starts an engine whose join function gives a lease to each client that says its name (`?who=ann`). */
export async function startPresenceEngine() {
  const { streamUrl, workerUrl } = await startTestEngine({ stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(workerUrl);
  await worker.serve('app::auth', (input) => ({ context: (input as { query_params: { who?: string[] } }).query_params.who?.[0] ?? null }));
  await worker.serve('app::join', (event) => {
    const { context: name } = event as { context: string };
    return { lease: { item_id: name, data: { name, typing: false }, client_data: true } };
  });
  await worker.bind('stream:join', 'app::join', { stream_name: 'presence' });
  return { streamUrl, worker };
}

/** Shows Ann in a page, and Bob in a client of Node, and checks what each sees of the other. The page has set `window.people`. */
export async function expectPresence(tab: Page, streamUrl: string): Promise<void> {
  const { WebSocket } = await import('ws');
  const bob = connect(`${streamUrl}?who=bob`, { WebSocket });
  onTestFinished(() => bob.close());
  const room = bob.subscribeGroup<Person>('presence', 'room');
  await room.whenLive();
  const peopleOfBob = () => room.items.map(({ data }) => `${data.name}${data.typing ? ' types' : ''}`);
  const page = (line: string) => tab.waitForFunction((text) => document.querySelector('#people')?.textContent === text, line);

  await tab.evaluate(() => window.people.show(window.peopleClient, 'ann'));
  await page('live, I am ann, with bob');
  await expect.poll(peopleOfBob).toEqual(['bob', 'ann']);
  await tab.evaluate(() => window.people.setTyping(true));
  await expect.poll(peopleOfBob).toEqual(['bob', 'ann types']);
  await page('live, I am ann who types, with bob');
  await tab.evaluate(() => window.people.update({ name: 'Ann', typing: false }));
  await expect.poll(peopleOfBob).toEqual(['bob', 'Ann']);
  room.lease({ name: 'bob', typing: true });
  await page('live, I am Ann, with bob who types');
  await tab.evaluate(() => window.people.end());
  await expect.poll(peopleOfBob).toEqual(['bob types']);
}
