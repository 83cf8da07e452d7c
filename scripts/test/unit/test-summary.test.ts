import { describe, expect, it } from 'vitest';
import { countTests, summaryLine } from '../../testing/test-summary.mjs';

function module(state: string, ...tests: string[]) {
  return { state: () => state, children: { allTests: () => tests.map((test) => ({ result: () => ({ state: test }) })) } };
}

describe('the count of a run', () => {
  it('counts passed, failed and skipped tests', () => {
    const modules = [module('passed', 'passed', 'skipped'), module('failed', 'passed', 'failed', 'failed')];
    expect(countTests(modules, 0)).toEqual({ passed: 2, failed: 2, skipped: 1 });
  });

  it('counts a file that does not load as one failure', () => {
    expect(countTests([module('failed')], 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('counts an error outside tests as a failure', () => {
    expect(countTests([module('passed', 'passed')], 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  it('counts a test without a result as failed', () => {
    expect(countTests([module('passed', 'pending')], 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});

describe('the last line', () => {
  it('names skipped tests only when there are some', () => {
    expect(summaryLine({ passed: 3, failed: 0, skipped: 0 }, [])).toBe('tests: 3 passed, 0 failed');
    expect(summaryLine({ passed: 3, failed: 1, skipped: 2 }, [])).toBe('tests: 3 passed, 1 failed, 2 skipped');
  });

  it('counts each failed check as a failure', () => {
    expect(summaryLine({ passed: 3, failed: 1, skipped: 0 }, ['format', 'lint'])).toBe('tests: 3 passed, 3 failed');
  });
});
