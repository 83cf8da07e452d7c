import { isBuiltin } from 'node:module';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bundle, bundlePage } from '../bundle.js';

/**
 * The most bytes, minified and compressed, that a page loads at first. A page should not wait for them. A bundle has nothing that the page
 * does not import.
 */
const MOST_GZIP_BYTES = { client: 14_500, optimistic: 3_000, persistence: 400, hooks: 2_300 };
const CONNECT = { '../src/index.ts': 'connect' };
const OPTIMISTIC = { '../src/optimistic.ts': 'optimistic' };

const has = (modules: readonly string[], part: string) => modules.some((module) => module.includes(part));

test('the client for pages holds nothing of Node or React, and stays small', async () => {
  const { code, modules, imports, gzipBytes, later } = await bundlePage(CONNECT);
  expect(imports).toEqual([]);
  expect(modules.filter((module) => isBuiltin(module) || /node_modules|react/.test(module))).toEqual([]);
  for (const part of ['reconnecting-socket.ts', 'decode-stream-frame.ts']) expect(has(modules, part)).toBe(true);
  for (const part of ['indexed-db', 'persistent-copy', '/optimistic', 'outbound-queue']) expect(has(modules, part)).toBe(false);
  expect(code).not.toMatch(/\b(process|Buffer|require|__dirname)\b\s*[.([]/);
  expect(gzipBytes).toBeLessThan(MOST_GZIP_BYTES.client);
  // The options `debug` and `persist` load these files, and a failed connection. They use no code of the client, which would then be one
  // more file.
  expect(
    Object.keys(later)
      .map((name) => name.replace(/-[^-]*$/, ''))
      .sort(),
  ).toEqual(['connect-cause', 'debug', 'persistence']);
  for (const text of Object.values(later)) expect(text).not.toMatch(/\bimport\b|\bfrom"/);
  console.log(`the stream client in a page: ${code.length} bytes minified, ${gzipBytes} compressed`);
});

test('each part adds little to the client', async () => {
  const client = await bundlePage(CONNECT);
  const optimistic = await bundlePage({ ...CONNECT, ...OPTIMISTIC });
  expect(has(optimistic.modules, '/optimistic/')).toBe(true);
  const optimisticBytes = optimistic.gzipBytes - client.gzipBytes;
  expect(optimisticBytes).toBeLessThan(MOST_GZIP_BYTES.optimistic);
  const store = await bundlePage({ '../src/index.ts': 'connect, indexedDbStore' });
  expect(has(store.modules, 'indexed-db.ts')).toBe(false);
  expect(store.gzipBytes - client.gzipBytes).toBeLessThan(MOST_GZIP_BYTES.persistence);
  const laterBytes = gzipSync(Object.entries(client.later).find(([name]) => name.startsWith('persistence'))?.[1] ?? '').length;
  console.log(
    `optimistic: ${optimisticBytes} bytes compressed more, ${optimistic.gzipBytes} in all; persistence, loaded later: ${laterBytes}`,
  );
});

/** The modules that every page with the client has. */
const CLIENT = /^(\.\.?\/)?(access|calls|connection|persistence|subscription)\//;

test('the hooks are small beside React and the client', async () => {
  const { imports, gzipBytes } = await bundle('../src/react.ts', 'rivuletReact', ['react', CLIENT], 'es');
  expect(imports.filter((name) => !CLIENT.test(name))).toEqual(['react']);
  expect(gzipBytes).toBeLessThan(MOST_GZIP_BYTES.hooks);
  console.log(`the hooks of React: ${gzipBytes} bytes compressed`);
});

/** The bound for Vue and Svelte, beyond the framework and the client. */
const MOST_BYTES_MORE = 1_000;

test.each(['vue', 'svelte'])('the part for %s is small beside the framework and the client', async (name) => {
  const { imports, gzipBytes } = await bundle(`../src/${name}.ts`, 'part', [new RegExp(`^${name}(/|$)`), CLIENT], 'es');
  expect(imports.filter((path) => !CLIENT.test(path)).every((path) => path.startsWith(name))).toBe(true);
  expect(gzipBytes).toBeLessThan(MOST_BYTES_MORE);
  console.log(`the part for ${name}: ${gzipBytes} bytes compressed`);
});

test('the code that keeps calls over a reload is in a page only if the page imports it', async () => {
  const { modules } = await bundle('../src/index.ts', 'rivulet', [], 'es');
  expect(modules.filter((module) => /kept-calls|call-rows/.test(module))).toEqual([]);
  const { gzipBytes } = await bundle('../src/kept-calls.ts', 'part');
  expect(gzipBytes).toBeLessThan(1_500);
});
