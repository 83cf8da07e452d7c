import { SEEDED_CAUSES, SMALL_RINGS, type WhyQuestion } from '@rivulet/testkit/why/seeded-causes';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { explanationOf } from '../../src/why/explanation.js';
import { type InspectorTab, openInspector } from '../inspector-tab.js';

/** Asks as a user does: fills in the form and presses Enter. Resolves with the cause and the title of the answer. */
async function ask(page: Page, { session, stream, group, item, offset }: WhyQuestion) {
  await page.getByRole('link', { name: 'Why', exact: true }).click();
  await page.getByLabel('Client').fill(session);
  await page.getByLabel('Stream', { exact: true }).fill(stream);
  await page.getByLabel('Group', { exact: true }).fill(group);
  await page.getByLabel('Item').fill(item ?? '');
  await page.getByLabel('Offset').fill(offset === undefined ? '' : String(offset));
  await page.getByLabel('Offset').press('Enter');
  const answer = page.locator('article').first();
  await answer.waitFor();
  return { cause: await answer.getAttribute('data-cause'), title: await answer.getByRole('heading').first().textContent() };
}

test('the page names each of the ten seeded causes', async () => {
  let tab: InspectorTab | undefined;
  const named: unknown[] = [];
  for (const { name, seed } of SEEDED_CAUSES) {
    const { engine, question } = await seed();
    if (tab === undefined) tab = await openInspector(engine.adminUrl);
    else await tab.visit(engine.adminUrl);
    named.push({ name, ...(await ask(tab.page, question)) });
    await engine.stop();
  }
  expect(named).toEqual(SEEDED_CAUSES.map(({ name, cause }) => ({ name, cause, title: explanationOf(cause).title })));
  expect(tab?.problems).toEqual([]);
});

test('the page says that a cause is not known any more, when its ring is overrun', async () => {
  let tab: InspectorTab | undefined;
  const causes: unknown[] = [];
  const losable = SEEDED_CAUSES.filter(({ lose }) => lose !== undefined);
  expect(losable.length).toBeGreaterThan(0);
  for (const { seed, lose } of losable) {
    const seeded = await seed(SMALL_RINGS);
    await lose?.run(seeded);
    if (tab === undefined) tab = await openInspector(seeded.engine.adminUrl);
    else await tab.visit(seeded.engine.adminUrl);
    causes.push((await ask(tab.page, seeded.question)).cause);
    await seeded.engine.stop();
  }
  expect(causes).toEqual(losable.map(() => 'not_known_any_more'));
  expect(tab?.problems).toEqual([]);
});
