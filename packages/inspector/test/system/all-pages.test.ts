import { expect, test } from 'vitest';
import { axeProblems, dress, isTooWide, openInspector, settled } from '../inspector-tab.js';
import { sessionOf, startSeededEngine } from '../seeded-engine.js';

const SIZES = ['desktop', 'phone'] as const;
const THEMES = ['light', 'dark'] as const;

/** Views by their name, and a text that each shows once it has its content. */
const viewsOf = (session: string): Readonly<Record<string, readonly [view: string, text: string]>> => ({
  overview: ['/overview', 'Ready'],
  streams: ['/streams', 'sensors'],
  connections: ['/connections', 'eun-ji'],
  connection: [`/connections/${session}`, 'Live'],
  'a connection that has ended': ['/connections/no-such-session', 'not connected'],
  'HTTP reads': ['/connections/http-reads', 'waits for a change'],
  workers: ['/workers', 'mailer-for-invoices-and-reminders'],
  functions: ['/workers/functions', 'billing::charge'],
  function: ['/workers/functions/billing::charge', 'Fits the schema'],
  'functions of one worker': ['/workers/functions?worker=none', 'Show all'],
  triggers: ['/workers/triggers', 'Waiting'],
  why: ['/why', 'Ask about one client'],
  'an address of no page': ['/nowhere', 'No such page'],
});

test('each page works in light and dark, on a desktop and a phone', async () => {
  const engine = await startSeededEngine();
  const tab = await openInspector(engine.adminUrl);
  const found: string[] = [];
  for (const [name, [view, text]] of Object.entries(viewsOf(await sessionOf(engine, 'ann')))) {
    await tab.show(view);
    await tab.page.locator('#main').getByText(text).first().waitFor();
    for (const size of SIZES) {
      for (const theme of THEMES) {
        await dress(tab.page, size, theme);
        await settled(tab.page);
        found.push(...(await axeProblems(tab.page)).map((problem) => `${name}, ${size}, ${theme}: ${problem}`));
      }
      if (await isTooWide(tab.page)) found.push(`${name}, ${size}: wider than the window`);
    }
  }
  expect(found).toEqual([]);
  expect(tab.problems).toEqual([]);
});
