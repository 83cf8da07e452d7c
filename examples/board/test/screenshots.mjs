// Takes the screenshots of the README: `npm run screenshots`. It starts the board on free ports, with an empty store.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const shot = (page, name) => page.screenshot({ path: file(`../screenshots/${name}.png`), animations: 'disabled', caret: 'hide' });

const directory = await mkdtemp(join(tmpdir(), 'rivulet-board-'));
const board = spawn(process.execPath, [file('../board.mjs')], {
  env: { ...process.env, PORT: '0', DATA: directory },
  stdio: ['pipe', 'pipe', 'ignore'],
});
const address = await new Promise((resolve) => {
  createInterface({ input: board.stdout }).on('line', (line) => {
    const found = /^board on (\S+)$/.exec(line)?.[1];
    if (found !== undefined) resolve(found);
  });
});
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });

async function logIn(name, color, options) {
  const context = await browser.newContext({ viewport: { width: 1120, height: 620 }, ...options });
  const page = await context.newPage();
  await page.goto(address);
  await page.fill('#name', name);
  await page.check(`input[value=${color}]`);
  await page.click('button[type=submit]');
  await page.waitForSelector('[data-card]');
  return page;
}

const card = (title) => `.card:has-text("${title}")`;
const isSaved = (page) => page.waitForFunction(() => document.querySelector('.pending') === null);

async function add(page, column, title) {
  await page.click(`[data-column=${column}] .add`);
  await page.keyboard.type(title);
  await page.keyboard.press('Enter');
}

const CARDS = [
  ['ann', 'todo', 'Ask three teams to try the beta'],
  ['bob', 'todo', 'Choose a name for the second region'],
  ['cleo', 'todo', 'Draw the empty state of the inbox'],
  ['bob', 'doing', 'Let the importer read old backups'],
  ['ann', 'doing', 'Write the guide for new teams'],
  ['cleo', 'done', 'Dark colours for the calendar'],
  ['ann', 'done', 'Keep drafts when the tab closes'],
];

try {
  const people = {
    ann: await logIn('Ann Lee', 'indigo'),
    bob: await logIn('Bob Ray', 'rose', { colorScheme: 'dark' }),
    cleo: await logIn('Cleo Park', 'teal', { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true }),
  };
  const { ann, bob, cleo } = people;
  for (let index = 0; index < 6; index++) {
    await ann.focus(`[data-card=first-${index}]`);
    await ann.keyboard.press('Delete');
  }
  for (const [who, column, title] of CARDS) {
    await add(people[who], column, title);
    for (const page of Object.values(people)) await page.waitForSelector(card(title));
  }
  for (const page of Object.values(people)) {
    await isSaved(page);
    await page.waitForFunction(() => document.querySelectorAll('[data-person]').length === 3);
  }

  await bob.dblclick(card('Let the importer'));
  await bob.keyboard.type(', and say which ones it skips');
  await ann.waitForSelector('text=Bob Ray is typing');
  await ann.mouse.move(0, 0);
  await ann.focus(card('Ask three teams'));
  await shot(ann, 'board');
  await cleo.evaluate(() => scrollTo(0, 0));
  await shot(cleo, 'narrow');
  await bob.keyboard.press('Enter');
  await isSaved(bob);

  board.stdin.write('kill\n');
  await bob.waitForSelector('.banner');
  await bob.click(`${card('Choose a name')} [aria-label="Move to Doing"]`, { force: true });
  await add(bob, 'todo', 'Book the room for the review');
  await bob.mouse.move(0, 0);
  await shot(bob, 'offline');
  board.stdin.write('start\n');
  await isSaved(bob);

  await ann.dblclick(card('Write the guide'));
  await ann.keyboard.press('Control+A');
  await ann.keyboard.type('A guide for new teams. '.repeat(9));
  await ann.keyboard.press('Enter');
  await ann.waitForSelector('.toast');
  await shot(ann, 'refused');
} finally {
  await browser.close();
  board.kill('SIGTERM');
  await once(board, 'exit');
  await rm(directory, { recursive: true, force: true });
}
