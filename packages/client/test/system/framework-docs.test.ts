import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPage, servePage } from '@rivulet/testkit/browser';
import { directoryWith } from '@rivulet/testkit/directory-with';
import type { Plugin } from 'rolldown';
import { compile } from 'svelte/compiler';
import { expect, onTestFinished, test } from 'vitest';
import { compileScript, parse } from 'vue/compiler-sfc';
import { bundle } from '../bundle.js';
import { startChatEngine } from '../chat-engine.js';

/** Returns the files that a page of the docs shows, by their names. */
function filesOf(page: string): ReadonlyMap<string, string> {
  const text = readFileSync(new URL(`../../../../docs/${page}`, import.meta.url), 'utf8');
  return new Map([...text.matchAll(/^`([\w.]+)`:\n\n```\w+\n(.*?)^```/gms)].map(([, name = '', code = '']) => [name, code]));
}

/** Compiles a file as the tools of its framework do. */
function compiled(name: string, source: string): string {
  if (name.endsWith('.svelte')) return compile(source, { filename: name, generate: 'client' }).js.code;
  if (!name.endsWith('.vue')) return source;
  const { descriptor } = parse(source, { filename: name });
  return compileScript(descriptor, { id: name, inlineTemplate: true }).content;
}

/** The folder in which the files of the docs seem to lie. */
const FOLDER = fileURLToPath(new URL('../docs/', import.meta.url));

/** Gives a bundle the files. The address of the engine takes the place of the one in the docs. */
function virtualFiles(files: ReadonlyMap<string, string>, streamUrl: string): Plugin {
  return {
    name: 'files-of-the-docs',
    resolveId: (id) => {
      const name = basename(id);
      return files.has(name) && (id === `./${name}` || id === FOLDER + name) ? FOLDER + name : undefined;
    },
    load: (id) => {
      const name = basename(id);
      const source = id === FOLDER + name ? files.get(name) : undefined;
      if (source === undefined) return undefined;
      const code = compiled(name, source).replace('wss://streams.example.com', streamUrl);
      return { code, moduleType: name.endsWith('.jsx') ? 'jsx' : 'js' };
    },
  };
}

test.each([
  ['react.md', 'main.jsx'],
  ['vue.md', 'main.js'],
  ['svelte.md', 'main.js'],
])('docs/%s: its first page works as it stands', async (page, entry) => {
  const { streamUrl, set, say } = await startChatEngine();
  await set('room-1', 'm1', 'hello');
  const files = filesOf(page);
  expect(files.size).toBe(3);
  const tab = await openPage();
  const lines: string[] = [];
  tab.on('console', (message) => lines.push(message.text()));
  tab.on('pageerror', (error) => lines.push(error.message));
  await tab.goto(await servePage());
  await tab.evaluate(() => {
    document.body.innerHTML = '<div id="app"></div>';
  });
  const { code } = await bundle(`./docs/${entry}`, 'docs', [], 'iife', { plugins: [virtualFiles(files, streamUrl)] });
  await tab.addScriptTag({ content: code });
  await tab.waitForFunction(() => document.querySelector('ul.live')?.textContent?.trim() === 'hello');
  await set('room-1', 'm2', 'world');
  await say('room-1', 'typing');
  await tab.waitForFunction(() => document.querySelectorAll('ul.live li').length === 2);
  await expect
    .poll(() => lines.filter((line) => !line.includes('React DevTools') && !line.includes('development version of Vue')))
    .toEqual(['typing']);
});

/** Starts a program as a file of the clone would run. It ends with the test. */
function startProgram(code: string, env: Readonly<Record<string, string>>) {
  const root = fileURLToPath(new URL('../../../../', import.meta.url));
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    env: { ...process.env, JWT_SECRET: 'a-secret-of-the-docs-with-32-bytes-or-more', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

test('docs/presence.md: the page shows who is here, and a vote at once, also if the worker starts last', async () => {
  const text = readFileSync(new URL('../../../../docs/presence.md', import.meta.url), 'utf8');
  const [config = ''] = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, code = '']) => code);
  const [loginServer = '', worker = ''] = [...text.matchAll(/```js\n(.*?)```/gs)].map(([, code = '']) => code);
  const engine = startProgram(
    `import { startTestEngine } from '@rivulet/sdk/testing';
     const { workerUrl, streamUrl } = await startTestEngine({ config: process.env.CONFIG });
     console.log(JSON.stringify({ workerUrl, streamUrl }));
     setInterval(() => {}, 60_000);`,
    { CONFIG: join(directoryWith({ 'iii-config.yaml': config }), 'iii-config.yaml') },
  );
  const { workerUrl, streamUrl } = JSON.parse(String((await once(engine.stdout, 'data'))[0])) as Record<'workerUrl' | 'streamUrl', string>;
  const listening = "server.on('listening', () => console.log(server.address().port));";
  const login = startProgram(`${loginServer}\n${listening}`, { PORT: '0' });
  const loginUrl = `http://127.0.0.1:${String((await once(login.stdout, 'data'))[0]).trim()}`;

  const tab = await openPage();
  const errors: string[] = [];
  tab.on('pageerror', (error) => errors.push(error.message));
  await tab.route(/\/(me|token)$/, async (route) => {
    const answer = await fetch(loginUrl + new URL(route.request().url()).pathname);
    await route.fulfill({ status: answer.status, body: await answer.text() });
  });
  await tab.goto(await servePage());
  await tab.evaluate(() => {
    document.body.innerHTML = '<div id="app"></div>';
  });
  const { code } = await bundle('./docs/main.js', 'docs', [], 'iife', { plugins: [virtualFiles(filesOf('presence.md'), streamUrl)] });
  const refused = tab
    .waitForEvent('websocket')
    .then((socket) => socket.waitForEvent('framereceived', { predicate: ({ payload }) => String(payload).includes('"FORBIDDEN"') }));
  await tab.addScriptTag({ content: code });
  await refused;
  startProgram(worker, { III_URL: workerUrl });

  await tab.waitForFunction(() => document.querySelector('#me')?.textContent === 'Ann');
  await tab.click('#tea');
  await tab.waitForFunction(() => document.querySelector('.vote:not(.pending)')?.textContent === 'ann: tea');
  await tab.click('#cola');
  await tab.waitForFunction(() => document.querySelector('#error')?.textContent === 'choose tea or coffee');
  await tab.waitForFunction(() => document.querySelector('.vote:not(.pending)')?.textContent === 'ann: tea');
  expect(errors).toEqual([]);
});
