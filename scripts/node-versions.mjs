import './set-up/node-version.mjs';
import { delimiter, dirname, join } from 'node:path';
import { ensureRuntime, RUNTIMES } from './runtimes/install.mjs';
import { run } from './set-up/child-process.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT, SetupError } from './set-up/workspace.mjs';

// Runs `npm run test:node -- 22 [vitest arguments]`: the tests on another major version of Node. Without arguments it runs all tiers, and
// `--project unit` runs one. scripts/runtimes/install.mjs says where Node comes from.

const [major = '', ...args] = process.argv.slice(2);
try {
  const runtime = RUNTIMES.find(({ id }) => id === `node-${major}`);
  if (runtime === undefined) throw new SetupError('name a major version of Node: npm run test:node -- 22 --project unit');
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
  const node = await ensureRuntime(runtime);
  // Tests start processes with `process.execPath` or with `node` from the path. Both must be this version.
  const env = { PATH: [dirname(node), process.env['PATH']].join(delimiter) };
  await run(node, ['--version'], { cwd: ROOT, stdout: 'stdout' });
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  process.exitCode = await run(node, [vitest, 'run', '--reporter=dot', ...args], { cwd: ROOT, env, stdout: 'stdout' });
} catch (error) {
  fail(error);
}
