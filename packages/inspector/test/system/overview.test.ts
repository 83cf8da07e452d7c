import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';
import { openInspector } from '../inspector-tab.js';

test('the overview has figures, charts that go on, and the latest warnings with their remedies', async () => {
  const engine = await startTestEngine({ admin: {} });
  await RawWorker.connect(engine.workerUrl);
  const { page, problems, requests } = await openInspector(engine.adminUrl);
  await page.getByText('Ready', { exact: true }).waitFor();
  expect(await page.getByRole('listitem').filter({ hasText: 'Workers' }).last().textContent()).toBe('Workers1');
  await page.getByText('No warnings since the start').waitFor();

  // Samples come once a second. Each request asks for those since the last one.
  await page.waitForFunction(() => document.querySelectorAll('.chart canvas').length === 10);
  await expect.poll(() => requests.filter((request) => /^GET \/api\/overview\?since=\d{13}$/.test(request)).length).toBeGreaterThan(2);

  await fetch(`${engine.adminUrl}/api/engine`, { headers: { origin: 'https://elsewhere.example' } });
  const warnings = page.getByRole('region', { name: 'Latest warnings' });
  await warnings.getByText('admin_refused').first().waitFor();
  await warnings.getByText('ORIGIN_NOT_ALLOWED').waitFor();
  await warnings.getByText('Remedy:').waitFor();
  await warnings.getByText('docs/log-events.md#admin_refused').waitFor();

  await engine.stop();
  await page.getByText('Not answering').waitFor();
  await page.getByText('The engine does not answer.').first().waitFor();
  expect(problems).toEqual([]);
});
