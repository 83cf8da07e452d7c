import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { STARTED_FIRST } from './scripts/testing/started-first.mjs';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const TIERS = ['unit', 'integration', 'system'] as const;

/** Starts the files of `STARTED_FIRST`, then the tiers with the longest files first. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification) => {
      const place = STARTED_FIRST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return place >= 0 ? place : STARTED_FIRST.length + TIERS.length - TIERS.findIndex((name) => name === project.name);
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  resolve: {
    alias: [
      { find: '@rivulet/protocol', replacement: source('./packages/protocol/src/index.ts') },
      { find: '@rivulet/engine/stores', replacement: source('./packages/engine/src/stores.ts') },
      { find: '@rivulet/engine/parts', replacement: source('./packages/engine/src/parts.ts') },
      { find: '@rivulet/engine/store', replacement: source('./packages/engine/src/store/store.ts') },
      { find: '@rivulet/engine', replacement: source('./packages/engine/src/index.ts') },
      { find: '@rivulet/client/react', replacement: source('./packages/client/src/react.ts') },
      { find: '@rivulet/client/optimistic', replacement: source('./packages/client/src/optimistic.ts') },
      { find: '@rivulet/client/connection', replacement: source('./packages/client/src/connection/connection.ts') },
      { find: '@rivulet/client', replacement: source('./packages/client/src/index.ts') },
      // Its engines run in a thread, which needs compiled files.
      { find: '@rivulet/sdk/testing', replacement: source('./packages/sdk/dist/testing.js') },
      { find: '@rivulet/sdk', replacement: source('./packages/sdk/src/index.ts') },
      {
        find: /^@rivulet\/conformance\/store-contract\/(.*)$/,
        replacement: `${source('./packages/conformance/src/store-contract')}/$1.ts`,
      },
      { find: '@rivulet/conformance/store-contract', replacement: source('./packages/conformance/src/store-contract/store-contract.ts') },
      { find: '@rivulet/conformance/frame-worker', replacement: source('./packages/conformance/src/peers/frame-worker.ts') },
      { find: /^@rivulet\/testkit\/(.*)$/, replacement: `${source('./packages/testkit/src')}/$1.ts` },
    ],
  },
  test: {
    projects: TIERS.map((name) => ({
      extends: true,
      test: {
        name,
        include: [`{packages,examples}/*/test/${name}/**/*.test.ts`, `{bench,scripts}/test/${name}/**/*.test.ts`],
        // Unit tests keep no process-wide state, so their files share worker processes. Each would load all sources again otherwise.
        isolate: name !== 'unit',
        setupFiles: name === 'unit' ? [source('./scripts/testing/property-seed.ts')] : [],
      },
    })),
    globalSetup: [source('./scripts/testing/bundled-engine.mjs')],
    setupFiles: [source('./scripts/testing/each-file.mjs')],
    // A test with `.only` must not hide the others.
    allowOnly: false,
    // Most test files wait most of the time: for deadlines, for reconnects, or for processes that start.
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
    // These bounds only end a test that hangs. On a busy machine a step may take many times as long as on a quiet one.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000 } },
  },
});
