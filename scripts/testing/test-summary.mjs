/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * What of a vitest test module the count looks at.
 * @typedef {{ state(): string, children: { allTests(): Iterable<{ result(): { state: string } }> } }} CountedModule
 */

/**
 * A file that failed without a failed test (it does not load, a hook threw) counts as one failure, and so does each error outside tests.
 * A test that never came to a result failed.
 *
 * @param {Iterable<CountedModule>} modules
 * @param {number} unhandledErrors
 * @returns {Counts}
 */
export function countTests(modules, unhandledErrors) {
  const counts = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    let failedHere = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') counts.passed += 1;
      else if (state === 'skipped') counts.skipped += 1;
      else failedHere += 1;
    }
    if (failedHere === 0 && module.state() === 'failed') failedHere = 1;
    counts.failed += failedHere;
  }
  return counts;
}

/**
 * The last line of `npm test`. Each failed check beside the tests counts as one failure, so that the line never looks green on a red run.
 *
 * @param {Counts} counts
 * @param {readonly string[]} failedChecks
 * @returns {string}
 */
export function summaryLine(counts, failedChecks) {
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  return `tests: ${counts.passed} passed, ${counts.failed + failedChecks.length} failed${skipped}`;
}
