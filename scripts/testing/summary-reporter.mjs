import { writeFileSync } from 'node:fs';
import { collectCells, matrixTables } from './client-matrix.mjs';
import { countTests } from './test-summary.mjs';

/**
 * Vitest reporter: prints which clients can do what, and leaves that and the counts of a run as JSON in the file that
 * `RIVULET_TEST_SUMMARY` names, for scripts/test.mjs.
 */
export default class SummaryReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const clients = matrixTables(collectCells(modules));
    if (clients !== '') process.stdout.write(`\n${clients}\n`);
    const file = process.env['RIVULET_TEST_SUMMARY'];
    if (file !== undefined) writeFileSync(file, JSON.stringify({ counts: countTests(modules, unhandledErrors.length), clients }));
  }
}
