import { isBuiltin } from 'node:module';
import { expect, test } from 'vitest';
import { bundle } from '../bundle.js';

/** The bound for the minified and compressed client. A page should not wait for it. */
const MOST_GZIP_BYTES = 13_000;

test('the client for pages holds nothing of Node or React, and stays small, connection and persistence included', async () => {
  const { code, modules, imports, gzipBytes, later } = await bundle('../src/index.ts', 'rivulet', [], 'es');
  expect(imports).toEqual([]);
  expect(modules.filter((module) => isBuiltin(module) || /node_modules|react/.test(module))).toEqual([]);
  for (const part of ['connection.ts', 'indexed-db.ts', 'persistent-copy.ts', 'decode-stream-frame.ts'])
    expect(modules.some((module) => module.endsWith(part))).toBe(true);
  expect(code).not.toMatch(/\b(process|Buffer|require|__dirname)\b\s*[.([]/);
  expect(gzipBytes).toBeLessThan(MOST_GZIP_BYTES);
  // Only the option `debug` loads this file. It uses no code of the client, which would then be a third file.
  expect(Object.keys(later)).toEqual([expect.stringMatching(/^debug-.*\.js$/)]);
  console.log(`the stream client in a page: ${code.length} bytes minified, ${gzipBytes} compressed`);
});

test('the hooks are small beside React', async () => {
  const { imports, gzipBytes } = await bundle('../src/react.ts', 'rivuletReact', ['react']);
  expect(imports).toEqual(['react']);
  expect(gzipBytes).toBeLessThan(2_000);
});
