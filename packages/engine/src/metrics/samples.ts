import type { FunctionFabric } from '../core/fabric/function-fabric.js';
import type { StreamSession } from '../stream/session/stream-session.js';
import type { StreamModule } from '../stream/stream-module.js';
import type { Clock } from '../structures/clock.js';
import type { LoopDelay } from './loop-delay.js';

/** Milliseconds between two samples. */
const SAMPLE_MS = 1_000;
/** Sessions whose unsent bytes are read for one sample. With more sessions, a sum takes several samples. */
const SESSIONS_AT_ONCE = 2_048;

/** Figures of one moment. The counts of the engine only grow; a sample has their growth in a second. */
export interface EngineSample {
  /** Unix milliseconds. */
  readonly at_ms: number;
  /** Flushes handed to live clients, once for each client, in a second. */
  readonly deliveries: number;
  /** Bytes of these flushes in a second. */
  readonly bytes: number;
  /** Changes of watched groups in a second. */
  readonly changes: number;
  /** Calls of functions in a second. */
  readonly calls: number;
  /** Stream clients that are connected. */
  readonly connections: number;
  /** Groups with a log in memory. */
  readonly groups: number;
  /** Subscriptions whose client does not have the newest change yet. */
  readonly lagging: number;
  /** Bytes that the sockets of stream clients have not taken. */
  readonly unsent_bytes: number;
  /** The longest delay of the event loop. */
  readonly loop_delay_ms: number;
  /** The share of one processor core that the process has used. */
  readonly cpu: number;
}

export type SampleColumns = { readonly [Figure in keyof EngineSample]: readonly number[] };

const FIGURES = [
  'at_ms',
  'deliveries',
  'bytes',
  'changes',
  'calls',
  'connections',
  'groups',
  'lagging',
  'unsent_bytes',
  'loop_delay_ms',
  'cpu',
] as const satisfies readonly (keyof EngineSample)[];

/** The parts of an engine that a sample reads. */
export interface SampledParts {
  readonly streams: StreamModule | undefined;
  readonly fabric: FunctionFabric;
  readonly loop: LoopDelay;
  readonly clock: Clock;
}

interface Counts {
  readonly monotonic: number;
  readonly deliveries: number;
  readonly bytes: number;
  readonly changes: number;
  readonly calls: number;
  readonly cpuMicroseconds: number;
}

/**
 * Keeps the figures of the last minutes, one sample a second, while the admin listener is open. A sample reads counts that the parts of
 * the engine keep. Only the unsent bytes need a look at each session, and `UnsentBytes` spreads it over samples.
 */
export class Samples {
  readonly #most: number;
  readonly #kept: EngineSample[] = [];
  readonly #unsent = new UnsentBytes();
  #before: Counts | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param most Number of samples that are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  start(parts: SampledParts): void {
    this.#before = countsOf(parts);
    this.#timer = setInterval(() => this.take(parts), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes a sample now. The timer calls it. */
  take(parts: SampledParts): void {
    const { streams, loop, clock } = parts;
    const counts = countsOf(parts);
    const before = this.#before ?? counts;
    this.#before = counts;
    const ms = Math.max(1, counts.monotonic - before.monotonic);
    const rate = (figure: 'deliveries' | 'bytes' | 'changes' | 'calls') => Math.round(((counts[figure] - before[figure]) * 1_000) / ms);
    const { hub } = streams ?? {};
    this.#kept.push({
      at_ms: clock.now(),
      deliveries: rate('deliveries'),
      bytes: rate('bytes'),
      changes: rate('changes'),
      calls: rate('calls'),
      connections: streams?.gateway.sessions.size ?? 0,
      groups: hub?.groupCount ?? 0,
      lagging: hub === undefined ? 0 : hub.byStream.sum('subscriptions') - hub.byStream.sum('live'),
      unsent_bytes: this.#unsent.read(streams?.gateway.sessions ?? NO_SESSIONS),
      loop_delay_ms: Math.round(loop.takeWorst() * 10) / 10,
      cpu: Math.round((counts.cpuMicroseconds - before.cpuMicroseconds) / ms) / 1_000,
    });
    if (this.#kept.length > this.#most) this.#kept.shift();
  }

  /** The newest sample; `undefined` before the first one. */
  get newest(): EngineSample | undefined {
    return this.#kept.at(-1);
  }

  /** Returns the samples after a time in Unix milliseconds, one column for each figure. */
  after(atMs: number): SampleColumns {
    const wanted = this.#kept.filter((sample) => sample.at_ms > atMs);
    return Object.fromEntries(FIGURES.map((figure) => [figure, wanted.map((sample) => sample[figure])])) as unknown as SampleColumns;
  }
}

const NO_SESSIONS: ReadonlySet<StreamSession> = new Set();

/** Sums the unsent bytes of all sessions, a part of them at a time. A session that comes or goes meanwhile is in the sum or not. */
class UnsentBytes {
  #walk: Iterator<StreamSession> | undefined;
  #sum = 0;
  #last = 0;

  /** Goes on with the sum. Returns the last sum that is whole. */
  read(sessions: ReadonlySet<StreamSession>): number {
    this.#walk ??= sessions.values();
    for (let left = SESSIONS_AT_ONCE; left > 0; left--) {
      const { done, value } = this.#walk.next();
      if (done === true) {
        this.#last = this.#sum;
        this.#sum = 0;
        this.#walk = undefined;
        break;
      }
      this.#sum += value.ownedBytes;
    }
    return this.#last;
  }
}

function countsOf({ streams, fabric, clock }: SampledParts): Counts {
  const sum = streams?.hub.byStream;
  const { user, system } = process.cpuUsage();
  return {
    monotonic: clock.monotonic(),
    deliveries: sum === undefined ? 0 : sum.sum('visited') - sum.sum('lagged'),
    bytes: sum?.sum('bytes') ?? 0,
    changes: sum?.sum('appended') ?? 0,
    calls: fabric.counts.engine + fabric.counts.worker,
    cpuMicroseconds: user + system,
  };
}
