import { parseArgs } from 'node:util';
import { count, say } from '../command-line.js';
import { problemsOf, runHttpReaders } from './campaign.js';

const USAGE = 'usage: npm run http-readers -- [--readers 10000] [--writes 40] [--rate 40] [--seed RANDOM]';
const MOST_SEED = 1_000_000;

/** Runs the command `npm run http-readers`. Resolves with the exit code, which is 0 if no reader lost a change or got one twice. */
export async function main(args: readonly string[]): Promise<number> {
  let options: { readonly readers: number; readonly writes: number; readonly rate: number; readonly seed: number };
  try {
    options = readArguments(args);
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  say(`seed ${options.seed}`);
  const began = performance.now();
  const result = await runHttpReaders({ ...options, say });
  const problems = problemsOf(result);
  say(`${result.applied} changes and events, ${result.cuts} cuts, ${result.dropped} connections that ended otherwise`);
  say(
    `${result.resumed} went on from a position, ${result.compacted} of them with each item once; ${result.replaced} states were replaced`,
  );
  say(`lost ${result.lost}, doubled ${result.doubled}, wrong ids ${result.wrongIds}; ${Math.round((performance.now() - began) / 1_000)} s`);
  for (const problem of problems) say(`WRONG ${problem}`);
  return problems.length === 0 ? 0 : 1;
}

function readArguments(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      readers: { type: 'string', default: '10000' },
      writes: { type: 'string', default: '40' },
      rate: { type: 'string', default: '40' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * MOST_SEED)) },
    },
  });
  const readers = count('readers', values.readers);
  const rate = count('rate', values.rate);
  if (readers === 0 || rate === 0) throw new Error('--readers and --rate must be at least 1');
  return { readers, rate, writes: count('writes', values.writes), seed: count('seed', values.seed) };
}
