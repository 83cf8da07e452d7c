import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, Steps } from '../try-packages/steps.mjs';

/** @import { Browser } from 'playwright-core' */

/**
 * Makes a project of a template from packed packages, as a person would, and runs it. Returns lines about it; throws when a step fails.
 *
 * @param {{ folder: string, name: string, browser: Browser }} options `folder` has the packages below `packages`
 * @returns {Promise<readonly string[]>}
 */
export async function tryTemplate({ folder, name, browser }) {
  const packages = join(folder, 'packages');
  const creator = readdirSync(packages).find((file) => file.startsWith('create-rivulet-'));
  const made = new Steps(folder);
  await made.run(
    `npx --yes --package ${join(packages, creator ?? '')} create-rivulet ${name}-app --template ${name} --packages ${packages} --yes`,
  );

  const [worker = 0, stream = 0, page = 0] = await freePorts(3);
  const steps = new Steps(join(folder, `${name}-app`), {
    WORKER_PORT: `${worker}`,
    STREAM_PORT: `${stream}`,
    PORT: `${page}`,
    RIVULET_URL: `ws://127.0.0.1:${worker}`,
    RIVULET_STREAM_URL: `ws://127.0.0.1:${stream}`,
    VITE_STREAM_URL: `ws://127.0.0.1:${stream}`,
  });
  try {
    for (const command of ['npm install', 'npm run typecheck', 'npm test', 'npm run build']) await steps.run(command);
    await steps.start('npm run dev', name === 'worker' ? /worker: open/ : /worker: open[^]*Local:|Local:[^]*worker: open/);
    if (name === 'worker') await tryCommands(steps);
    else await tryPage(browser, `http://127.0.0.1:${page}/`, name === 'react');
  } finally {
    await steps.stop();
  }
  const count = made.count + steps.count;
  const seconds = made.seconds;
  return [`${name}: works, ${count} commands in ${seconds} s`, ...[...made.transcript, ...steps.transcript].map((line) => `  ${line}`)];
}

/** A call of the worker, and what a watcher sees of it. @param {Steps} steps */
async function tryCommands(steps) {
  await steps.run(`npx rivulet call tasks::add '{"id":"t1","text":"from the terminal"}'`);
  // `live`: from here on the watcher sees each change. A call before that would leave it waiting for ever.
  const seen = await steps.run(
    [
      'npx rivulet watch tasks all --count 1 > seen.txt &',
      'until grep -q live seen.txt; do kill -0 $! || exit 1; sleep 0.1; done',
      `npx rivulet call tasks::finish '{"id":"t1","done":true}' && wait && cat seen.txt`,
    ].join('\n'),
  );
  if (!/update.*from the terminal/.test(seen)) throw new Error(`rivulet watch printed ${seen}`);
}

/**
 * Two pages: a task that one of them adds appears in both. In React the other person is shown too.
 *
 * @param {Browser} browser @param {string} url @param {boolean} hasLogin
 */
async function tryPage(browser, url, hasLogin) {
  /** @type {string[]} */
  const errors = [];
  const open = async (/** @type {string} */ name) => {
    const page = await browser.newPage();
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(url);
    if (hasLogin) {
      await page.fill('input[name=name]', name);
      await page.click('button');
    }
    await page.waitForSelector('input[name=text]');
    return page;
  };
  const [ann, bob] = [await open('Ann'), await open('Bob')];
  const shows = (/** @type {typeof ann} */ page, /** @type {string} */ text) =>
    page.waitForFunction((wanted) => document.body.innerText.includes(wanted), text);
  try {
    if (hasLogin) await shows(bob, 'Ann');
    await ann.fill('input[name=text]', 'from the page of Ann');
    await ann.click('form button');
    await shows(ann, 'from the page of Ann');
    await shows(bob, 'from the page of Ann');
    if (errors.length > 0) throw new Error(`errors in the page: ${errors.join('; ')}`);
  } finally {
    await ann.close();
    await bob.close();
  }
}
