import { expect, it } from 'vitest';
import { BUGS } from '../../src/bugs/hunt.js';
import { readArguments } from '../../src/report/arguments.js';
import { reliabilityPage } from '../../src/report/reliability-page.js';

it('the command reads its flags, and says which one is wrong', () => {
  expect(readArguments(['--seeds', '5', '--only', '7'])).toMatchObject({
    seeds: 5,
    from: 1,
    only: 7,
    bug: undefined,
    out: 'RELIABILITY.md',
  });
  expect(readArguments(['--power-cuts', '0', '--backups', '200'])).toMatchObject({ powerCuts: 0, relaxedCuts: 150, backups: 200 });
  expect(() => readArguments(['--seeds', 'many'])).toThrow('--seeds must be a whole number, not many');
  expect(() => readArguments(['--nonsense'])).toThrow('--nonsense');
});

it('the page has the figures of each run, each invariant and each bug', () => {
  const [bug] = BUGS;
  if (bug === undefined) throw new Error('there are no bugs');
  const run = { milliseconds: 60_000, ops: 10, deliveries: 12_345, acknowledged: 6, violations: new Map([['I4', 2] as const]) };
  const page = reliabilityPage({
    date: '2026-01-01',
    commit: 'abc',
    machine: 'one',
    command: 'npm run reliability',
    seeds: {
      ...run,
      from: 1,
      seeds: 1_500,
      threads: 2,
      broken: [{ seed: 9, ops: 1, deliveries: 1, violated: ['I4'], descriptions: ['I4: a hole'] }],
    },
    cycles: undefined,
    shared: { ...run, rounds: 2, cycles: 20, violations: new Map(), broken: [] },
    clustered: { ...run, rounds: 1, cycles: 7, violations: new Map(), broken: [] },
    deliveries: { ...run, rounds: 1, cycles: 3, violations: new Map(), broken: [] },
    clients: { deliveries: 54_321, reconnects: 7, repeated: 0, skipped: 0, unlike: 1, views: 9, milliseconds: 1_000 },
    stores: [{ name: 'Damages', size: '50 damages', checked: '7 of 7 items', violations: 3, milliseconds: 2_000 }],
    hunted: [{ bug, seed: 3, caughtBy: ['I10', 'I1'], first: undefined }],
  });
  expect(page).toContain('| Simulation | 1,500 seeds from 1, 1,500 a minute in 2 threads | 10 | | 12,345 | 2 |');
  expect(page).toContain('| I4 | no gap without an announcement | 2 | – | 0 | 0 | 0 |');
  expect(page).toContain('| I7 | a state is exactly that of its offset | 0 | – | 0 | 0 | – |');
  expect(page).toContain(
    '| Two engines over one Redis, faults of all three and of the network between them | 20 faults in 2 rounds, 60 s | 10 | 6 | 12,345 | 0 |',
  );
  expect(page).toContain(`| ${bug.id} | ${bug.says} | 3 | I10, I1 |`);
  expect(page).toContain('| 54,321 | 7 | 0 | 0 | 1 of 9 | 1 s |');
  expect(page).toContain('| Damages | 50 damages | 7 of 7 items | 3 | 2 s |');
  expect(page).toContain('I4: a hole');
});
