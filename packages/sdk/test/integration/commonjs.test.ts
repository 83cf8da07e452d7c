import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const ENTRIES = [
  ['@rivulet/client', 'client', 'index'],
  ['@rivulet/client/react', 'client', 'react'],
  ['@rivulet/client/vue', 'client', 'vue'],
  ['@rivulet/client/svelte', 'client', 'svelte'],
  ['@rivulet/client/kept-calls', 'client', 'kept-calls'],
  ['@rivulet/client/debug', 'client', 'debug'],
  ['@rivulet/sdk', 'sdk', 'index'],
  ['@rivulet/sdk/stream', 'sdk', 'stream'],
  ['@rivulet/sdk/state', 'sdk', 'state'],
  ['@rivulet/sdk/testing', 'sdk', 'testing'],
] as const;

interface Run {
  readonly code: number;
  readonly output: string;
}

function run(cwd: string, args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr });
    });
  });
}

/** Makes a project of a user that has these packages. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-commonjs-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const namedIn = (file: string) => [...readFileSync(file, 'utf8').matchAll(/^export declare const (\w+)/gm)].map(([, name]) => name).sort();

test.each(ENTRIES)('C15 %s has the same values for require and for import, and types for each', async (name, folder, file) => {
  const required = createRequire(join(ROOT, 'packages/sdk/package.json'))(name) as object;
  const imported = (await import(join(ROOT, `packages/${folder}/dist/${file}.js`))) as object;
  expect(Object.keys(required).sort()).toEqual(Object.keys(imported).sort());
  expect(namedIn(join(ROOT, `packages/${folder}/cjs/${file}.d.cts`))).toEqual(Object.keys(imported).sort());
});

const CODE = `
import { connect, StreamError, type ConnectOptions, type GroupView, type Item } from '@rivulet/client';
import { StreamProvider, useStreamGroup } from '@rivulet/client/react';
import { InvocationError, registerWorker, type ISdk } from '@rivulet/sdk';
import { StateEventType } from '@rivulet/sdk/state';
interface Message { readonly text: string }
export const options: ConnectOptions = { token: 'a' };
export const room: GroupView<Message> = connect('wss://example.com', options).subscribeGroup<Message>('chat', 'room');
export const first: Item<Message> | undefined = room.items[0];
export const failed = (error: unknown): string => (error instanceof StreamError || error instanceof InvocationError ? error.message : '');
export const worker: ISdk = registerWorker('ws://127.0.0.1:49134');
export const hooks = [StreamProvider, useStreamGroup];
export const created: StateEventType = StateEventType.Created;
// @ts-expect-error a number is no token
export const wrong: ConnectOptions = { token: 1 };
`;

test.each([
  ['CommonJS files of node16', 'main.cts', 'node16', 'node16'],
  ['ESM files of node16', 'main.mts', 'node16', 'node16'],
  ['CommonJS files of nodenext', 'main.cts', 'nodenext', 'nodenext'],
  ['a bundler', 'main.ts', 'esnext', 'bundler'],
])('C15 TypeScript finds the types in %s', async (_what, file, module, moduleResolution) => {
  const folder = project({ [file]: CODE });
  const args = ['--noEmit', '--strict', '--module', module, '--moduleResolution', moduleResolution, '--target', 'es2022'];
  const types = ['--types', 'node,react', '--typeRoots', join(ROOT, 'node_modules/@types'), '--jsx', 'react-jsx', '--skipLibCheck', 'true'];
  expect(await run(folder, [TSC, ...args, ...types, file])).toEqual({ code: 0, output: '' });
});

test('C15 a server imports and renders a module that connects, and opens no socket', async () => {
  const script = `
    import { createServer } from 'node:http';
    import { once } from 'node:events';
    import { createElement } from 'react';
    import { renderToString } from 'react-dom/server';
    import { connect } from '@rivulet/client';
    import { StreamProvider, useCall, useConnection, usePresence, useStreamGroup } from '@rivulet/client/react';
    import { functionCall, presence, streamGroup } from '@rivulet/client/svelte';
    import * as vue from '@rivulet/client/vue';
    import { createSSRApp, h } from 'vue';
    import { renderToString as renderVue } from 'vue/server-renderer';
    let sockets = 0;
    const server = createServer().on('connection', () => sockets++).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect('ws://127.0.0.1:' + server.address().port);
    const Room = () => {
      const { pending } = useCall('app::post');
      const { others } = usePresence('people', 'room', { name: 'ann' });
      return createElement('p', null, [useStreamGroup('chat', 'room').status, useConnection().kind, pending, others.length].join());
    };
    const html = [renderToString(createElement(StreamProvider, { client }, createElement(Room)))];
    const setup = () => {
      const { pending } = vue.useCall(client, 'app::post');
      const { others } = vue.usePresence(client, 'people', 'room', { name: 'ann' });
      const line = [vue.useStreamGroup(client, 'chat', 'room').status, vue.useConnection(client)].map(({ value }) => value.kind ?? value);
      return () => h('p', [...line, pending.value, others.value.length].join());
    };
    html.push(await renderVue(createSSRApp({ setup })));
    const room = streamGroup(client, 'chat', 'room');
    room.subscribe(() => {})();
    html.push([room.status, functionCall(client, 'app::post').pending, presence(client, 'people', 'room').others.length].join());
    await client.close();
    server.close();
    await once(server, 'close');
    console.log(JSON.stringify({ html, sockets, state: client.state.kind }));
  `;
  const folder = project({ 'render.mjs': script });
  const { output } = await run(folder, ['--preserve-symlinks', '--preserve-symlinks-main', 'render.mjs']);
  const html = ['<p>connecting,connecting,false,0</p>', '<p>connecting,connecting,false,0</p>', 'connecting,false,0'];
  expect(JSON.parse(output)).toEqual({ html, sockets: 0, state: 'closed' });
});

test.each(['dist/react.js', 'cjs/react.cjs'])("C15 'use client' is the first line of the hooks in %s", (file) => {
  expect(readFileSync(join(ROOT, 'packages/client', file), 'utf8').split('\n')[0]).toBe("'use client';");
});
