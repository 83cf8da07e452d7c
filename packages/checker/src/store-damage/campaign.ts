import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '@rivulet/testkit/random';
import { type BuiltStore, buildStore } from './built-store.js';
import { type Damage, damageOf } from './damages.js';
import { type Judgement, judge } from './judge.js';
import type { Observed } from './observe.js';

/** Damages of one built store. All of them are opened by one process, unless one ends it. */
const DAMAGES_OF_A_STORE = 50;

/** A child process needs the built file. Tests run the sources, which lie beside it. */
const OBSERVE_MAIN = fileURLToPath(new URL('./observe-main.js', import.meta.url)).replace('/src/store-damage/', '/dist/store-damage/');

/** The work of one process that opens stores. */
export interface Job {
  readonly cases: readonly string[];
  readonly expected: Pick<BuiltStore, 'groups' | 'keys'>;
}

/** A promise that broke. */
export interface Failure {
  /** Seed of the built store, and index of the damage of that store. */
  readonly seed: number;
  readonly index: number;
  readonly damage: string;
  readonly violations: readonly string[];
}

export interface CampaignResult {
  readonly damages: number;
  /** Numbers of cases by kind of damage and verdict. */
  readonly verdicts: ReadonlyMap<string, number>;
  readonly failures: readonly Failure[];
}

export interface CampaignOptions {
  readonly damages: number;
  readonly seed: number;
  /** Called when one store is done. */
  readonly onProgress?: (damages: number, failures: readonly Failure[]) => void;
}

/** Damages closed stores, opens each one in a child process, and judges what the store shows. */
export async function runDamages({ damages, seed, onProgress }: CampaignOptions): Promise<CampaignResult> {
  const verdicts = new Map<string, number>();
  const failures: Failure[] = [];
  let done = 0;
  for (let storeSeed = seed; done < damages; storeSeed++) {
    const directory = mkdtempSync(join(tmpdir(), 'rivulet-damage-'));
    try {
      const store = await buildStore(join(directory, 'built'), storeSeed);
      const foreign = await buildStore(join(directory, 'foreign'), storeSeed + 1_000_000);
      const random = new Random(storeSeed);
      const count = Math.min(DAMAGES_OF_A_STORE, damages - done);
      const cases = Array.from({ length: count }, () => damageOf(random, store, foreign));
      const observed = await observeAll(directory, store, cases);
      for (const [index, damage] of cases.entries()) {
        const judgement = judgementOf(store, observed[index]);
        const name = `${damage.kind}: ${judgement.verdict}`;
        verdicts.set(name, (verdicts.get(name) ?? 0) + 1);
        const { violations } = judgement;
        if (violations.length > 0) failures.push({ seed: storeSeed, index, damage: `${damage.kind}, ${damage.text}`, violations });
      }
      done += count;
      onProgress?.(done, failures);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return { damages: done, verdicts, failures };
}

function judgementOf(store: BuiltStore, observed: Observed | string | undefined): Judgement {
  if (typeof observed === 'object') return judge(store, observed);
  return { verdict: 'violated', violations: [`the process ended: ${observed ?? 'without a reason'}`] };
}

/** Returns for each case what a process saw, or how the process ended. */
async function observeAll(directory: string, store: BuiltStore, cases: readonly Damage[]): Promise<readonly (Observed | string)[]> {
  const directories = cases.map(({ data }, index) => {
    const path = join(directory, `case-${index}`);
    mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(path, 'data.mdb'), data, { mode: 0o600 });
    writeFileSync(join(path, 'rivulet-store.json'), store.marker);
    return path;
  });
  const observed: (Observed | string)[] = [];
  while (observed.length < cases.length) {
    const job: Job = { cases: directories.slice(observed.length), expected: { groups: store.groups, keys: store.keys } };
    const file = join(directory, 'job.json');
    writeFileSync(file, JSON.stringify(job));
    const { lines, ending } = await run(file);
    observed.push(...lines.map((line) => JSON.parse(line) as Observed));
    if (observed.length < cases.length) observed.push(ending);
  }
  return observed;
}

/** Runs a process over a job. Returns its lines, and how it ended. */
function run(file: string): Promise<{ readonly lines: readonly string[]; readonly ending: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [OBSERVE_MAIN, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors = (errors + chunk).slice(-2_000);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const lines = text.split('\n').slice(0, -1);
      resolve({ lines, ending: `${signal ?? `exit code ${code}`} ${errors}` });
    });
  });
}
