import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../../src/metrics/metrics.js';
import { ROOT } from '../config-files.js';

const DOCUMENT = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8');

describe('docs/metrics.md', () => {
  it('has a row for each metric, as its table in packages/engine/src/metrics says', () => {
    const rows = DOCUMENT.match(/^\| `rivulet_\w+` \| .*\|$/gm);
    const expected = METRICS.map(({ name, type, labels = {}, unit, help, alert = '' }) => {
      const shown = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${values}`);
      return `| \`${name}\` | ${type} | ${shown.join('; ')} | ${unit} | ${help} | ${alert} |`;
    });
    expect(rows).toEqual(expected);
  });
});

describe('the metrics', () => {
  it('are at least 40, each with a name of its own', () => {
    const names = METRICS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(40);
  });

  it.each(METRICS.map((metric) => [metric.name, metric] as const))(
    '%s has a name by the conventions of Prometheus',
    (name, { type, unit }) => {
      expect(name).toMatch(/^rivulet_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      const unitInName = ['seconds', 'bytes'].includes(unit) ? `_${unit}` : '';
      expect(name.replace(/_total$/, '').endsWith(unitInName)).toBe(true);
    },
  );
});
