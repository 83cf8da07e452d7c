import './set-up/node-version.mjs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT } from './set-up/workspace.mjs';
import { checkFormat, checkLint, checkTypes } from './testing/checks.mjs';

// Runs `npm run check [-- vitest arguments]`: installs and builds what is missing, checks format, lint and types, and runs the unit tier.
// It needs no Debian package and no other language, so it works on every machine with Node.
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
} catch (error) {
  fail(error);
}

/** @type {string[]} */
const failed = [];
const started = performance.now();

/** @param {string} name @param {() => Promise<boolean>} check */
async function step(name, check) {
  const before = performance.now();
  const ok = await check();
  process.stdout.write(`${name.padEnd(6)} ${((performance.now() - before) / 1_000).toFixed(1).padStart(5)} s  ${ok ? 'ok' : 'FAILED'}\n`);
  if (!ok) failed.push(name);
}

/** Runs the unit tier beside the other checks. Its output appears when it has ended, so that the lines do not mix. */
async function runUnitTests() {
  const vitest = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'unit', '--reporter=dot', ...process.argv.slice(2)];
  const child = spawn(process.execPath, vitest, { cwd: ROOT, env: { ...process.env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
  const parts = Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await once(child, 'exit');
  for (const part of await parts) process.stdout.write(part);
  return code === 0;
}

async function runChecks() {
  await step('format', checkFormat);
  await step('lint', checkLint);
  await step('types', checkTypes);
}

await Promise.all([step('unit', runUnitTests), runChecks()]);
const seconds = ((performance.now() - started) / 1_000).toFixed(0);
process.stdout.write(`check: ${failed.length === 0 ? 'ok' : `failed: ${failed.join(', ')}`}, ${seconds} s\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
