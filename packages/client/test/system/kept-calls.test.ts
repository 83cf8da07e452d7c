import { openPage, servePage } from '@rivulet/testkit/browser';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { bundle } from '../bundle.js';
import type * as keeping from '../pages/kept-calls-page.js';

declare global {
  interface Window {
    keeping: typeof keeping;
    kept: keeping.KeepingPage;
  }
}

/**
 * Starts an engine with the function `app::note`, which notes its text. The text `slow` waits for `release`. The engine has run for longer
 * than any page of these tests: a store in memory that is younger than a kept call may have lost its record.
 */
async function startNotes() {
  let aheadMs = 0;
  const clock = { now: () => Date.now() + aheadMs, monotonic: () => performance.now() + aheadMs };
  const stream = { exposeFunctions: [{ kind: 'match', pattern: 'app::*' } as const] };
  const { streamUrl, workerUrl } = await startTestEngine({ stream, clock });
  aheadMs = 120_000;
  const worker = await RawWorker.connect(workerUrl);
  const runs: string[] = [];
  let release = () => {};
  await worker.serve('app::note', async (payload) => {
    const { text } = payload as { text: string };
    runs.push(text);
    if (text === 'slow')
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    return `noted ${text}`;
  });
  return { streamUrl, runs, release: () => release() };
}

/** Opens the client of a page, which does not connect yet. */
async function load(tab: Page, url: string, identity = 'ann'): Promise<void> {
  await tab.addScriptTag({ content: (await bundle('./pages/kept-calls-page.ts', 'keeping')).code });
  await tab.evaluate(
    ([address, user]) => {
      window.kept = window.keeping.openKeeping(address, user);
    },
    [url, identity] as const,
  );
}

/** Makes calls whose promises end with the page. */
async function call(tab: Page, ...texts: readonly string[]): Promise<void> {
  await tab.evaluate((all) => {
    for (const text of all) window.kept.client.call('app::note', { text }).catch(() => {});
  }, texts);
}

const connect = (tab: Page) => tab.evaluate(() => window.kept.connect());
const payloadsOf = (...texts: readonly string[]) => texts.map((text) => JSON.stringify({ text }));
// IndexedDB does not report writes of another connection, so these tests poll.
const keeps = (tab: Page, ...texts: readonly string[]) =>
  expect.poll(() => tab.evaluate(() => window.keeping.keptPayloads())).toEqual(payloadsOf(...texts));
const settles = (tab: Page, ...outcomes: readonly string[]) => expect.poll(() => tab.evaluate(() => window.kept.settled)).toEqual(outcomes);

test('RV-63 calls that wait survive a reload, and so does one that was sent: each runs once, in order', async () => {
  const { streamUrl, runs, release } = await startNotes();
  const tab = await openPage();
  await tab.goto(await servePage());
  await load(tab, streamUrl);
  await call(tab, 'a', 'b');
  await keeps(tab, 'a', 'b');
  await tab.reload();
  await load(tab, streamUrl);
  await call(tab, 'own');
  await connect(tab);
  await settles(tab, 'app::note "noted a"', 'app::note "noted b"');
  await keeps(tab);
  await call(tab, 'slow');
  await expect.poll(() => runs).toEqual(['a', 'b', 'own', 'slow']);
  await tab.reload();
  await load(tab, streamUrl);
  await connect(tab);
  await expect.poll(() => tab.evaluate(() => window.kept.sent)).toEqual(['call']);
  release();
  await settles(tab, 'app::note "noted slow"');
  await keeps(tab);
  expect([runs, await tab.evaluate(() => window.kept.errors)]).toEqual([['a', 'b', 'own', 'slow'], []]);
});

test('two pages of one name: neither sends the calls of the other, and one of them sends those of a closed page', async () => {
  const { streamUrl, runs } = await startNotes();
  const url = await servePage();
  const first = await openPage();
  const context = first.context();
  await first.goto(url);
  await load(first, streamUrl);
  await call(first, 'first');
  await keeps(first, 'first');
  const second = await context.newPage();
  await second.goto(url);
  await load(second, streamUrl);
  await call(second, 'second');
  await connect(second);
  await keeps(second, 'first');
  expect(runs).toEqual(['second']);
  await connect(first);
  await keeps(first);
  expect(runs).toEqual(['second', 'first']);
  await first.reload();
  await load(first, streamUrl);
  await call(first, 'left');
  await keeps(first, 'left');
  const later = [await context.newPage(), await context.newPage()];
  await Promise.all(later.map((tab) => tab.goto(url)));
  await first.close();
  await Promise.all(later.map((tab) => load(tab, streamUrl)));
  await Promise.all(later.map(connect));
  await keeps(second);
  const sent = await Promise.all(later.map((tab) => tab.evaluate(() => window.kept.sent)));
  expect([runs, sent.flat()]).toEqual([['second', 'first', 'left'], ['call']]);
});

test('the next user gets none of the calls of the one before, and learns it', async () => {
  const { streamUrl, runs } = await startNotes();
  const tab = await openPage();
  await tab.goto(await servePage());
  await load(tab, streamUrl);
  await call(tab, 'a', 'b');
  await keeps(tab, 'a', 'b');
  await tab.reload();
  await load(tab, streamUrl, 'bob');
  await connect(tab);
  await call(tab, 'own');
  await expect.poll(() => runs).toEqual(['own']);
  await keeps(tab);
  expect(await tab.evaluate(() => [window.kept.errors, window.kept.sent])).toEqual([['IDENTITY_CHANGED'], ['call']]);
});
