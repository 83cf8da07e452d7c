/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * The fields of a vitest test module that the count needs.
 * @typedef {{ state(): string, children: { allTests(): Iterable<{ result(): { state: string } }> } }} CountedModule
 */

/**
 * Counts tests. A file that failed without a failed test, for instance because it does not load, counts as one failure. So does each error
 * outside tests, and each test without a result.
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
 * Returns the last line of `npm test`. Each failed check besides the tests counts as one failure, so that a failed run never looks
 * successful.
 *
 * @param {Counts} counts
 * @param {readonly string[]} failedChecks
 * @returns {string}
 */
export function summaryLine(counts, failedChecks) {
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  return `tests: ${counts.passed} passed, ${counts.failed + failedChecks.length} failed${skipped}`;
}
