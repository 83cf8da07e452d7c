import { parseArgs } from 'node:util';
import { say } from '../command-line.js';
import { type CampaignResult, describeFailure, isPassed, runDamages, salvageInAll } from './campaign.js';
import type { SalvageCounts } from './judge-salvage.js';

const USAGE = `usage: npm run store-damage -- [--damages N] [--seed S]
  --damages N   damages to try (default 1000)
  --seed S      seed of the first store (default 1); each store takes 50 damages and the next seed`;

/** Damages between two lines of progress. */
const PROGRESS = 500;

/**
 * Runs the command `npm run store-damage`. Resolves with the exit code: 0 if each damage was harmless, reported or refused, and `salvage`
 * got back 99 percent of the undamaged items.
 */
export async function main(args: readonly string[]): Promise<number> {
  let damages: number;
  let seed: number;
  try {
    const { values } = parseArgs({ args: [...args], options: { damages: { type: 'string' }, seed: { type: 'string' } } });
    damages = Number(values.damages ?? 1_000);
    seed = Number(values.seed ?? 1);
    if (!Number.isSafeInteger(damages) || damages < 1 || !Number.isSafeInteger(seed)) throw new Error('N and S are whole numbers');
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  let shown = 0;
  const result = await runDamages({
    damages,
    seed,
    onProgress: (part) => {
      for (const failure of part.failures.slice(shown)) say(describeFailure(failure));
      shown = part.failures.length;
      if (part.damages % PROGRESS === 0) say(`${summaryOf(part)}; continue with --seed ${part.nextSeed}`);
    },
  });
  for (const [name, count] of [...result.verdicts].sort(([a], [b]) => (a < b ? -1 : 1))) say(`${String(count).padStart(7)}  ${name}`);
  say('salvage: items on undamaged pages and how many of them came back; older values and deleted items that came back');
  for (const [kind, counts] of [...result.salvage, ['all', salvageInAll(result.salvage)] as const]) say(salvageLine(kind, counts));
  say(`${summaryOf(result)}, from seed ${seed} to ${result.nextSeed - 1}: ${isPassed(result) ? 'passed' : 'FAILED'}`);
  return isPassed(result) ? 0 : 1;
}

function summaryOf({ damages, complete, failures, salvage }: CampaignResult): string {
  const { returned, undamaged } = salvageInAll(salvage);
  const back = percent(returned, undamaged);
  return `${damages} damages (${complete} through the complete start too): ${failures.length} broke a promise, salvage ${back}`;
}

function salvageLine(kind: string, { undamaged, returned, items, returnedItems, older, revived }: SalvageCounts): string {
  const all = `${percent(returnedItems, items)} of all ${items}`;
  return `  ${kind}: ${returned} of ${undamaged} (${percent(returned, undamaged)}), ${all}; ${older} older, ${revived} deleted`;
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? 100 : Math.floor((part / whole) * 1e6) / 1e4} %`;
}
