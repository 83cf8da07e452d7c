import { DELIVERY_INVARIANTS } from '../invariants/all.js';
import { describeViolation, type InvariantId } from '../invariants/invariant.js';
import { type Round, type RoundOptions, runRound } from './live-round.js';

export interface RoundsResult {
  readonly rounds: number;
  readonly cycles: number;
  readonly milliseconds: number;
  readonly ops: number;
  readonly deliveries: number;
  readonly acknowledged: number;
  readonly violations: ReadonlyMap<InvariantId, number>;
  /** All rounds with a violation: the seed and the first lines of each description. */
  readonly broken: readonly { readonly seed: number; readonly descriptions: readonly string[] }[];
}

const CYCLES_A_ROUND = 10;
const DELIVERIES_A_ROUND = 500_000;
const MOST_DESCRIBED = 3;

/**
 * Runs rounds of faults on a real engine. Each round has a store of its own. With `shared`, several engines use one Redis, which gets
 * faults too.
 */
export function runCycles(
  seed: number,
  cycles: number,
  onRound: (round: Round) => void,
  shared: Pick<RoundOptions, 'engines' | 'beside' | 'cluster'> = {},
): Promise<RoundsResult> {
  return runRounds(
    seed,
    (sum) => sum.cycles < cycles,
    onRound,
    (number, sum) =>
      runRound({
        seed: number,
        cycles: Math.min(CYCLES_A_ROUND, cycles - sum.cycles),
        readers: 8,
        groups: 3,
        items: 30,
        workers: 2,
        lanes: 8,
        thinkMs: 4,
        ...shared,
      }),
  );
}

/**
 * Runs readers that are dropped at random, every 5 s on average, until they have seen this number of changes. It checks the delivery
 * invariants only.
 */
export function runDeliveries(seed: number, deliveries: number, onRound: (round: Round) => void): Promise<RoundsResult> {
  return runRounds(
    seed,
    (sum) => sum.deliveries < deliveries,
    onRound,
    (number, sum) =>
      runRound({
        seed: number,
        cycles: 0,
        readers: 100,
        groups: 2,
        items: 200,
        workers: 2,
        lanes: 64,
        thinkMs: 6,
        deliveries: Math.min(DELIVERIES_A_ROUND, deliveries - sum.deliveries),
        dropMs: 5_000,
        calm: true,
        invariants: DELIVERY_INVARIANTS,
      }),
  );
}

async function runRounds(
  seed: number,
  more: (sum: { readonly cycles: number; readonly deliveries: number }) => boolean,
  onRound: (round: Round) => void,
  run: (seed: number, sum: { readonly cycles: number; readonly deliveries: number }) => Promise<Round>,
): Promise<RoundsResult> {
  const sum = { rounds: 0, cycles: 0, milliseconds: 0, ops: 0, deliveries: 0, acknowledged: 0 };
  const violations = new Map<InvariantId, number>();
  const broken: { readonly seed: number; readonly descriptions: readonly string[] }[] = [];
  while (more(sum)) {
    const round = await run(seed + sum.rounds, sum);
    sum.rounds++;
    for (const key of ['cycles', 'milliseconds', 'ops', 'deliveries', 'acknowledged'] as const) sum[key] += round[key];
    for (const { invariant } of round.violations) violations.set(invariant, (violations.get(invariant) ?? 0) + 1);
    if (round.violations.length > 0)
      broken.push({ seed: round.seed, descriptions: round.violations.slice(0, MOST_DESCRIBED).map(describeViolation) });
    onRound(round);
  }
  return { ...sum, violations, broken };
}
