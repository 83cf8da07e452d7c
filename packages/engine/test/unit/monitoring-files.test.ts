import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { METRICS } from '../../src/metrics/metrics.js';
import { ALERTED_EVENTS } from '../../src/metrics/work-metrics.js';
import { ROOT } from '../config-files.js';

const DIRECTORY = join(ROOT, 'ops/monitoring');
const DOCUMENT = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const { groups } = parse(readFileSync(join(DIRECTORY, 'rules.yml'), 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap(({ rules: some }) => some);
const dashboard = readFileSync(join(DIRECTORY, 'dashboard.json'), 'utf8');
const { panels } = JSON.parse(dashboard) as { panels: { targets?: { expr: string }[] }[] };

/** Names of all series that the engine shows, and of those of the process and of Node that docs/metrics.md lists. */
const known = new Set([
  ...METRICS.flatMap(({ name, type }) => (type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name])),
  ...[...DOCUMENT.matchAll(/^\| `((?:process|nodejs)_\w+)` \|/gm)].map(([, name]) => name ?? ''),
]);

const metricsOf = (expression: string): string[] => expression.match(/\b(?:rivulet|process|nodejs)_\w+/g) ?? [];

describe('the alert rules', () => {
  it('use metrics that the engine has', () => {
    const used = rules.flatMap(({ expr }) => metricsOf(expr));
    expect(used.filter((name) => !known.has(name))).toEqual([]);
    expect(rules.length).toBeGreaterThan(20);
  });

  it('name events that the engine shows from the start, because Prometheus sees no increase without a 0', () => {
    const named = rules.flatMap(({ expr }) => [...expr.matchAll(/event="(\w+)"/g)].map(([, event]) => event ?? ''));
    expect([...new Set(named)].sort()).toEqual(Object.keys(ALERTED_EVENTS).sort());
  });

  it('cover each metric for which docs/metrics.md names an alert', () => {
    const used = new Set(rules.flatMap(({ expr }) => metricsOf(expr)).map((name) => name.replace(/_bucket$/, '')));
    expect(METRICS.filter(({ name, alert }) => alert !== undefined && !used.has(name)).map(({ name }) => name)).toEqual([]);
  });

  it('have a name of their own, and say what to do', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(rules.filter(({ annotations }) => (annotations.action ?? '') === '' || (annotations.summary ?? '') === '')).toEqual([]);
  });
});

describe('the dashboard', () => {
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

  it('uses metrics that the engine has', () => {
    expect(expressions.flatMap(metricsOf).filter((name) => !known.has(name))).toEqual([]);
    expect(expressions.length).toBeGreaterThan(40);
  });

  it('shows nearly every metric of the engine', () => {
    const shown = new Set(expressions.flatMap(metricsOf).map((name) => name.replace(/_bucket$/, '')));
    const missing = METRICS.map(({ name }) => name).filter((name) => !shown.has(name) && !dashboard.includes(name));
    expect(missing.length).toBeLessThanOrEqual(8);
  });
});
