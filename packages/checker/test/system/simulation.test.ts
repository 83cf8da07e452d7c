import { expect, it } from 'vitest';
import type { Op } from '../../src/history/op.js';
import { writeHistory } from '../../src/history/recorder.js';
import { INVARIANTS } from '../../src/invariants/all.js';
import { check, describeViolation } from '../../src/invariants/invariant.js';
import { planOf } from '../../src/simulation/plan.js';
import { simulate } from '../../src/simulation/simulation.js';
import { VirtualTime } from '../../src/simulation/virtual-time.js';

/** Number of seeds. A longer run: `RIVULET_SEEDS=10000 npx vitest run packages/checker`, or `npm run reliability`. */
const SEEDS = Number(process.env.RIVULET_SEEDS ?? 120);

/** Whether an operation shows a whole group at one offset. With `loose`, changes after it may be part of it. */
function isWholeState(op: Op): op is Extract<Op, { readonly f: 'snapshot' | 'mirror' | 'final' }> {
  return (op.f === 'snapshot' || op.f === 'mirror' || op.f === 'final') && op.loose !== true && !('item' in op && op.item !== undefined);
}

/** Kinds of frames that the simulated clients received, by WebSocket and by plain HTTP. Faults and writes count for the former. */
const framesOfSockets = new Set<string>();
const framesOfHttp = new Set<string>();

function note(op: Op): void {
  const seen = op.p.startsWith('h') ? framesOfHttp : framesOfSockets;
  if (op.f === 'resumed') seen.add(`resumed ${op.mode}`);
  if (op.f === 'gap') seen.add('gap');
  if (op.f === 'snapshot' && op.reset !== undefined) seen.add(`reason ${op.reset}`);
  if (op.f === 'snapshot' && op.loose === true) seen.add('in fragments');
  if (op.f === 'recv' && op.through !== undefined) seen.add('batch');
  if (op.f === 'recv' && op.item !== undefined) seen.add('item');
  if ('replayed' in op) seen.add('replayed');
  if (op.f === 'join' && op.type === 'fail') seen.add('refused');
  if (op.f === 'join' && op.s !== undefined && /^h\d\.[1-9]/.test(op.p)) seen.add('several groups');
  if (op.f === 'nemesis') seen.add(op.verb);
}

it('one seed makes one history, byte for byte', async () => {
  for (const seed of [1, 7, 19]) {
    const [first, second] = [await simulate(seed), await simulate(seed)];
    expect(writeHistory(first.ops)).toBe(writeHistory(second.ops));
    expect(first.deliveries).toBeGreaterThan(0);
  }
});

it(
  `the core of the engine keeps I1 to I14 in ${SEEDS} worlds`,
  async () => {
    let deliveries = 0;
    let boundedStates = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = await simulate(seed);
      deliveries += run.deliveries;
      for (const op of run.ops) note(op);
      expect(check(INVARIANTS, run.ops).map(describeViolation), `seed ${seed}`).toEqual([]);
      const { maxItems = Number.POSITIVE_INFINITY } = planOf(seed).bounds ?? {};
      const states = run.ops.filter(isWholeState);
      if (maxItems < Number.POSITIVE_INFINITY) boundedStates += states.length;
      expect(states.filter(({ n }) => n > maxItems)).toEqual([]);
    }
    expect(boundedStates).toBeGreaterThan(SEEDS / 10);
    process.stdout.write(`simulation: ${SEEDS} seeds, ${deliveries} deliveries, ${boundedStates} states of bounded groups, 0 violations\n`);
  },
  600_000 + SEEDS * 1_000,
);

/** Seeds that have found a fault once. */
it.each([[338, 'frames between the fragments of a large sync, on a socket of readers with and without positions']])(
  'seed %i: %s',
  async (seed) => {
    expect(check(INVARIANTS, (await simulate(seed)).ops).map(describeViolation)).toEqual([]);
  },
);

it('the simulations contain every frame that a client can receive, and every fault', () => {
  expect([...framesOfSockets]).toEqual(
    expect.arrayContaining([
      'resumed tail',
      'resumed changes',
      'gap',
      'reason epoch',
      'reason floor',
      'batch',
      'in fragments',
      'refused',
      'replayed',
      'kill-engine',
      'wipe-store',
    ]),
  );
});

it('the readers by plain HTTP resume in every way that a client can', () => {
  expect([...framesOfHttp]).toEqual(
    expect.arrayContaining([
      'resumed tail',
      'resumed changes',
      'gap',
      // A snapshot of plain HTTP states no offsets of creation, as a `sync` in fragments.
      'in fragments',
      'reason epoch',
      'reason malformed',
      'batch',
      'item',
      'refused',
      'several groups',
    ]),
  );
});

it('virtual time passes in order, and only when everything that can run has run', async () => {
  const time = new VirtualTime();
  const restore = time.install();
  const done: string[] = [];
  try {
    setTimeout(() => done.push('timeout 5'), 5);
    setImmediate(() => done.push('immediate'));
    const interval = setInterval(() => {
      done.push(`interval ${Date.now() % 1_000}`);
      if (done.length > 4) clearInterval(interval);
    }, 4);
    void Promise.resolve().then(() => done.push('microtask'));
    await time.runUntil(100);
  } finally {
    restore();
  }
  expect(done).toEqual(['microtask', 'immediate', 'interval 4', 'timeout 5', 'interval 8']);
  expect([time.monotonic(), time.pending]).toEqual([100, 0]);
  expect(Math.abs(Date.now() - 1_700_000_000_000)).toBeGreaterThan(1_000_000);
});
