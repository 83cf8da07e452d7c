import { parseArgs } from 'node:util';
import { say } from '../command-line.js';
import { type Failure, runDamages } from './campaign.js';

const USAGE = `usage: npm run store-damage -- [--damages N] [--seed S]
  --damages N   damages to try (default 1000)
  --seed S      seed of the first store (default 1); each store takes 50 damages and the next seed`;

/** Runs the command `npm run store-damage`. Resolves with the exit code: 0 if each damage was harmless, reported or refused. */
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
  const show = (failures: readonly Failure[]) => {
    for (const failure of failures.slice(shown)) say(lineOf(failure));
    shown = failures.length;
  };
  const result = await runDamages({
    damages,
    seed,
    onProgress: (done, failures) => {
      show(failures);
      if (done % 1_000 === 0) say(`${done} damages, ${failures.length} violations`);
    },
  });
  for (const [name, count] of [...result.verdicts].sort(([a], [b]) => (a < b ? -1 : 1))) say(`${String(count).padStart(7)}  ${name}`);
  say(`${result.damages} damages from seed ${seed} on: ${result.failures.length} broke a promise`);
  return result.failures.length === 0 ? 0 : 1;
}

function lineOf({ seed, index, damage, violations }: Failure): string {
  return `seed ${seed}, damage ${index} (${damage}):\n  ${violations.slice(0, 5).join('\n  ')}`;
}
