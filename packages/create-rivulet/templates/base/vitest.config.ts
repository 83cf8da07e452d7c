import { defineConfig } from 'vitest/config';

export default defineConfig({
  // These bounds only end a test that hangs. A busy machine may need many times as long as a quiet one.
  test: { testTimeout: 60_000, hookTimeout: 60_000, expect: { poll: { timeout: 30_000 } } },
});
