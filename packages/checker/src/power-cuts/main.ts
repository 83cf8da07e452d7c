import { parseArgs } from 'node:util';
import { count, say } from '../command-line.js';
import { type IgnoredSyncs, runCampaign } from './campaign.js';
import type { Durability } from './stored-groups.js';

const USAGE =
  'usage: npm run power-cuts -- [--cuts 1000] [--seed RANDOM] [--from 0] [--durability commit|relaxed] [--ignore-syncs none|log|all]';
const MOST_SEED = 1_000_000;

/** Runs the command `npm run power-cuts`. Resolves with the exit code, which is 0 if no power cut broke a promise. */
export async function main(args: readonly string[]): Promise<number> {
  let options: PowerCutArguments;
  try {
    options = readArguments(args);
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const { cuts, seed, from, durability, ignoredSyncs } = options;
  say(`seed ${seed}: ${cuts} power cuts with durability ${durability}`);
  const began = performance.now();
  const result = await runCampaign({ seed, cuts, from, durability, ignoredSyncs, say });
  const seconds = Math.round((performance.now() - began) / 1_000);
  say(
    `${result.cuts} power cuts in ${result.recordings} recordings, ${seconds} s: ${result.stores} stores opened, ${result.checked} acknowledged changes checked`,
  );
  say(`${result.newEpochs} stores with a new epoch, at most ${result.mostLost} acknowledged changes lost in one`);
  say(
    result.wrong.length === 0
      ? 'nothing was wrong'
      : `${result.wrong.length} findings; to repeat: npm run power-cuts -- --cuts ${cuts} --seed ${seed} --durability ${durability}`,
  );
  return result.wrong.length === 0 ? 0 : 1;
}

interface PowerCutArguments {
  readonly cuts: number;
  readonly seed: number;
  readonly from: number;
  readonly durability: Durability;
  readonly ignoredSyncs: IgnoredSyncs;
}

function readArguments(args: readonly string[]): PowerCutArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cuts: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * MOST_SEED)) },
      from: { type: 'string', default: '0' },
      durability: { type: 'string', default: 'commit' },
      'ignore-syncs': { type: 'string', default: 'none' },
    },
  });
  const { durability } = values;
  if (durability !== 'commit' && durability !== 'relaxed') throw new Error(`--durability must be commit or relaxed, not ${durability}`);
  const ignoredSyncs = values['ignore-syncs'];
  if (ignoredSyncs !== 'none' && ignoredSyncs !== 'log' && ignoredSyncs !== 'all')
    throw new Error(`--ignore-syncs must be none, log or all, not ${ignoredSyncs}`);
  return {
    cuts: count('cuts', values.cuts),
    seed: count('seed', values.seed),
    from: count('from', values.from),
    durability,
    ignoredSyncs,
  };
}
