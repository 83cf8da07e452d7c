import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openPage } from '@rivulet/testkit/browser';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import type { Page } from 'playwright-core';
import { rolldown } from 'rolldown';
import { expect, onTestFinished, test } from 'vitest';
import { serveFolder } from '../../docs/static-server.mjs';
import { filesOf, projectWith, replaced, startProgram } from '../learning-pages.js';

// The tutorials, done as they stand there. Only the ports differ. A bundle of the page takes the place of Vite.

/** Starts the engine, the worker and the page of a tutorial. Returns the engine, and the address of the page. */
async function start(files: Readonly<Record<string, string>>) {
  const engine = await EngineProcess.start({
    config: ({ worker, stream }) =>
      replaced(files['rivulet.yaml'] ?? '', [
        ['49134', String(worker)],
        ['3112', String(stream)],
      ]),
  });
  const folder = projectWith({
    'worker.js': replaced(files['worker.js'] ?? '', [['ws://127.0.0.1:49134', engine.workerUrl]]),
    'chat.js': replaced(files['chat.js'] ?? '', [['ws://127.0.0.1:3112', engine.streamUrl]]),
  });
  const worker = startProgram(folder, ['worker.js']);
  let errors = '';
  worker.stderr?.on('data', (part) => {
    errors += String(part);
  });
  worker.once('exit', (code) => {
    if (code !== null) throw new Error(`the worker has ended with ${code}: ${errors}`);
  });
  const bundle = await rolldown({ input: join(folder, 'chat.js'), platform: 'browser' });
  await bundle.write({ dir: join(folder, 'page'), format: 'esm' });
  await bundle.close();
  mkdirSync(join(folder, 'page'), { recursive: true });
  const { 'index.html': html = '' } = files;
  for (const name of ['index.html', '404.html']) writeFileSync(join(folder, 'page', name), html);
  const server = await serveFolder(join(folder, 'page'));
  onTestFinished(server.close);
  return { engine, url: server.url };
}

const textOf = (page: Page, id: string) => page.locator(`#${id}`).textContent();
const messagesOf = (page: Page) => page.locator('#messages li').allTextContents();

async function post(page: Page, text: string): Promise<void> {
  await page.fill('#text', text);
  await page.getByRole('button', { name: 'Send' }).click();
}

test('a chat in 15 minutes: messages, a refusal, a killed engine, and typing', async () => {
  const files = filesOf('tutorials/chat.md');
  expect(Object.keys(files)).toEqual(['rivulet.yaml', 'worker.js', 'index.html', 'chat.js']);
  const { engine, url } = await start(files);
  const ann = await openPage();
  const bob = await ann.context().newPage();
  await ann.goto(`${url}/?name=ann`);
  await bob.goto(`${url}/?name=bob`);
  for (const page of [ann, bob]) await expect.poll(() => textOf(page, 'status')).toBe('live');

  await post(ann, 'hello');
  await expect.poll(() => messagesOf(bob)).toEqual(['ann: hello']);
  await post(bob, ' ');
  await expect.poll(() => textOf(bob, 'error')).toBe('a message needs a text');

  await engine.kill();
  for (const page of [ann, bob]) await expect.poll(() => textOf(page, 'status')).toBe('stale');
  await post(ann, 'are you there?');
  expect(await messagesOf(ann)).toEqual(['ann: hello']);
  await engine.start();
  for (const page of [ann, bob]) {
    await expect.poll(() => messagesOf(page)).toEqual(['ann: hello', 'ann: are you there?']);
    await expect.poll(() => textOf(page, 'status')).toBe('live');
  }

  // The events of a key may come before the worker has its function again, so the user goes on typing.
  await expect
    .poll(async () => {
      await bob.locator('#text').pressSequentially('x');
      return textOf(ann, 'typing');
    })
    .toBe('bob is typing');
});

test('presence: a person appears with the page, and disappears with it', async () => {
  const chat = filesOf('tutorials/chat.md');
  // The parts that the page shows are complete without the chat.
  const files = filesOf('tutorials/presence.md', { 'index.html': chat['index.html'] ?? '' });
  expect(Object.keys(files)).toEqual(['index.html', 'worker.js', 'chat.js']);
  const { url } = await start({ ...files, 'rivulet.yaml': chat['rivulet.yaml'] ?? '' });
  const ann = await openPage();
  const bob = await ann.context().newPage();
  // A page that joins before the worker is there has no lease, as the reference says. The reader starts the worker first.
  await expect
    .poll(async () => {
      await ann.goto(`${url}/?name=ann`);
      return ann
        .locator('#here')
        .getByText('ann')
        .waitFor({ timeout: 1_000 })
        .then(
          () => 'here',
          () => 'absent',
        );
    })
    .toBe('here');
  await bob.goto(`${url}/?name=bob`);
  for (const page of [ann, bob])
    await expect.poll(async () => (await textOf(page, 'here'))?.split(', ').toSorted()).toEqual(['ann', 'bob']);
  await bob.close();
  await expect.poll(() => textOf(ann, 'here')).toBe('ann');
});
