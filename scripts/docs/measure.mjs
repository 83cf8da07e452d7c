import { chromium } from 'playwright-core';
import { serveFolder } from './static-server.mjs';

/** A page of each kind. */
export const KINDS = [
  '/',
  '/tutorials/chat.html',
  '/guides/nginx.html',
  '/metrics.html',
  '/api/client/svelte.html',
  '/explain/cursor.html',
];
const RUNS = 5;

/**
 * Opens a page of each kind in a new browser profile, and returns a table: the median time of the first contentful paint, and the bytes of
 * script, compressed.
 *
 * @param {string} folder
 */
export async function measureSite(folder) {
  const server = await serveFolder(folder);
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const lines = ['| Page | First contentful paint | Script, compressed |', '|---|---|---|'];
  for (const path of KINDS) {
    const paints = [];
    let bytes = 0;
    for (let run = 0; run < RUNS; run++) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`${server.url}${path}`, { waitUntil: 'networkidle' });
      const figures = await page.evaluate(figuresOfPage);
      paints.push(figures.paint);
      bytes = figures.bytes;
      await context.close();
    }
    const median = paints.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)] ?? 0;
    lines.push(`| ${path} | ${median.toFixed(0)} ms | ${(bytes / 1_000).toFixed(1)} kB |`);
  }
  await browser.close();
  await server.close();
  return `${lines.join('\n')}\n`;
}

/** Returns what the browser has measured of its page. It runs in the page. */
export function figuresOfPage() {
  const entries = performance.getEntries();
  const paint = entries.find(({ name }) => name === 'first-contentful-paint')?.startTime ?? Number.POSITIVE_INFINITY;
  const scripts = entries.filter(({ entryType, name }) => entryType === 'resource' && name.endsWith('.js'));
  return { paint, bytes: scripts.reduce((sum, entry) => sum + ('encodedBodySize' in entry ? Number(entry.encodedBodySize) : 0), 0) };
}
