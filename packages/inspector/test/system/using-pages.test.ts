import { WorkerError } from '@rivulet/testkit/peers/raw-worker';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { openInspector, settled } from '../inspector-tab.js';
import { ADMIN_TOKEN, MANY_GROUPS, sessionOf, startSeededEngine, VIEWER_TOKEN } from '../seeded-engine.js';

/** Presses Tab until the focus is on an element with this name. Fails when the focus has gone around once. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const passed: string[] = [];
  for (let step = 0; step < 60; step++) {
    await page.keyboard.press('Tab');
    const { text, isSeen } = await page.evaluate(() => {
      const element = document.activeElement;
      const label =
        element?.getAttribute('aria-label') ?? (element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : undefined);
      const outline = element === null ? undefined : getComputedStyle(element);
      return {
        text: (label ?? element?.textContent ?? '').trim(),
        isSeen: outline?.outlineStyle !== 'none' && outline?.outlineWidth !== '0px',
      };
    });
    passed.push(text);
    if (typeof name === 'string' ? text !== name : !name.test(text)) continue;
    expect(isSeen, `the focus on ${text} can be seen`).toBe(true);
    return;
  }
  throw new Error(`Tab never reached ${name}, but ${passed.join(', ')}`);
}

test('the keyboard alone reaches every page, a connection, its question, and its end', async () => {
  const engine = await startSeededEngine();
  const { page, problems } = await openInspector(engine.adminUrl);
  const heading = (name: string) => page.getByRole('heading', { name, level: 1 }).waitFor();
  const open = async (link: string | RegExp, title: string) => {
    await tabTo(page, link);
    await page.keyboard.press('Enter');
    await heading(title);
    await settled(page);
  };
  await open('Skip to the content', 'Overview');
  for (const [link, title] of [
    ['Streams', 'Streams'],
    ['Workers', 'Workers'],
    ['Why', 'Why did this client not get that change?'],
    ['Connections', 'Connections'],
  ] as const) {
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await open(link, title);
  }
  // The new view has the focus, so the next Tab goes into it.
  await open('ann', 'ann');
  await open(/^Why did it not get a change of chat\/room-002/, 'Why did this client not get that change?');
  await page.locator('article').waitFor();
  await page.goBack();
  await heading('ann');
  await settled(page);
  await tabTo(page, /^Disconnect/);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(/^Disconnect/);
  await page.keyboard.press('Enter');
  await tabTo(page, 'Disconnect');
  await page.keyboard.press('Enter');
  expect(await engine.ann.closed).toBeGreaterThan(0);
  await page.locator('#main').getByText('Ended').waitFor();
  expect(problems).toEqual([]);
});

test('a call has an input that fits the schema, and shows its result or its error', async () => {
  const engine = await startSeededEngine();
  const { page, problems, show } = await openInspector(engine.adminUrl);
  await show('/workers/functions/billing::charge');
  const input = page.getByLabel('Input (JSON)');
  const call = page.getByRole('button', { name: 'Call', exact: true });
  await page.getByText('Fits the schema').waitFor();
  expect(JSON.parse(await input.inputValue())).toEqual({ customer: 'cus_2041', total: { amount: 1, currency: 'EUR' } });
  await call.click();
  await page.getByText('Answered').waitFor();
  await page.locator('.result').getByText('"customer": "cus_2041"').waitFor();
  await input.fill('{"customer":"c","total":{"amount":1}}');
  await page.getByText('must have at least 3 characters').waitFor();
  await page.locator('.call li').getByText('total.currency').waitFor();
  await input.fill('{"customer":');
  await page.getByText('Line 1, column 13').waitFor();
  expect(await call.isDisabled()).toBe(true);
  await page.getByRole('button', { name: 'Use the example' }).click();
  await page.getByText('Fits the schema').waitFor();
  await engine.billing.serve('billing::charge', () => {
    throw new WorkerError({ code: 'CARD_DECLINED', message: 'the bank said no' });
  });
  await call.click();
  await page.getByText('the bank said no (CARD_DECLINED)').waitFor();
  expect(problems).toEqual([]);
});

test('tables ask for pages, and never for all rows', async () => {
  const engine = await startSeededEngine();
  const { page, requests, show } = await openInspector(engine.adminUrl);
  await show('/streams/sensors');
  await page.getByText('sensor-00000', { exact: true }).waitFor();
  await settled(page);
  const lists = () => requests.filter((request) => request.startsWith('GET /api/streams/sensors/groups?'));
  const limits = () => lists().map((request) => Number(new URL(`http://x${request.slice(4)}`).searchParams.get('limit')));
  expect(MANY_GROUPS).toBeGreaterThan(1_000);
  expect(await page.getByRole('row').count()).toBeLessThanOrEqual(101);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('sensor-00050', { exact: true }).waitFor();
  await settled(page);
  expect(await page.getByRole('row').count()).toBeLessThanOrEqual(101);
  expect(Math.max(...limits())).toBeLessThanOrEqual(100);
  await page.getByLabel('Search groups').fill('sensor-01199');
  await page.getByText('sensor-01199', { exact: true }).waitFor();
  expect(Math.max(...limits())).toBeLessThanOrEqual(100);
});

test('a token that may read sees everything and changes nothing, and a wrong one is refused', async () => {
  const engine = await startSeededEngine({ tokens: true });
  const { page, problems, show } = await openInspector(engine.adminUrl, VIEWER_TOKEN);
  await page.getByText('Read only').waitFor();
  await show(`/connections/${await sessionOf(engine, 'ann', VIEWER_TOKEN)}`);
  await page.getByText('Joins').first().waitFor();
  expect(await page.getByRole('button', { name: /Disconnect/, disabled: false }).count()).toBe(0);
  await show('/workers/functions/billing::charge');
  await page.getByText('Only the full token may call').waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Token').fill(`${ADMIN_TOKEN}!`);
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByText('The engine refused this token.').waitFor();
  await page.getByLabel('Token').fill(ADMIN_TOKEN);
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByText('Full access').waitFor();
  expect(problems).toEqual([]);
});
