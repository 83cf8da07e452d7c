import './set-up/node-version.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT } from './set-up/workspace.mjs';
import { checkFormat, checkLint, checkTypes, passes } from './testing/checks.mjs';

// Runs `npm run check [-- vitest arguments]`: installs and builds what is missing, checks format, lint and types, and runs the unit tier.
// It needs no Debian package and no other language, so it works on every machine with Node.
try {
  await ensureInstalled(ROOT);
  await ensureBuilt(ROOT, ALL_PROJECTS);
} catch (error) {
  fail(error);
}

const started = performance.now();
const checks = {
  format: checkFormat,
  lint: checkLint,
  types: checkTypes,
  unit: () => passes('vitest/vitest.mjs', ['run', '--project', 'unit', '--reporter=dot', ...process.argv.slice(2)]),
};
/** @type {string[]} */
const failed = [];
for (const [name, check] of Object.entries(checks)) {
  const before = performance.now();
  const ok = await check();
  process.stdout.write(`${name.padEnd(6)} ${((performance.now() - before) / 1_000).toFixed(1).padStart(5)} s  ${ok ? 'ok' : 'FAILED'}\n`);
  if (!ok) failed.push(name);
}
const seconds = ((performance.now() - started) / 1_000).toFixed(0);
process.stdout.write(`check: ${failed.length === 0 ? 'ok' : `failed: ${failed.join(', ')}`}, ${seconds} s\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
