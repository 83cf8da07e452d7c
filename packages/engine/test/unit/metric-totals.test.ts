import { expect, it } from 'vitest';
import { readTotals } from '../../src/cli/admin/metric-totals.js';

it('metrics are summed over their labels, and other lines are skipped', () => {
  const text = [
    '# HELP a_total Things',
    '# TYPE a_total counter',
    'a_total 5',
    'a_total_more 7',
    'b_total{kind="x y",to="}"} 1.5',
    'b_total{kind="z"} 2e3',
    'c_total NaN',
    'd_total',
    '',
  ].join('\n');
  expect([...readTotals(text, ['a_total', 'b_total', 'c_total', 'd_total', 'e_total'])]).toEqual([
    ['a_total', 5],
    ['b_total', 2001.5],
  ]);
});
