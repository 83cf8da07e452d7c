import { defaultStream, type StreamConfig } from '@rivulet/engine/parts';
import type { GroupBounds } from '@rivulet/engine/stores';
import { Random } from '@rivulet/testkit/random';

/** All choices that the seed makes before the run begins. */
export interface Plan {
  readonly seed: number;
  readonly groups: readonly string[];
  readonly items: readonly string[];
  readonly clients: number;
  /** Readers by plain HTTP; 0 in three worlds of five. */
  readonly httpClients: number;
  readonly workers: number;
  readonly lanes: number;
  /** Number of writes before the faults end. */
  readonly writes: number;
  /** Smallest number of faults. */
  readonly faults: number;
  /** Longest pause of a lane between two writes, in milliseconds. */
  readonly thinkMs: number;
  /** Longest pause between two faults, in milliseconds. */
  readonly faultMs: number;
  /** Whether join functions decide about access. */
  readonly guarded: boolean;
  /** Largest padding of a value, in units. */
  readonly pad: number;
  /** Whether connections are dropped several times at the end, to count what the engine keeps. */
  readonly probed: boolean;
  readonly reportMs: number;
  readonly retentionMs: number;
  /** Bounds of all groups; undefined in most worlds. */
  readonly bounds: GroupBounds | undefined;
  readonly config: StreamConfig;
}

export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const big = random.chance(0.06);
  const groups = Array.from({ length: random.pick([1, 1, 2, 3, 6]) }, (_, n) => `sim/g${n}`);
  return {
    seed,
    groups,
    items: Array.from({ length: random.between(2, 12) }, (_, n) => `i${n}`),
    clients: random.between(1, 4),
    httpClients: httpClientsOf(seed),
    workers: random.between(1, 2),
    lanes: random.between(1, 4),
    writes: random.between(30, 110),
    faults: random.between(4, 20),
    thinkMs: random.pick([3, 20, 80, 300]),
    faultMs: random.pick([20, 80, 250, 800]),
    guarded: random.chance(0.3),
    pad: big ? 40_000 : random.pick([0, 0, 40, 300]),
    probed: random.chance(0.1),
    reportMs: random.pick([0, 0, 1, 3]),
    retentionMs: random.pick([100, 5_000, 604_800_000]),
    bounds: boundsOf(seed),
    config: {
      ...defaultStream({ kind: 'memory' }),
      port: 0,
      // The simulated clients are faster than any client may be.
      maxFramesPerSecond: 0,
      maxJoinsPerSecond: 0,
      maxBytesPerSecond: 0,
      maxBufferedBytes: random.pick([200, 1_000, 4_000, 65_536]),
      logMaxChanges: random.pick([1, 3, 8, 40, 10_000]),
      logMaxAgeMs: random.pick([50, 1_000, 600_000]),
      logMaxBytes: random.pick([2_000, 20_000, 268_435_456]),
      drainSpreadMs: 0,
    },
  };
}

/** Returns the bounds of one world in five. They have random numbers of their own, so the other choices of a seed stay as they were. */
function boundsOf(seed: number): GroupBounds | undefined {
  const random = new Random(BOUNDS_SEED + seed);
  if (!random.chance(0.2)) return undefined;
  return {
    maxItems: random.pick([undefined, 1, 2, 5]),
    maxBytes: random.pick([undefined, 100, 1_000]),
    maxAgeMs: random.pick([undefined, undefined, 300, 3_000]),
    onFull: random.pick(['delete_oldest', 'delete_oldest', 'refuse']),
  };
}

/** Returns the number of readers by plain HTTP, which has a random number of its own too. */
function httpClientsOf(seed: number): number {
  const random = new Random(HTTP_SEED + seed);
  return random.chance(0.4) ? random.between(1, 3) : 0;
}

const HTTP_SEED = 2_000_000_011;
const BOUNDS_SEED = 1_000_000_007;
