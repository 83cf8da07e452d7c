import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { chromium } from 'playwright-core';

/** @import { Backend } from './backend.mjs' */

/** @typedef {import('playwright-core').Browser} Browser */

/** Opens Debian's chromium; the environment variable `CHROMIUM` names another executable. @returns {Promise<Browser>} */
export function openBrowser() {
  const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'];
  return chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', headless: true, args });
}

/**
 * Opens the page of a trial. Passes when the page shows a note of the worker, and after a click the note that the page made itself: at once
 * as pending, and then as stored. The page keeps these states in `window.states`.
 *
 * @param {Browser} browser @param {Pick<Backend, 'note'>} backend @param {string} url @param {string} group
 * @returns {Promise<{ readonly entries: Record<string, number> }>} the number of exports of each entry that the page has loaded
 */
export async function tryPage(browser, backend, url, group) {
  return tryNotes(browser, backend, url, group, async (page) => {
    await page.waitForFunction(() => Reflect.get(window, 'states')?.at(-1) === 'stored');
    const [first] = await page.evaluate(() => /** @type {string[]} */ (Reflect.get(window, 'states')));
    if (first !== 'pending') throw new Error(`the optimistic note was ${first} at first`);
    return { entries: await page.evaluate(() => /** @type {Record<string, number>} */ (Reflect.get(window, 'entries'))) };
  });
}

/**
 * Opens a page that shows notes. Passes when it shows a note of the worker, after a click the note that the page made itself, and then what
 * `check` wants.
 *
 * @template T
 * @param {Browser} browser @param {Pick<Backend, 'note'>} backend @param {string} url @param {string} group
 * @param {(page: import('playwright-core').Page) => Promise<T>} check
 * @returns {Promise<T>}
 */
export async function tryNotes(browser, backend, url, group, check) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('favicon')) errors.push(message.text());
  });
  try {
    await page.goto(url);
    await backend.note(group, 'from the worker');
    await page.waitForFunction(() => document.body.innerText.includes('from the worker'));
    await page.click('#add');
    await page.waitForFunction(() => document.body.innerText.includes('from the page'));
    const result = await check(page);
    if (errors.length > 0) throw new Error(`errors in the page: ${errors.join('; ')}`);
    return result;
  } catch (error) {
    throw new Error(`the page ${url} shows ${await page.evaluate(() => document.body.innerText)}; ${errors.join('; ')}`, { cause: error });
  } finally {
    await page.close();
  }
}

const TYPES = new Map([
  ['.html', 'text/html'],
  ['.js', 'text/javascript'],
  ['.css', 'text/css'],
]);

/**
 * Serves the files of a folder on loopback while `use` runs.
 *
 * @template T
 * @param {string} folder @param {(url: string) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function served(folder, use) {
  const server = createServer((request, response) => {
    const [path = '/'] = (request.url ?? '/').split('?');
    const name = path === '/' ? 'index.html' : path;
    readFile(join(folder, name)).then(
      (bytes) => response.writeHead(200, { 'content-type': TYPES.get(extname(name)) ?? 'application/octet-stream' }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(undefined));
  });
  const address = server.address();
  try {
    return await use(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
