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
  /** Of the rounds that broke something: the seed, and the first words. */
  readonly broken: readonly { readonly seed: number; readonly told: readonly string[] }[];
}

const CYCLES_A_ROUND = 10;
const DELIVERIES_A_ROUND = 500_000;
const MOST_TOLD = 3;

/** Faults of all kinds on a real engine, in rounds with a store of their own each. `shared`: on several over one Redis, and on that. */
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

/** Readers that are dropped at random, with a mean of 5 s each, until so many changes were shown. Only what concerns deliveries is checked. */
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
  const broken: { readonly seed: number; readonly told: readonly string[] }[] = [];
  while (more(sum)) {
    const round = await run(seed + sum.rounds, sum);
    sum.rounds++;
    for (const key of ['cycles', 'milliseconds', 'ops', 'deliveries', 'acknowledged'] as const) sum[key] += round[key];
    for (const { invariant } of round.violations) violations.set(invariant, (violations.get(invariant) ?? 0) + 1);
    if (round.violations.length > 0) broken.push({ seed: round.seed, told: round.violations.slice(0, MOST_TOLD).map(describeViolation) });
    onRound(round);
  }
  return { ...sum, violations, broken };
}
