import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { namespaceProblem } from '../lock-trials/agent.js';
import { runCampaign as runLockTrials } from '../lock-trials/campaign.js';
import { runCampaign as runPowerCuts } from '../power-cuts/campaign.js';
import type { Durability } from '../power-cuts/stored-groups.js';
import { describeFailure, isPassed, runDamages, salvageInAll } from '../store-damage/campaign.js';
import type { Arguments } from './arguments.js';

/** Damages between two lines of progress. */
const PROGRESS = 500;

/** The result of one kind of run on stores. */
export interface StoreRun {
  readonly name: string;
  readonly size: string;
  /** The numbers of things that were compared, as a phrase. */
  readonly checked: string;
  readonly violations: number;
  readonly milliseconds: number;
}

type Outcome = Omit<StoreRun, 'name' | 'milliseconds'>;

/**
 * Runs everything about stores that the arguments ask for: power cuts, second owners, damages and backups. `--from` is the seed of each
 * run. A stopped run is continued with the next seed, or by the command of its own that its first line names.
 */
export async function runStores(options: Arguments, say: (line: string) => void): Promise<readonly StoreRun[]> {
  const { from: seed, powerCuts, relaxedCuts, lockStarts, damages, backups } = options;
  const runs: StoreRun[] = [];
  const add = async (name: string, count: number, run: () => Promise<Outcome>) => {
    if (count === 0) return;
    say(`${name}: ${count}, seed ${seed}`);
    const began = performance.now();
    runs.push({ name, ...(await run()), milliseconds: performance.now() - began });
  };
  await add('Power cuts, `durability: commit`', powerCuts, () => cutPower('commit', powerCuts, seed, say));
  await add('Power cuts, `durability: relaxed`', relaxedCuts, () => cutPower('relaxed', relaxedCuts, seed, say));
  await add('Starts of a second owner in another PID namespace', lockStarts, () => tryLocks(lockStarts, seed, say));
  await add('Damages of closed stores', damages, () => damageStores(damages, seed, say));
  await add('Backups of a running engine under writes, restored', backups, () => restoreBackups(backups));
  return runs;
}

async function cutPower(durability: Durability, cuts: number, seed: number, say: (line: string) => void): Promise<Outcome> {
  const result = await runPowerCuts({ seed, cuts, durability, say });
  const lost =
    durability === 'relaxed' ? `; ${number(result.newEpochs)} with a new epoch, at most ${number(result.mostLost)} changes lost` : '';
  return {
    size: `${number(result.cuts)} cuts in ${number(result.recordings)} recordings`,
    checked: `${number(result.stores)} stores, ${number(result.checked)} acknowledged changes${lost}`,
    violations: result.wrong.length,
  };
}

async function tryLocks(starts: number, seed: number, say: (line: string) => void): Promise<Outcome> {
  const problem = namespaceProblem();
  if (problem !== undefined) return { size: 'not run', checked: problem, violations: 0 };
  const result = await runLockTrials({ starts, seed, say });
  return {
    size: `${number(starts)} starts`,
    checked: `${number(result.refusals.length)} refusals, ${number(result.writes)} acknowledged writes`,
    violations: result.wrong.length,
  };
}

async function damageStores(damages: number, seed: number, say: (line: string) => void): Promise<Outcome> {
  const result = await runDamages({
    damages,
    seed,
    onProgress: (part) => part.damages % PROGRESS === 0 && say(`${part.damages} damages; continue with --from ${part.nextSeed}`),
  });
  for (const failure of result.failures) say(`WRONG ${describeFailure(failure)}`);
  const { returned, undamaged } = salvageInAll(result.salvage);
  return {
    size: `${number(result.damages)} damages of ${number(result.nextSeed - seed)} stores`,
    checked: `${number(returned)} of ${number(undamaged)} undamaged items salvaged`,
    violations: result.failures.length + (isPassed({ failures: [], salvage: result.salvage }) ? 0 : 1),
  };
}

/** Runs the test of backups with this number of rounds. Its writers and its comparison are those of the tests. */
async function restoreBackups(backups: number): Promise<Outcome> {
  const test = ['vitest', 'run', 'packages/conformance/test/integration/backup.test.ts', '-t', 'K5'];
  const child = spawn('npx', test, { env: { ...process.env, RIVULET_BACKUPS: String(backups) }, stdio: ['ignore', 2, 2] });
  const [code] = (await once(child, 'exit')) as [number | null];
  return {
    size: `${number(backups)} backups`,
    checked: 'each restored store against the acknowledged writes of one moment',
    violations: code === 0 ? 0 : 1,
  };
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
