import { expect, it } from 'vitest';
import { nodeWarning } from '../../src/cli/engine/node-support.js';

it.each([
  ['20.20.2', '2026-04-30', /^$/],
  ['20.19.0', '2026-01-20', /20\.19\.0 lacks security fixes; update to 20\.20\.0/],
  ['20.20.2', '2026-05-01', /Node 20 gets no security fixes any more/],
  ['21.7.3', '2026-01-01', /Node 21 gets no security fixes/],
  ['22.22.0', '2026-11-29', /^$/],
  ['22.21.9', '2026-11-29', /update to 22\.22\.0/],
  ['24.13.1', '2026-11-29', /^$/],
  ['23.1.0', '2026-11-29', /Node 23/],
  ['25.0.0', '2026-11-29', /Node 25/],
  ['26.0.0', '2026-11-29', /^$/],
])('S42 Node %s on %s', (version, day, warning) => {
  const said = nodeWarning(version, new Date(`${day}T12:00:00Z`));
  expect(said ?? '').toMatch(warning);
});
