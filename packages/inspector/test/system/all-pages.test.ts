import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { axeProblems, dress, isTooWide, openInspector, type Size, settled } from '../inspector-tab.js';
import { checkPicture } from '../pictures.js';
import { sessionOf, startSeededEngine } from '../seeded-engine.js';

const SIZES = ['desktop', 'phone'] as const;
const THEMES = ['light', 'dark'] as const;

interface View {
  readonly name: string;
  readonly address: string;
  /** A text that the view shows once it has its content. */
  readonly text: string;
  /** Uses the view, before the pictures. @default nothing */
  readonly use?: (page: Page) => Promise<void>;
  /** Sizes of the pictures of the view in docs/images/inspector. @default none */
  readonly pictures?: readonly Size[];
}

async function call(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Call', exact: true }).click();
  await page.getByText('Answered').waitFor();
}

async function askToDisconnect(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Disconnect…' }).click();
  await page.getByRole('dialog').waitFor();
}

const viewsOf = (session: string): readonly View[] => [
  { name: 'overview', address: '/overview', text: 'Ready', pictures: SIZES },
  { name: 'streams', address: '/streams', text: 'sensors' },
  { name: 'groups', address: '/streams/sensors', text: 'sensor-00007', pictures: ['desktop'] },
  { name: 'group', address: '/streams/chat/room-001', text: 'Welcome to room-001', pictures: SIZES },
  { name: 'log', address: '/streams/orders/open?tab=log', text: 'receipt' },
  { name: 'item', address: '/streams/chat/room-001?item=m2', text: 'Message 2 of the morning' },
  { name: 'connections', address: '/connections', text: 'eun-ji', pictures: ['desktop'] },
  { name: 'connection', address: `/connections/${session}`, text: 'Live', pictures: ['desktop'] },
  { name: 'disconnect', address: `/connections/${session}`, text: 'Live', use: askToDisconnect },
  { name: 'ended connection', address: '/connections/no-such-session', text: 'not connected' },
  { name: 'HTTP reads', address: '/connections/http-reads', text: 'waits for a change' },
  { name: 'workers', address: '/workers', text: 'mailer-for-invoices-and-reminders' },
  { name: 'functions', address: '/workers/functions', text: 'billing::charge' },
  { name: 'function', address: '/workers/functions/billing::charge', text: 'Fits the schema', use: call, pictures: ['desktop'] },
  { name: 'functions of one worker', address: '/workers/functions?worker=none', text: 'Show all' },
  { name: 'triggers', address: '/workers/triggers', text: 'Waiting', pictures: ['desktop'] },
  { name: 'question', address: '/why', text: 'Ask about one client' },
  { name: 'why', address: '/why?session=frank&stream=orders&group=open', text: 'The client is behind', pictures: SIZES },
  { name: 'no such page', address: '/nowhere', text: 'No such page' },
];

test('each page works in light and dark, on a desktop and a phone, and looks as in its pictures', async () => {
  const engine = await startSeededEngine();
  const tab = await openInspector(engine.adminUrl);
  const found: string[] = [];
  for (const { name, address, text, use, pictures = [] } of viewsOf(await sessionOf(engine, 'ann'))) {
    await tab.show(address);
    await tab.page.locator('#main').getByText(text).first().waitFor();
    await use?.(tab.page);
    for (const size of SIZES) {
      for (const theme of THEMES) {
        await dress(tab.page, size, theme);
        await settled(tab.page);
        const problems = await axeProblems(tab.page);
        if (pictures.includes(size)) problems.push(...(await checkPicture(tab.page, `${name}-${size}-${theme}`)));
        found.push(...problems.map((problem) => `${name}, ${size}, ${theme}: ${problem}`));
      }
      if (await isTooWide(tab.page)) found.push(`${name}, ${size}: wider than the window`);
    }
  }
  expect(found).toEqual([]);
  expect(tab.problems).toEqual([]);
});
