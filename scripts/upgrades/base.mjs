import { ROOT, say } from '../set-up/workspace.mjs';
import { buildOf, commitBefore, commitOf } from './old-build.mjs';

/** The commit from which `npm test` upgrades. It is fixed, so that its build stays in the cache. A release changes it to its own commit. */
const BASE = 'f71771e10e03';

/**
 * Returns the commit from which `npm test` upgrades: `BASE`, or the commit before this one if the clone lacks `BASE`. A clone without a
 * history has neither. It gives the reason and the command that fetches the history.
 *
 * @param {string} [root]
 * @returns {{ readonly commit: string } | { readonly missing: string }}
 */
export function baseCommit(root = ROOT) {
  const commit = commitOf(BASE, root) ?? commitBefore(root);
  if (commit !== undefined) return { commit };
  return { missing: 'this folder has no commit before this one; `git fetch --unshallow` gets the history of a shallow clone' };
}

/**
 * Builds the packages of that commit before the tests. If that fails, the test of the upgrade tries again, and fails with the reason.
 * Without such a commit, the test is skipped.
 */
export async function buildBase() {
  const base = baseCommit();
  if ('missing' in base) {
    say(`missing: an earlier build for the tests of upgrades: ${base.missing}`);
    return;
  }
  try {
    await buildOf(base.commit);
  } catch (error) {
    say(`missing: the packages of ${base.commit}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
