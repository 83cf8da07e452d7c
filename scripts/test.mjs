import './set-up/node-version.mjs';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTestedRuntimes } from './runtimes/install.mjs';
import { ensureSystemPackages } from './set-up/debian-packages.mjs';
import { ensureDeploymentTools } from './set-up/deployment-tools.mjs';
import { ensureLanguageClients } from './set-up/language-clients.mjs';
import { ALL_PROJECTS, ensureBuilt, ensureInstalled, fail, ROOT, SetupError, say } from './set-up/workspace.mjs';
import { checkFormat, checkLint, checkTypes, passes } from './testing/checks.mjs';
import { isDocumented } from './testing/client-matrix.mjs';
import { readPart } from './testing/test-parts.mjs';
import { summaryLine } from './testing/test-summary.mjs';
import { buildBase } from './upgrades/base.mjs';

// Runs `npm test [-- --part PART] [vitest arguments]`: set-up, then all checks in order, then the tests. A failure does not stop the later
// steps, so one run shows all problems. The exit code and the last line show whether any step failed. `--part versions` leaves out tests
// that one version of Node is enough for, and their set-up. `--part once` runs these tests alone, without the checks.

/** @returns {ReturnType<typeof readPart>} */
function readWords() {
  try {
    return readPart(process.argv.slice(2));
  } catch (error) {
    fail(error);
  }
}
const { part, vitest, isFiltered } = readWords();

/** @type {{ name: string, ms: number, ok: boolean }[]} */
const steps = [];

/**
 * @param {string} name
 * @param {() => Promise<boolean>} action
 */
async function step(name, action) {
  process.stdout.write(`\n--- ${name}\n`);
  const started = performance.now();
  const ok = await action();
  steps.push({ name, ms: performance.now() - started, ok });
}

/** @returns {Promise<boolean>} */
async function setUp() {
  try {
    await ensureInstalled(ROOT);
    await ensureSystemPackages(ROOT);
  } catch (error) {
    fail(error);
  }
  try {
    const clients = part === 'once' ? [] : [ensureLanguageClients(ROOT)];
    const once = part === 'versions' ? [] : [ensureTestedRuntimes(), ensureDeploymentTools(ROOT), buildBase()];
    await Promise.all([ensureBuilt(ROOT, ALL_PROJECTS), ...clients, ...once]);
    return true;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    return false;
  }
}

const counts = { passed: 0, failed: 0, skipped: 0 };
/** Table of the capabilities of clients that the tests of this run have shown. */
let clients = '';

/** @returns {Promise<boolean>} */
async function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-tests-'));
  const file = join(folder, 'summary.json');
  try {
    const reporters = ['--reporter=default', '--reporter=./scripts/testing/summary-reporter.mjs'];
    const ok = await passes('vitest/vitest.mjs', ['run', ...reporters, ...vitest], { RIVULET_TEST_SUMMARY: file });
    const summary = JSON.parse(readFileSync(file, 'utf8'));
    Object.assign(counts, summary.counts);
    clients = summary.clients;
    return ok;
  } catch (error) {
    say(`the tests ended without a count: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns {Promise<boolean>} */
async function clientsAsDocumented() {
  const documented = readFileSync(join(ROOT, 'docs', 'clients.md'), 'utf8');
  if (isDocumented(documented, clients, counts.skipped === 0)) return true;
  say('docs/clients.md does not hold the tables above; what changed is a finding, or a line of that page');
  return false;
}

/**
 * Returns the files that git reports as changed or new, one in each line. Returns an empty text outside of a repository.
 *
 * @returns {string}
 */
function changedFiles() {
  const { status, stdout } = spawnSync('git', ['status', '--porcelain'], { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout : '';
}

/**
 * Fails when a check or a test has written into the work tree, because someone would commit such files by accident.
 *
 * @param {string} before
 * @returns {Promise<boolean>}
 */
async function leavesTreeAlone(before) {
  const after = changedFiles();
  if (after === before) return true;
  say(`the checks changed the work tree; it was:\n${before}and is now:\n${after}`);
  return false;
}

const treeBefore = changedFiles();
await step('set-up', setUp);
if (part !== 'once') {
  await step('format', checkFormat);
  await step('lint', checkLint);
  await step('types', checkTypes);
}
await step('tests', runTests);
// A run of some tests shows some clients only.
if (!isFiltered) await step('clients', clientsAsDocumented);
await step('tree', () => leavesTreeAlone(treeBefore));

process.stdout.write('\n');
for (const { name, ms, ok } of steps)
  process.stdout.write(`${name.padEnd(7)} ${(ms / 1000).toFixed(1).padStart(6)} s  ${ok ? 'ok' : 'FAILED'}\n`);

// The summary counts failed tests. The step `tests` counts only when it failed without a failed test, for instance because no file matched.
const failed = steps.filter(({ name, ok }) => !ok && (name !== 'tests' || counts.failed === 0)).map(({ name }) => name);
if (process.env['CI'] === 'true' && counts.skipped > 0) failed.push('skipped tests, which CI does not allow');
if (failed.length > 0) process.stdout.write(`failed: ${failed.join(', ')}\n`);
process.stdout.write(`${summaryLine(counts, failed)}\n`);
process.exitCode = failed.length > 0 || counts.failed > 0 ? 1 : 0;
