import { say } from '../command-line.js';
import { type FuzzArguments, readFuzzArguments, USAGE } from './arguments.js';
import { mib, runCampaign } from './campaign.js';

const MOST_SEED = 1_000_000;

/** Runs the command `npm run fuzz`. Resolves with the exit code, which is 0 if there was no fault. */
export async function main(args: readonly string[]): Promise<number> {
  let options: FuzzArguments;
  try {
    options = readFuzzArguments(args, Math.floor(Math.random() * MOST_SEED));
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const { messages, seed, from, round, stores, fault } = options;
  say(`seed ${seed}: ${messages} messages in rounds of ${round} over ${stores.join(', ')}, from round ${from}`);
  const result = await runCampaign({ seed, from, messages, roundMessages: round, stores, fault, say });
  const seconds = result.milliseconds / 1_000;
  for (const { store, fresh, begin, end } of result.heaps)
    say(`heap over ${store} after garbage collection: ${mib(fresh)} fresh, ${mib(begin)} after the first round, ${mib(end)} at the end`);
  say(
    `seed ${seed}: ${result.messages} messages in ${seconds.toFixed(0)} s, ${Math.round(result.messages / seconds)} a second, ${result.innocent} changes seen by innocent clients`,
  );
  for (const wrong of result.faults) say(`WRONG ${wrong}`);
  say(
    result.faults.length === 0
      ? 'nothing was wrong'
      : `to repeat: npm run fuzz -- --seed ${seed} --from ${from + result.rounds - 1} --messages ${round} --round ${round}`,
  );
  return result.faults.length === 0 ? 0 : 1;
}
