import { writeFileSync } from 'node:fs';
import { collectCells, matrixTables } from './client-matrix.mjs';
import { heaviestFiles } from './heaviest-files.mjs';
import { countTests } from './test-summary.mjs';

/**
 * A reporter of vitest. It prints the capabilities of the clients and the heaviest files. For scripts/test.mjs it also writes the
 * capabilities and the counts of the run, as JSON, to the file that `RIVULET_TEST_SUMMARY` names.
 */
export default class SummaryReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const clients = matrixTables(collectCells(modules));
    if (clients !== '') process.stdout.write(`\n${clients}\n`);
    process.stdout.write(`\n${heaviestFiles(modules)}\n`);
    const file = process.env['RIVULET_TEST_SUMMARY'];
    if (file !== undefined) writeFileSync(file, JSON.stringify({ counts: countTests(modules, unhandledErrors.length), clients }));
  }
}
