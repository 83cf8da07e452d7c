import { ROOT, runTool } from '../set-up/workspace.mjs';

// The checks before the tests. `npm test`, `npm run check` and `npm run lint` run them. Each check resolves with whether it passed, and
// prints its findings to stdout. A failure does not stop the other steps of a check.

/** @param {string} program @param {readonly string[]} args @param {NodeJS.ProcessEnv} [env] */
export async function passes(program, args, env = {}) {
  return (await runTool(ROOT, program, args, { stdout: 'stdout', env })) === 0;
}

/** Compares the format of all files. */
export function checkFormat() {
  return passes('@biomejs/biome/bin/biome', ['check', '--linter-enabled=false', '.']);
}

/** Checks the types of tests and scripts. The build checks those of the sources. */
export function checkTypes() {
  return passes('typescript/bin/tsc', ['-p', 'tsconfig.test.json']);
}

/** Runs the linter, and checks prose, unused code and unused dependencies. */
export async function checkLint() {
  const parts = [passes('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings']), checkProseAndUnused()];
  return (await Promise.all(parts)).every(Boolean);
}

async function checkProseAndUnused() {
  const results = [await passes('../scripts/prose.mjs', []), await passes('knip/bin/knip.js', ['--no-progress'])];
  return results.every(Boolean);
}
