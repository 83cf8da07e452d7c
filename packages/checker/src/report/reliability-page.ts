import type { Hunted } from '../bugs/hunt.js';
import { DELIVERY_INVARIANTS, INVARIANTS } from '../invariants/all.js';
import type { Invariant, InvariantId } from '../invariants/invariant.js';
import type { ClientRunResult } from '../live/client-run.js';
import type { RoundsResult } from '../live/run-rounds.js';
import type { SeedsResult } from '../simulation/run-seeds.js';
import type { StoreRun } from './store-runs.js';

export interface Figures {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly command: string;
  readonly seeds: SeedsResult | undefined;
  readonly cycles: RoundsResult | undefined;
  /** Results of two engines over one Redis. */
  readonly shared: RoundsResult | undefined;
  /** Results of two engines over a Redis Cluster. */
  readonly clustered: RoundsResult | undefined;
  readonly deliveries: RoundsResult | undefined;
  readonly clients: ClientRunResult | undefined;
  readonly stores: readonly StoreRun[];
  readonly hunted: readonly Hunted[];
}

/** Returns the text of RELIABILITY.md: the runs and their results. */
export function reliabilityPage(figures: Figures): string {
  return [
    '# Reliability, measured',
    '',
    'The command `npm run reliability` writes this page; don’t edit it.',
    '[docs/reliability-harness.md](docs/reliability-harness.md) explains the runs, and how to repeat a failure.',
    '',
    '| | |',
    '|---|---|',
    `| Date | ${figures.date} |`,
    `| Commit | ${figures.commit} |`,
    `| Machine | ${figures.machine} |`,
    `| Command | \`${figures.command}\` |`,
    '',
    ...runs(figures),
    ...clients(figures),
    ...stores(figures.stores),
    ...invariants(figures),
    ...bugs(figures.hunted),
    ...failures(figures),
  ].join('\n');
}

function runs({ seeds, cycles, shared, clustered, deliveries }: Figures): string[] {
  const rows: string[] = [];
  if (seeds !== undefined)
    rows.push(
      `| Simulation | ${number(seeds.seeds)} seeds from ${seeds.from}, ${number((seeds.seeds * 60_000) / seeds.milliseconds)} a minute in ${seeds.threads} threads | ${number(seeds.ops)} | | ${number(seeds.deliveries)} | ${total(seeds.violations)} |`,
    );
  for (const [what, run] of [
    ['Real engine, faults of all kinds', cycles],
    ['Two engines over one Redis, faults of all three and of the network between them', shared],
    ['Two engines over a Redis Cluster, with failovers and moved slots', clustered],
  ] as const)
    if (run !== undefined)
      rows.push(
        `| ${what} | ${number(run.cycles)} faults in ${number(run.rounds)} rounds, ${seconds(run.milliseconds)} | ${number(run.ops)} | ${number(run.acknowledged)} | ${number(run.deliveries)} | ${total(run.violations)} |`,
      );
  if (deliveries !== undefined)
    rows.push(
      `| Real engine, readers dropped at random (mean 5 s) | ${number(deliveries.rounds)} rounds, ${seconds(deliveries.milliseconds)} | ${number(deliveries.ops)} | ${number(deliveries.acknowledged)} | ${number(deliveries.deliveries)} | ${total(deliveries.violations)} |`,
    );
  return [
    '## Runs',
    '',
    '| Run | Size | Operations | Acknowledged writes | Deliveries | Violations |',
    '|---|---|---:|---:|---:|---:|',
    ...rows,
    '',
  ];
}

function clients({ clients: run }: Figures): string[] {
  if (run === undefined) return [];
  return [
    '## The client package, with sockets destroyed at random (each every 5 s on average)',
    '',
    '| Callbacks | Reconnects | Repeated or out of order | Skipped | Views that differ from the store at the end | Time |',
    '|---:|---:|---:|---:|---:|---:|',
    `| ${number(run.deliveries)} | ${number(run.reconnects)} | ${number(run.repeated)} | ${number(run.skipped)} | ${number(run.unlike)} of ${number(run.views)} | ${seconds(run.milliseconds)} |`,
    '',
  ];
}

function stores(runs: readonly StoreRun[]): string[] {
  if (runs.length === 0) return [];
  return [
    '## The store',
    '',
    '| Run | Size | Checked | Violations | Time |',
    '|---|---|---|---:|---:|',
    ...runs.map(
      ({ name, size, checked, violations, milliseconds }) =>
        `| ${name} | ${size} | ${checked} | ${number(violations)} | ${seconds(milliseconds)} |`,
    ),
    '',
  ];
}

function invariants({ seeds, cycles, shared, clustered, deliveries }: Figures): string[] {
  const cell = (
    run: { readonly violations: ReadonlyMap<InvariantId, number> } | undefined,
    id: InvariantId,
    of: readonly Invariant[] = INVARIANTS,
  ) => (run === undefined || !of.some((each) => each.id === id) ? '–' : String(run.violations.get(id) ?? 0));
  return [
    '## Violations of each invariant',
    '',
    '| | Invariant | Simulation | Faults | Two engines | Cluster | Deliveries |',
    '|---|---|---:|---:|---:|---:|---:|',
    ...INVARIANTS.map(
      ({ id, name }) =>
        `| ${id} | ${name} | ${cell(seeds, id)} | ${cell(cycles, id)} | ${cell(shared, id)} | ${cell(clustered, id)} | ${cell(deliveries, id, DELIVERY_INVARIANTS)} |`,
    ),
    '',
  ];
}

function bugs(hunted: readonly Hunted[]): string[] {
  if (hunted.length === 0) return [];
  const caught = hunted.filter(({ seed }) => seed !== undefined).length;
  return [
    '## Deliberate bugs',
    '',
    `Each bug replaces a component of the engine in the simulation. The checker found ${caught} of ${hunted.length}. Without a bug the same seeds pass.`,
    '',
    '| Bug | Defect | Seeds until it was found | Found by |',
    '|---|---|---:|---|',
    ...hunted.map(({ bug, seed, caughtBy }) => `| ${bug.id} | ${bug.says} | ${seed ?? 'not found'} | ${caughtBy.join(', ')} |`),
    '',
  ];
}

function failures({ seeds, cycles, shared, clustered, deliveries }: Figures): string[] {
  const broken = [seeds, cycles, shared, clustered, deliveries].flatMap((run) => [...(run?.broken ?? [])]);
  if (broken.length === 0) return [];
  return [
    '## Failures',
    '',
    ...broken.slice(0, 20).flatMap(({ seed, descriptions }) => [`Seed ${seed}:`, '', '```', ...descriptions, '```', '']),
  ];
}

function total(violations: ReadonlyMap<InvariantId, number>): string {
  return number([...violations.values()].reduce((sum, count) => sum + count, 0));
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function seconds(milliseconds: number): string {
  return `${number(milliseconds / 1_000)} s`;
}
