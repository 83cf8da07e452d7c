import { writeFileSync } from 'node:fs';
import { countTests } from './test-summary.mjs';

/** Vitest reporter: leaves the counts of a run as JSON in the file that `RIVULET_TEST_SUMMARY` names, for scripts/test.mjs. */
export default class SummaryReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env['RIVULET_TEST_SUMMARY'];
    if (file !== undefined) writeFileSync(file, JSON.stringify(countTests(modules, unhandledErrors.length)));
  }
}
