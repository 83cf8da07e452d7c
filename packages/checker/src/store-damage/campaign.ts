import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@rivulet/testkit/random';
import { type BuiltStore, buildStore } from './built-store.js';
import { type Damage, damageOf } from './damages.js';
import type { ObservedCase } from './job.js';
import { type Judgement, judge } from './judge.js';
import { addCounts, judgeSalvage, NO_COUNTS, type SalvageCounts, touchedPages } from './judge-salvage.js';
import type { Observed } from './observe.js';
import { runObserver } from './observer-process.js';

/** Damages of one built store. All of them are opened by one process, unless one ends it. */
const DAMAGES_OF_A_STORE = 50;
/** One damage in this number also goes through the complete start of the engine, with a process of its own for the preflight. */
const COMPLETE_IN = 20;
/** Items that did not come back, of those that a damage did not touch, in percent. */
const MOST_LOST_PERCENT = 1;
/** Bytes that the directory in memory must have free. */
const MEMORY_BYTES = 1_073_741_824;

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
  /** Damages that went through the complete start too. */
  readonly complete: number;
  /** Numbers of cases by kind of damage and verdict. */
  readonly verdicts: ReadonlyMap<string, number>;
  /** Numbers of items that salvage got back, by kind of damage. A store that was replaced as a whole does not count. */
  readonly salvage: ReadonlyMap<string, SalvageCounts>;
  readonly failures: readonly Failure[];
  /** Seed with which the next run continues. */
  readonly nextSeed: number;
}

export interface CampaignOptions {
  readonly damages: number;
  readonly seed: number;
  /** Called when one store is done. */
  readonly onProgress?: (result: CampaignResult) => void;
}

/** Damages closed stores, opens each one in a child process, and judges what the store shows. */
export async function runDamages({ damages, seed, onProgress }: CampaignOptions): Promise<CampaignResult> {
  const verdicts = new Map<string, number>();
  const salvage = new Map<string, SalvageCounts>();
  const failures: Failure[] = [];
  let result: CampaignResult = { damages: 0, complete: 0, verdicts, salvage, failures, nextSeed: seed };
  while (result.damages < damages) {
    const count = Math.min(DAMAGES_OF_A_STORE, damages - result.damages);
    const complete = await runStore(result.nextSeed, count, { verdicts, salvage, failures });
    result = {
      ...result,
      damages: result.damages + count,
      complete: result.complete + complete,
      nextSeed: result.nextSeed + 1,
    };
    onProgress?.(result);
  }
  return result;
}

/** Returns lines that name a damage and the promises that it broke. */
export function describeFailure({ seed, index, damage, violations }: Failure): string {
  return `seed ${seed}, damage ${index} (${damage}):\n  ${violations.slice(0, 5).join('\n  ')}`;
}

/** Returns whether each promise was kept. */
export function isPassed({ failures, salvage }: Pick<CampaignResult, 'failures' | 'salvage'>): boolean {
  const { returned, undamaged } = salvageInAll(salvage);
  return failures.length === 0 && returned * 100 >= undamaged * (100 - MOST_LOST_PERCENT);
}

/** Returns the sum over all kinds of damage. */
export function salvageInAll(salvage: CampaignResult['salvage']): SalvageCounts {
  return [...salvage.values()].reduce(addCounts, NO_COUNTS);
}

interface Counts {
  readonly verdicts: Map<string, number>;
  readonly salvage: Map<string, SalvageCounts>;
  readonly failures: Failure[];
}

/** Runs the damages of one store. Returns how many went through the complete start too. */
async function runStore(seed: number, count: number, { verdicts, salvage, failures }: Counts): Promise<number> {
  const directory = mkdtempSync(join(scratchDirectory(), 'rivulet-damage-'));
  try {
    const store = await buildStore(join(directory, 'built'), seed);
    const foreign = await buildStore(join(directory, 'foreign'), seed + 1_000_000);
    const random = new Random(seed);
    const damages = Array.from({ length: count }, () => damageOf(random, store, foreign));
    // Tests run few damages of one store. Then the first one is complete.
    const isComplete = (index: number) => (seed * DAMAGES_OF_A_STORE + index) % COMPLETE_IN === 0;
    const cases = await observeAll(directory, store, damages, isComplete);
    for (const [index, damage] of damages.entries()) {
      const judgement = judgeCase(store, damage, cases[index]);
      salvage.set(damage.kind, addCounts(salvage.get(damage.kind) ?? NO_COUNTS, judgement.salvage));
      const name = `${damage.kind}: ${judgement.verdict}`;
      verdicts.set(name, (verdicts.get(name) ?? 0) + 1);
      const { violations } = judgement;
      if (violations.length > 0) failures.push({ seed, index, damage: `${damage.kind}, ${damage.text}`, violations });
    }
    return damages.filter((_, index) => isComplete(index)).length;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The stores are closed, so a disk has nothing to prove. Memory has no syncs to wait for. */
function scratchDirectory(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    if (bavail * bsize >= MEMORY_BYTES) return '/dev/shm';
  } catch {}
  return tmpdir();
}

function judgeCase(
  store: BuiltStore,
  { data, isOther }: Damage,
  seen: ObservedCase | string | undefined,
): Judgement & { readonly salvage: SalvageCounts } {
  if (typeof seen !== 'object')
    return { verdict: 'violated', violations: [`the process ended: ${seen ?? 'without a reason'}`], salvage: NO_COUNTS };
  const judgement = judge(store, seen.observed);
  const salvage = judgeSalvage(isOther ? { groups: [] } : store, touchedPages(store.data, data), seen.salvaged);
  const violations = [...judgement.violations, ...salvage.violations, ...differencesOf(seen)];
  return { verdict: violations.length === 0 ? judgement.verdict : 'violated', violations, salvage: salvage.counts };
}

/** The complete start must show what the fast one shows. Messages have the name of the directory. */
function differencesOf({ observed, complete }: ObservedCase): readonly string[] {
  if (complete === undefined) return [];
  const textOf = ({ refusal, ...rest }: Observed) => JSON.stringify({ refusal: refusal?.code, ...rest });
  const [fast, slow] = [textOf(observed), textOf(complete)];
  if (fast === slow) return [];
  let at = 0;
  while (fast[at] === slow[at]) at++;
  const part = (text: string) => text.slice(Math.max(0, at - 40), at + 60);
  return [`the complete start differs: ${part(slow)} and not ${part(fast)}`];
}

/** Returns for each damage what a process saw, or how the process ended. */
async function observeAll(
  directory: string,
  store: BuiltStore,
  damages: readonly Damage[],
  isComplete: (index: number) => boolean,
): Promise<readonly (ObservedCase | string)[]> {
  const cases = damages.map(({ data, marker }, index) => {
    const path = join(directory, `case-${index}`);
    mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(path, 'data.mdb'), data, { mode: 0o600 });
    writeFileSync(join(path, 'rivulet-store.json'), marker);
    return { directory: path, isComplete: isComplete(index) };
  });
  const expected = { groups: store.groups, keys: store.keys };
  const observed: (ObservedCase | string)[] = [];
  while (observed.length < cases.length) {
    const { lines, ending } = await runObserver(join(directory, 'job.json'), { cases: cases.slice(observed.length), expected });
    // oxlint-disable-next-line eslint/no-restricted-properties -- written by a process of ours
    observed.push(...lines.map((line) => JSON.parse(line) as ObservedCase));
    if (observed.length < cases.length) observed.push(ending);
  }
  return observed;
}
