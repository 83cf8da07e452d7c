import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ERROR_CODES, LIMITS } from '@rivulet/protocol';
import { openPage } from '@rivulet/testkit/browser';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { figuresOfPage, KINDS } from '../../docs/measure.mjs';
import { loadSearch } from '../../docs/search-index.mjs';
import { buildSite, prepareSite } from '../../docs/site.mjs';
import { serveFolder } from '../../docs/static-server.mjs';
import { ROOT } from '../../set-up/workspace.mjs';

const MOST_SCRIPT_BYTES = 150_000;
/** Results that the search field shows. */
const SHOWN = 16;
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const folder = mkdtempSync(join(tmpdir(), 'rivulet-site-'));
let server: Awaited<ReturnType<typeof serveFolder>>;
/** The HTML of each page, by its path. */
let pages: ReadonlyMap<string, string>;

beforeAll(async () => {
  await prepareSite();
  const { code, output } = await buildSite(folder);
  if (code !== 0) throw new Error(output);
  server = await serveFolder(folder);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.html'));
  pages = new Map(files.map((file) => [`/${file}`, readFileSync(join(folder, file), 'utf8')]));
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const idsOf = (html: string) => new Set([...html.matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => id));
const plain = (text: string) => text.replaceAll('&amp;', '&').replaceAll('&#39;', "'");

test('no link of the site is broken, with its anchor', () => {
  const anchors = new Map([...pages].map(([path, html]) => [path, idsOf(html)]));
  const files = new Set(readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => `/${file}`));
  const broken: string[] = [];
  for (const [path, html] of pages) {
    if (path === '/404.html') continue;
    for (const [, link = ''] of html.matchAll(/ (?:href|src)="([^"]*)"/g)) {
      const url = new URL(plain(link), `http://site${path}`);
      if (url.host !== 'site') continue;
      const target = url.pathname.endsWith('/') ? `${url.pathname}index.html` : url.pathname;
      const anchor = decodeURIComponent(url.hash.slice(1));
      const found = files.has(target) && (anchor === '' || anchors.get(target)?.has(anchor) === true);
      if (!found) broken.push(`${path}: ${link}`);
    }
  }
  expect(broken).toEqual([]);
});

test('each page has a way on, and stands in the side bar', () => {
  const lost = [...pages].filter(([path, html]) => path !== '/404.html' && !/class="VPLink link pager-link (prev|next)"/.test(html));
  expect(lost.map(([path]) => path)).toEqual([]);
});

/** Puts the content of each page into the open one, and returns those that are wider than the window. It runs in the page. */
async function widerPages(paths: readonly string[]): Promise<readonly string[]> {
  const place = document.querySelector('.vp-doc');
  if (place === null) throw new Error('the page has no content');
  const wide: string[] = [];
  for (const path of paths) {
    const html = await (await fetch(path)).text();
    const content = new DOMParser().parseFromString(html, 'text/html').querySelector('.vp-doc');
    place.replaceChildren(...(content?.childNodes ?? []));
    const over = document.documentElement.scrollWidth - innerWidth;
    if (over > 0) wide.push(`${path}: ${over} px wider than ${innerWidth} px`);
  }
  return wide;
}

test('no page is wider than a phone or a screen', async () => {
  const page = await openPage();
  const paths = [...pages.keys()].filter((path) => path !== '/404.html');
  for (const width of [360, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${server.url}/`);
    expect(await page.evaluate(widerPages, paths)).toEqual([]);
  }
});

/** Collects what the console of a page reports as an error, and requests that failed. */
function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('response', (response) => response.status() >= 400 && faults.push(`${response.status()} ${response.url()}`));
  return faults;
}

/** Returns the violations of level A and AA, each with the first element. Only contrast depends on the colours. */
async function violationsOf(page: Page, colorScheme: 'light' | 'dark'): Promise<readonly string[]> {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.locator(`html${colorScheme === 'dark' ? '.dark' : ':not(.dark)'}`).waitFor();
  const rules = colorScheme === 'light' ? "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']" : "{ type: 'rule', values: ['color-contrast'] }";
  return page.evaluate<string[]>(`
    axe.run(document, { runOnly: ${rules} }).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ': ' + nodes.length + ' × ' + nodes[0].html.slice(0, 120)),
    )`);
}

test('a page of each kind is accessible in light and dark colours, has no error in its console, and loads little script', async () => {
  const page = await openPage();
  const faults = faultsOf(page);
  const found: string[] = [];
  for (const [width, paths] of [
    [1280, KINDS],
    [390, ['/', '/metrics.html']],
  ] as const) {
    await page.setViewportSize({ width, height: 900 });
    for (const path of paths) {
      await page.goto(`${server.url}${path}`, { waitUntil: 'networkidle' });
      const { bytes } = await page.evaluate(figuresOfPage);
      expect(bytes).toBeGreaterThan(1_000);
      if (bytes > MOST_SCRIPT_BYTES) found.push(`${path}: ${bytes} bytes of script`);
      await page.addScriptTag({ path: AXE });
      const violations = [...(await violationsOf(page, 'light')), ...(await violationsOf(page, 'dark'))];
      found.push(...violations.map((violation) => `${path} at ${width} px: ${violation}`));
    }
  }
  expect(found).toEqual([]);
  expect(faults).toEqual([]);
});

test('the search field leads to the row of a name', async () => {
  const page = await openPage();
  const faults = faultsOf(page);
  await page.goto(`${server.url}/`, { waitUntil: 'networkidle' });
  for (const [name, address] of [
    ['rivulet_stream_connections', '/metrics.html#rivulet_stream_connections'],
    ['stream::set', '/functions.html#stream-set'],
    ['GROUP_FULL', '/errors.html#GROUP_FULL'],
  ] as const) {
    await page.click('.VPNavBarSearch button');
    await page.fill('#localsearch-input', name);
    await page.locator('.VPLocalSearchBox .result').first().getByText(name, { exact: true }).waitFor();
    await page.press('#localsearch-input', 'Enter');
    await page.waitForURL(`**${address}`);
    await page
      .locator(`tr[data-anchor="${address.split('#')[1]}"]`)
      .getByText(name, { exact: true })
      .first()
      .waitFor();
  }
  expect(faults).toEqual([]);
});

/** Returns the first group of each match in files of docs/. Other tests compare the tables there with the code. */
const inDocs = (pattern: RegExp, ...files: readonly string[]) =>
  files.flatMap((file) => [...readFileSync(join(ROOT, 'docs', file), 'utf8').matchAll(pattern)].map(([, name = '']) => name));

test('the search finds each function, error, limit, metric, log event and configuration key', async () => {
  const { search, ids } = await loadSearch(folder);
  const { workerUrl } = await startTestEngine({ http: {}, lmdb: true });
  const worker = await RawWorker.connect(workerUrl);
  const { functions } = (await worker.result('engine::functions::list', { include_internal: true })) as {
    readonly functions: readonly { readonly function_id: string }[];
  };
  const surfaces = readdirSync(join(ROOT, 'docs/api')).map((file) => `api/${file}`);
  const named = {
    errors: Object.keys(ERROR_CODES),
    limits: Object.keys(LIMITS),
    metrics: inDocs(/^\| `(rivulet_\w+)` \|/gm, 'metrics.md'),
    'log events': inDocs(/^\| <a id="([a-z_]+)">/gm, 'log-events.md'),
    keys: inDocs(/^\| `(\w+)` \|/gm, 'configuration.md'),
    functions: functions.map(({ function_id }) => function_id),
  };
  const mentioned = {
    exports: inDocs(/^export (?:abstract )?(?:function|class|const) (\w+)/gm, ...surfaces),
    commands: inDocs(/^\| `([a-z]+(?:-[a-z]+)*)` \|/gm, 'cli.md'),
  };
  const missing = (kind: string, names: readonly string[], isFound: (name: string) => boolean) => {
    if (names.length < 10) throw new Error(`there are only ${names.length} ${kind}`);
    return names.filter((name) => !isFound(name)).map((name) => `${kind}: ${name}`);
  };
  // The name is the title of a result that the search field shows.
  const hasTitle = (name: string) =>
    search(name)
      .slice(0, SHOWN)
      .some(({ title }) => title.split(/[\s(]/).includes(name));
  expect([
    ...Object.entries(named).flatMap(([kind, names]) => missing(kind, names, hasTitle)),
    ...Object.entries(mentioned).flatMap(([kind, names]) => missing(kind, names, (name) => search(name).length > 0)),
  ]).toEqual([]);
  const lost = ids.filter((id) => {
    const [path = '', anchor = ''] = id.split('#');
    const html = pages.get(path.endsWith('/') ? `${path}index.html` : path) ?? '';
    return !html.includes(` id="${anchor}"`);
  });
  expect(lost).toEqual([]);
});
