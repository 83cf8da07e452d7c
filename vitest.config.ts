import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: '@rivulet/protocol', replacement: source('./packages/protocol/src/index.ts') },
      { find: '@rivulet/engine/store', replacement: source('./packages/engine/src/stream/store.ts') },
      { find: '@rivulet/engine', replacement: source('./packages/engine/src/index.ts') },
      { find: '@rivulet/conformance/store-contract', replacement: source('./packages/conformance/src/store-contract.ts') },
    ],
  },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'bench/test/**/*.test.ts'],
    testTimeout: 15_000,
    hookTimeout: 60_000,
  },
});
