import { ChaosProxy } from '@rivulet/testkit/links/chaos-proxy';
import { Random } from '@rivulet/testkit/random';
import { RedisCluster } from '@rivulet/testkit/redis/redis-cluster';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import type { NemesisVerb, NewOp, Op } from '../history/op.js';
import { Recorder } from '../history/recorder.js';
import { INVARIANTS } from '../invariants/all.js';
import { Check, type Invariant, type Violation } from '../invariants/invariant.js';
import { Bell } from './bell.js';
import { EngineProcess } from './engine-process.js';
import { scanStore } from './final-scan.js';
import { LiveReaders } from './live-readers.js';
import { LiveWriters, MARK } from './live-writers.js';
import { disturb } from './nemesis.js';
import { disturbCluster, disturbRedis, isolateFromRedis, REDIS_OPTIONS, REDIS_PREFIX } from './redis-nemesis.js';
import { StallWatch } from './stall-watch.js';

export interface RoundOptions {
  readonly seed: number;
  /** Number of faults. They follow each other with pauses of 50 to 400 ms. */
  readonly cycles: number;
  readonly readers: number;
  readonly groups: number;
  readonly items: number;
  readonly workers: number;
  readonly lanes: number;
  readonly thinkMs: number;
  /**
   * Number of seen changes after which the round ends.
   * @default the round ends after `cycles` faults
   */
  readonly deliveries?: number;
  /**
   * Mean time in milliseconds until a reader is dropped.
   * @default only faults drop readers
   */
  readonly dropMs?: number;
  /**
   * Makes no faults except dropped readers.
   * @default false
   */
  readonly calm?: boolean;
  readonly invariants?: readonly Invariant[];
  /**
   * Number of engines over one Redis, which gets faults of its own.
   * @default one engine with a directory
   */
  readonly engines?: number;
  /**
   * Uses a Redis Cluster of three primaries, each with a replica for failover.
   * @default false
   */
  readonly cluster?: boolean | undefined;
  /** A checkout with another build. Every second engine runs it. */
  readonly beside?: string | undefined;
  /** Receives every operation, for instance to store the history. */
  readonly onOp?: (op: Op) => void;
}

export interface Round {
  readonly seed: number;
  readonly ops: number;
  readonly deliveries: number;
  /** Number of acknowledged writes. */
  readonly acknowledged: number;
  /** Number of faults. */
  readonly cycles: number;
  readonly milliseconds: number;
  readonly violations: readonly Violation[];
}

const QUIET_MS = 20_000;

/** Runs a round on real engines: faults during writes and reads, then quiet, then a comparison of the store with every subscription. */
export async function runRound(options: RoundOptions): Promise<Round> {
  const round = new LiveRound(options);
  try {
    return await round.run();
  } finally {
    await round.close();
  }
}

/** An engine and the proxy between it and its stream clients. */
interface Node {
  readonly engine: EngineProcess;
  readonly proxy: ChaosProxy;
  /** Proxy between the engine and the Redis, if it uses one. */
  readonly store: ChaosProxy | undefined;
}

/** Share of the faults that hit the Redis or the connection of an engine to it. */
const REDIS_SHARE = 0.3;
const CUT_SHARE = 0.15;
/** Longest time without a turn of this process, in milliseconds, that does not count as a stall. */
const MOST_STALL_MS = 1_000;
const SETTINGS = ['log_max_changes: 400', 'max_buffered_bytes: 65536'];

class LiveRound {
  readonly #options: RoundOptions;
  readonly #random: Random;
  readonly #bell = new Bell();
  readonly #check: Check;
  readonly #recorder: Recorder;
  readonly #groups: readonly string[];
  readonly #begun = performance.now();
  readonly #stalls = new StallWatch(MOST_STALL_MS, (ms) => this.#nemesis('stalled', 'checker', `${Math.round(ms)} ms`));
  #redis: RedisServer | undefined;
  #cluster: RedisCluster | undefined;
  readonly #nodes: Node[] = [];
  #writers: LiveWriters | undefined;
  #readers: LiveReaders | undefined;
  #acknowledged = 0;
  #cycles = 0;

  constructor(options: RoundOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#check = new Check(options.invariants ?? INVARIANTS);
    this.#recorder = Recorder.monotonic((op) => {
      if (op.type === 'ok' && (op.f === 'set' || op.f === 'update' || op.f === 'delete' || op.f === 'send')) this.#acknowledged++;
      options.onOp?.(op);
      this.#check.see(op);
    });
    this.#groups = Array.from({ length: options.groups }, (_, n) => `live/g${n}`);
  }

  readonly #record = (op: NewOp): void => {
    this.#stalls.check();
    this.#recorder.record(op);
  };

  readonly #nemesis = (verb: NemesisVerb, on: string, how: string): void => {
    this.#record({ p: 'nem', type: 'info', f: 'nemesis', verb, ...(on === '' ? {} : { on }), ...(how === '' ? {} : { with: how }) });
  };

  async run(): Promise<Round> {
    const { cycles, readers, items, workers, lanes, thinkMs, deliveries } = this.#options;
    const random = this.#random;
    const nodes = await this.#startNodes();
    const shared = { groups: this.#groups, items, bell: this.#bell, record: this.#record };
    this.#readers = new LiveReaders({
      ...shared,
      url: () => `ws://127.0.0.1:${nodes().proxy.port}`,
      count: readers,
      random: random.fork(),
    });
    const url = () => `ws://127.0.0.1:${nodes().engine.ports.worker}`;
    // A Redis that does not answer in time may have applied the write.
    const vague = this.#options.engines === undefined ? [] : ['STORE_UNAVAILABLE'];
    this.#writers = new LiveWriters({ ...shared, url, vague, workers, lanes, thinkMs, random: random.fork() });
    const shown = () => this.#readers?.shown ?? 0;
    while (deliveries === undefined ? this.#cycles < cycles : shown() < deliveries) {
      this.#cycles++;
      if (this.#options.dropMs !== undefined) this.#drop(this.#options.dropMs);
      if (this.#options.calm !== true) await this.#disturb();
      await this.#pause(random.between(50, 400));
      await this.#sample();
    }
    await this.#settle();
    return {
      seed: this.#options.seed,
      ops: this.#recorder.count,
      deliveries: shown(),
      acknowledged: this.#acknowledged,
      cycles: this.#cycles,
      milliseconds: performance.now() - this.#begun,
      violations: this.#check.end(),
    };
  }

  async close(): Promise<void> {
    this.#stalls.close();
    this.#writers?.close();
    this.#readers?.close();
    for (const { engine, proxy, store } of this.#nodes) {
      await proxy.close();
      await engine.remove();
      await store?.close();
    }
    await this.#redis?.dispose();
    await this.#cluster?.dispose();
  }

  /** Starts the engines. Returns a function that chooses one at each call, so that a client may reconnect to another engine. */
  async #startNodes(): Promise<() => Node> {
    const random = this.#random;
    const { engines, beside, cluster } = this.#options;
    if (engines !== undefined && cluster === true) this.#cluster = await RedisCluster.start(3, 3);
    else if (engines !== undefined) this.#redis = await RedisServer.start(REDIS_OPTIONS);
    for (let n = 0; n < (engines ?? 1); n++) {
      const store = this.#redis && (await ChaosProxy.to({ host: '127.0.0.1', port: this.#redis.port }, random.fork(), this.#nemesis));
      const adapter = this.#adapterAt(store);
      const engine = await EngineProcess.create(SETTINGS, adapter, n % 2 === 1 ? beside : undefined);
      const proxy = await ChaosProxy.to({ host: '127.0.0.1', port: engine.ports.stream }, random.fork(), this.#nemesis);
      this.#nodes.push({ engine, proxy, store });
    }
    const choices = random.fork();
    return () => (this.#nodes.length === 1 ? this.#nodes[0] : choices.pick(this.#nodes)) as Node;
  }

  #adapterAt(way: ChaosProxy | undefined): string | undefined {
    const prefix = `key_prefix: ${REDIS_PREFIX}`;
    if (this.#cluster !== undefined)
      return `{ name: redis, config: { mode: cluster, nodes: ${JSON.stringify(this.#cluster.nodes)}, ${prefix} } }`;
    return way && `{ name: redis, config: { redis_url: "redis://127.0.0.1:${way.port}", ${prefix} } }`;
  }

  /**
   * Records the memory of each engine process, and the descriptors of all engines together, because chance distributes the clients. A
   * restarted process counts as another one, because its memory begins anew.
   */
  async #sample(): Promise<void> {
    let all = 0;
    await Promise.all(
      this.#nodes.map(async ({ engine }, n) => {
        const p = `engine-${n}.${engine.pid}`;
        const { descriptors = 0, ...memory } = await engine.sample();
        all += descriptors;
        this.#record({ p, type: 'ok', f: 'sample', values: memory });
      }),
    );
    this.#record({ p: 'engine', type: 'ok', f: 'sample', values: { descriptors: all } });
  }

  async #disturb(): Promise<void> {
    const random = this.#random;
    if (this.#cluster !== undefined && random.chance(REDIS_SHARE)) return disturbCluster(this.#cluster, random, this.#nemesis);
    if (this.#redis !== undefined && random.chance(REDIS_SHARE)) return disturbRedis(this.#redis, random, this.#nemesis);
    const [first] = this.#nodes;
    const node = this.#nodes.length > 1 ? random.pick(this.#nodes) : first;
    if (node?.store !== undefined && random.chance(CUT_SHARE)) return isolateFromRedis(node.store, random);
    if (node !== undefined) await disturb({ random, ...node, nemesis: this.#nemesis });
  }

  /** Ends the faults, then the writes, then compares all states. */
  async #settle(): Promise<void> {
    const [writers, readers] = [this.#writers, this.#readers];
    if (writers === undefined || readers === undefined) return;
    for (const { proxy, store } of this.#nodes) for (const each of [proxy, store]) each?.heal();
    writers.rest();
    await this.#bell.until(() => writers.idle && writers.clients.some(({ online }) => online) && readers.whole, QUIET_MS);
    writers.mark();
    await this.#bell.until(() => writers.idle, QUIET_MS);
    await this.#bell.until(() => readers.whole && readers.clients.every((client) => client.holds(MARK, writers.marks)), QUIET_MS);
    this.#nemesis('quiet', '', '');
    readers.recordStates();
    for (const { engine } of this.#nodes) await engine.stop();
    const cluster = this.#cluster && `cluster:${this.#cluster.nodes.join()}`;
    const store = cluster ?? this.#redis?.url ?? this.#nodes[0]?.engine.dataDirectory ?? '';
    for (const final of await scanStore(store, this.#groups)) {
      const { i: _i, t: _t, ...op } = final;
      this.#record(op);
    }
  }

  /** Drops readers at random, with this mean interval. */
  #drop(meanMs: number): void {
    const { readers } = this.#options;
    const expected = (readers * 225) / meanMs;
    for (let n = 0; n < readers; n++) {
      if (!this.#random.chance(expected / readers)) continue;
      this.#nemesis('reset', `c${n}`, '');
      this.#readers?.drop(n);
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}
