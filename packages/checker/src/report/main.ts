import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { BUGS, type Hunted, hunt } from '../bugs/hunt.js';
import { writeHistory } from '../history/recorder.js';
import { INVARIANTS } from '../invariants/all.js';
import { check, describeViolation } from '../invariants/invariant.js';
import { runClients } from '../live/client-run.js';
import type { Round } from '../live/live-round.js';
import { runCycles, runDeliveries } from '../live/run-rounds.js';
import { runSeeds } from '../simulation/run-seeds.js';
import { simulate } from '../simulation/simulation.js';
import { type Arguments, readArguments, USAGE } from './arguments.js';
import { reliabilityPage } from './reliability-page.js';
import { runStores } from './store-runs.js';

/** Runs the command `npm run reliability`. Resolves with the exit code, which is 0 if there was no violation and every bug was found. */
export async function main(args: readonly string[]): Promise<number> {
  let options: Arguments;
  try {
    options = readArguments(args);
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  return options.only === undefined ? runAll(options, args) : runOne(options.only, options.bug);
}

/** Number of engines in the rounds with a Redis. */
const ENGINES = 2;

async function runOne(seed: number, bugId: string | undefined): Promise<number> {
  const bug = BUGS.find(({ id }) => id === bugId);
  if (bugId !== undefined && bug === undefined) {
    say(`there is no bug ${bugId}; there are ${BUGS.map(({ id }) => id).join(', ')}`);
    return 2;
  }
  const { ops } = await simulate(seed, bug?.make());
  process.stdout.write(writeHistory(ops));
  const violations = check(INVARIANTS, ops);
  for (const violation of violations) say(describeViolation(violation));
  say(`seed ${seed}: ${ops.length} operations, ${violations.length} violations`);
  return violations.length === 0 ? 0 : 1;
}

async function runAll(options: Arguments, args: readonly string[]): Promise<number> {
  const { seeds, from, threads, cycles, redisCycles, clusterCycles, deliveries, clientDeliveries, bugSeeds } = options;
  const pair = { engines: ENGINES, beside: options.beside || undefined };
  const hunted: Hunted[] = [];
  if (bugSeeds > 0) {
    for (const bug of BUGS) {
      const found = await hunt(bug, range(from, bugSeeds));
      hunted.push(found);
      say(`${bug.id}: ${found.seed === undefined ? 'NOT CAUGHT' : `caught by ${found.caughtBy.join(', ')} in seed ${found.seed}`}`);
    }
  }
  const simulated = seeds === 0 ? undefined : await runSeeds(from, seeds, threads, (done) => done % 500 === 0 && say(`${done} seeds`));
  const faulted = cycles === 0 ? undefined : await runCycles(from, cycles, sayRound);
  const shared = redisCycles === 0 ? undefined : await runCycles(from, redisCycles, sayRound, pair);
  const clustered = clusterCycles === 0 ? undefined : await runCycles(from, clusterCycles, sayRound, { ...pair, cluster: true });
  const delivered = deliveries === 0 ? undefined : await runDeliveries(from, deliveries, sayRound);
  const descriptions =
    clientDeliveries === 0
      ? undefined
      : await runClients({ seed: from, deliveries: clientDeliveries, clients: 300, groups: 6, dropMs: 5_000 }, (done) =>
          say(`${done} callbacks`),
        );
  const stores = await runStores(options, say);
  const page = reliabilityPage({
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, ${process.platform}`,
    command: ['npm run reliability', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
    seeds: simulated,
    cycles: faulted,
    shared,
    clustered,
    deliveries: delivered,
    clients: descriptions,
    stores,
    hunted,
  });
  if (options.out !== '') writeFileSync(options.out, page);
  process.stdout.write(page);
  const broken = [simulated, faulted, shared, clustered, delivered].some((run) => run !== undefined && run.violations.size > 0);
  const wrong = descriptions !== undefined && descriptions.repeated + descriptions.skipped + descriptions.unlike > 0;
  return broken || wrong || stores.some(({ violations }) => violations > 0) || hunted.some(({ seed }) => seed === undefined) ? 1 : 0;
}

function sayRound({ seed, cycles, deliveries, acknowledged, violations, milliseconds }: Round): void {
  const took = `${(milliseconds / 1_000).toFixed(1)} s`;
  say(`round ${seed}: ${cycles} steps, ${acknowledged} acknowledged, ${deliveries} deliveries, ${violations.length} violations, ${took}`);
}

function* range(from: number, count: number): Iterable<number> {
  for (let n = 0; n < count; n++) yield from + n;
}

function commit(): string {
  try {
    const changed = execFileSync('git', ['status', '--porcelain', '--untracked-files=no'], { encoding: 'utf8' }).trim() !== '';
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim() + (changed ? ', with changes' : '');
  } catch {
    return 'unknown';
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
