import './set-up/node-version.mjs';
import { spawnSync } from 'node:child_process';
import { ROOT } from './set-up/workspace.mjs';

// Runs `npm run screenshots`: takes the pictures of docs/inspector.md anew. The test that compares them takes them.
const { status } = spawnSync('npx', ['vitest', 'run', 'packages/inspector/test/system/all-pages.test.ts'], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, RIVULET_WRITE_PICTURES: '1' },
});
process.exitCode = status ?? 1;
