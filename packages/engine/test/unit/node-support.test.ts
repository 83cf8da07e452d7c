import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findNodeProblem, type RuntimeVersions, reportRuntime } from '../../src/cli/engine/node-support.js';
import type { Logger } from '../../src/logging/logger.js';
import { ROOT } from '../config-files.js';

const noon = (day: string) => new Date(`${day}T12:00:00Z`);

it.each([
  ['20.20.2', '2026-04-30', /^$/],
  ['20.19.0', '2026-01-20', /20\.19\.0 lacks security fixes; update to 20\.20\.0/],
  ['20.20.2', '2026-05-01', /Node 20 gets no security fixes since 2026-04-30; run the engine on Node 24/],
  ['21.7.3', '2026-01-01', /Node 21 gets no security fixes since 2024-06-01/],
  ['22.22.0', '2026-11-29', /^$/],
  ['22.21.9', '2026-11-29', /update to 22\.22\.0/],
  ['22.22.0', '2027-05-01', /Node 22 gets no security fixes/],
  ['24.13.1', '2026-11-29', /^$/],
  ['23.1.0', '2026-11-29', /Node 23/],
  ['25.9.0', '2026-05-30', /^$/],
  ['25.9.0', '2026-11-29', /Node 25/],
  ['26.0.0', '2026-11-29', /^$/],
  ['27.1.0', '2027-11-29', /^$/],
])('S42 Node %s on %s', (version, day, warning) => {
  expect(findNodeProblem(version, noon(day))?.message ?? '').toMatch(warning);
});

it('recommends a version that has fixes for longer than a year from the last change of the table', () => {
  const [, recommended = ''] = /run the engine on Node (\d+)/.exec(findNodeProblem('20.20.2', noon('2026-11-30'))?.message ?? '') ?? [];
  expect(findNodeProblem(`${recommended}.99.0`, noon('2027-11-30'))).toBeUndefined();
});

it.each<[RuntimeVersions, readonly string[]]>([
  [{ node: '20.20.2' }, ['node_end_of_life 20.20.2 2026-04-30']],
  [{ node: '22.1.0' }, ['node_outdated 22.1.0 undefined']],
  [{ node: '26.12.1' }, []],
  // This is the Node whose interfaces Bun has. Its security fixes are those of Bun.
  [{ node: '20.1.0', bun: '1.4.5' }, []],
])('the start logs %j as %j', (versions, lines) => {
  const logged: string[] = [];
  const log = (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
    void logged.push(`${event} ${String(fields.version)} ${String(fields.last_day)}`);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  reportRuntime(logger, versions, noon('2026-11-30'));
  expect(logged).toEqual(lines);
});

it('each version of Node that the packages accept is in the table or newer', () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'packages/engine/package.json'), 'utf8')) as { engines: { node: string } };
  const oldest = Number(/>=(\d+)/.exec(engines.node)?.[1]);
  expect(findNodeProblem(`${oldest}.99.0`, noon('2040-01-01'))).toBeDefined();
});
