import { parseArgs } from 'node:util';
import { count, say } from '../command-line.js';
import { namespaceProblem } from './agent.js';
import { runCampaign } from './campaign.js';

const USAGE = 'usage: npm run lock-trials -- [--starts 1000] [--seed RANDOM]';
const MOST_SEED = 1_000_000;

/** Runs the command `npm run lock-trials`. Resolves with the exit code, which is 0 if no store had two owners. */
export async function main(args: readonly string[]): Promise<number> {
  let options: { readonly starts: number; readonly seed: number };
  try {
    options = readArguments(args);
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const problem = namespaceProblem();
  if (problem !== undefined) {
    say(problem);
    return 2;
  }
  const { starts, seed } = options;
  say(`seed ${seed}: ${starts} starts of a second owner in another PID namespace`);
  const began = performance.now();
  const result = await runCampaign({ starts, seed, say });
  const seconds = Math.round((performance.now() - began) / 1_000);
  const each = Object.entries(result.starts).map(([condition, count]) => `${count} ${condition}`);
  say(`starts while the first owner was: ${each.join(', ')}; ${seconds} s`);
  const at = (share: number) => result.refusals[Math.floor(result.refusals.length * share)] ?? 0;
  say(
    `${result.refusals.length} refusals, in ms: half within ${at(0.5)}, 99 % within ${at(0.99)}, all within ${result.refusals.at(-1) ?? 0}`,
  );
  say(`${result.writes} acknowledged writes; ${result.lost} owners lost the directory`);
  say(
    result.wrong.length === 0
      ? 'no store had two owners, and no process used a store that it had lost'
      : `${result.wrong.length} findings; to repeat: npm run lock-trials -- --starts ${starts} --seed ${seed}`,
  );
  return result.wrong.length === 0 ? 0 : 1;
}

function readArguments(args: readonly string[]): { readonly starts: number; readonly seed: number } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      starts: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * MOST_SEED)) },
    },
  });
  return { starts: count('starts', values.starts), seed: count('seed', values.seed) };
}
