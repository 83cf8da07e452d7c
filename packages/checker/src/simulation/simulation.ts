import { Random } from '@rivulet/testkit/random';
import type { NemesisVerb, NewOp, Op } from '../history/op.js';
import { Recorder } from '../history/recorder.js';
import { type Faults, NO_FAULTS } from './faults.js';
import { type Plan, planOf } from './plan.js';
import { SimHttpReader } from './readers/sim-http-reader.js';
import type { SimReader } from './readers/sim-reader.js';
import { SimSocketReader } from './readers/sim-socket-reader.js';
import { type LinkQuality, type Peer, SimConnection } from './sim-connection.js';
import { SimDisk } from './sim-disk.js';
import { SimEngine } from './sim-engine.js';
import type { SimStore, StoreMood } from './sim-store.js';
import { SimWorker } from './sim-worker.js';
import type { SimWorld } from './sim-world.js';
import { VirtualTime } from './virtual-time.js';

export interface Run {
  readonly seed: number;
  readonly ops: readonly Op[];
  /** Number of changes that applications have seen. */
  readonly deliveries: number;
  /** Virtual time of the run, in milliseconds. */
  readonly virtualMs: number;
}

const QUIET_MS = 30_000;
const LAST_WRITES = 6;

/**
 * Runs the core of the engine in a simulated world. The seed decides about sockets, clock, disk, clients and faults. The same seed gives
 * the same history, byte for byte. A thread runs one simulation at a time, because virtual time is global.
 */
export async function simulate(seed: number, faults: Faults = NO_FAULTS): Promise<Run> {
  const time = new VirtualTime();
  // Virtual time comes first, because every timer must belong to it.
  const restoreTime = time.install();
  const restoreParts = faults.install();
  try {
    const simulation = new Simulation(planOf(seed), faults, time);
    await simulation.run();
    return { seed, ops: simulation.ops, deliveries: simulation.deliveries, virtualMs: time.monotonic() };
  } finally {
    restoreParts();
    restoreTime();
  }
}

class Simulation implements SimWorld {
  readonly plan: Plan;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly ops: Op[] = [];
  readonly mood: StoreMood;
  readonly readers: SimReader[] = [];
  readonly workers: SimWorker[] = [];
  readonly rights: Set<string> | undefined;
  readonly #faults: Faults;
  readonly #recorder: Recorder;
  readonly #disk: SimDisk;
  #store: SimStore;
  #engine: SimEngine | undefined;
  #written = 0;
  #made = 0;
  /** Virtual time until which no write begins. */
  #pausedUntil = 0;
  #writing = true;
  #faulty = true;

  constructor(plan: Plan, faults: Faults, time: VirtualTime) {
    this.plan = plan;
    this.time = time;
    this.random = new Random(plan.seed ^ 0x5eed);
    this.#faults = faults;
    this.#recorder = new Recorder(
      () => this.time.monotonic() * 1_000,
      (op) => this.ops.push(op),
    );
    this.#disk = new SimDisk(this.time, plan.retentionMs, () => plan.bounds);
    this.mood = { commitMs: 4, failing: 0, readMs: this.random.pick([0, 1, 6]), reportMs: plan.reportMs };
    this.rights = plan.guarded ? new Set() : undefined;
    this.#store = this.#newStore();
  }

  get deliveries(): number {
    return this.readers.reduce((sum, { client }) => sum + client.shown, 0);
  }

  /** Records an operation under the disk's name of its epoch, so that no random id is in a history. */
  readonly record = (op: NewOp): void => {
    if ('e' in op && op.e !== undefined && !/^e\d+$/.test(op.e)) this.#recorder.record({ ...op, e: this.#disk.epochName(op.e) });
    else this.#recorder.record(op);
  };

  async run(): Promise<void> {
    this.#start();
    this.#populate();
    await this.time.runUntil(600_000, () => this.#written >= this.plan.writes && this.#made >= this.plan.faults);
    this.#faulty = false;
    this.#heal();
    const goal = this.#written + LAST_WRITES;
    await this.time.runUntil(this.time.monotonic() + QUIET_MS, () => this.#written >= goal);
    this.#writing = false;
    await this.time.runUntil(this.time.monotonic() + 7_000);
    const until = this.time.monotonic() + QUIET_MS;
    await this.time.runUntil(
      until,
      () => this.workers.every(({ client }) => client.idle) && this.readers.every(({ client }) => client.online && client.whole),
    );
    await this.time.runUntil(this.time.monotonic() + 2_000);
    this.nemesis('quiet');
    for (const { client } of this.readers) client.recordStates();
    await this.#scanAll();
    if (this.plan.probed) {
      await this.#probe();
      // Time has passed, so the store may have removed groups meanwhile. Then a group that is absent begins at a later offset.
      await this.#scanAll();
    }
    for (const reader of this.readers) reader.retire();
    await this.time.runUntil(this.time.monotonic() + 5_000);
    this.#engine?.kill();
  }

  // The faults.

  nemesis(verb: NemesisVerb, on?: string, how?: string): void {
    this.record({
      p: 'nem',
      type: 'info',
      f: 'nemesis',
      verb,
      ...(on === undefined ? {} : { on }),
      ...(how === undefined ? {} : { with: how }),
    });
  }

  kill(downMs: number, wiped: boolean): void {
    if (this.#engine === undefined) return;
    this.nemesis('kill-engine');
    this.#engine.kill();
    this.#engine = undefined;
    if (wiped) {
      this.nemesis('wipe-store');
      this.#disk.wipe();
    } else this.#disk.skipOffsets(this.random.between(0, 3));
    this.time.after(downMs, () => this.#start());
  }

  /** Lets virtual time pass with few writes. */
  idle(milliseconds: number): void {
    const { random, time } = this;
    this.nemesis('time-passes', undefined, `${milliseconds} ms`);
    // Some readers are disconnected before the last writes, and miss them.
    const away = milliseconds + random.between(500, 1_000);
    for (const reader of this.readers) if (random.chance(0.5)) reader.stayAway(away);
    time.after(random.between(0, 400), () => {
      if (this.#faulty) this.#pausedUntil = time.monotonic() + milliseconds;
    });
  }

  quality(): LinkQuality {
    const { random } = this;
    if (!this.#faulty) return { latencyMs: 2, chunkBytes: 200_000, windowBytes: 200_000, stalled: false };
    return {
      latencyMs: random.pick([0, 1, 5, 40]),
      chunkBytes: random.pick([7, 100, 1_000, 100_000]) + this.plan.pad,
      windowBytes: random.pick([0, 300, 3_000, 200_000]),
      stalled: false,
    };
  }

  /** Opens a connection of a stream client. Returns undefined while no engine runs. */
  dialStream(reader: Peer & { readonly client: { readonly who: string } }): SimConnection | undefined {
    if (this.#engine === undefined) return undefined;
    const connection = new SimConnection(this.time, this.random, reader, this.quality());
    this.#engine.acceptStream(connection, reader.client.who);
    return connection;
  }

  dialHttp(reader: Peer): SimConnection | undefined {
    if (this.#engine === undefined) return undefined;
    const connection = new SimConnection(this.time, this.random, reader, this.quality());
    this.#engine.acceptHttp(connection);
    return connection;
  }

  disconnect(who: string): void {
    this.#engine?.disconnect(who);
  }

  get faulty(): boolean {
    return this.#faulty;
  }

  #newStore(): SimStore {
    const { time, random, mood } = this;
    return this.#faults.simStore({ time, random, disk: this.#disk, mood, record: this.record });
  }

  #start(): void {
    this.nemesis('start-engine');
    this.#store = this.#newStore();
    const { time, random, plan, rights, record } = this;
    this.#engine = new SimEngine({ time, random, store: this.#store, config: plan.config, rights, faults: this.#faults, record });
    for (const worker of this.workers) worker.dial();
  }

  #populate(): void {
    const { plan, random } = this;
    for (let n = 0; n < plan.clients; n++) {
      const who = `u${n}`;
      for (const g of plan.groups) if (this.rights !== undefined) this.right(who, g, random.chance(0.6));
      this.readers.push(new SimSocketReader(this, `c${n}`, who));
    }
    for (let n = 0; n < plan.httpClients; n++) {
      const who = `v${n}`;
      for (const g of plan.groups) if (this.rights !== undefined) this.right(who, g, random.chance(0.8));
      this.readers.push(new SimHttpReader(this, `h${n}`, who));
    }
    for (let n = 0; n < plan.workers; n++) {
      const worker = new SimWorker(`w${n}`, this);
      if (n === 0) worker.client.serve((call, answer) => this.time.after(random.between(0, 20), () => answer(`r.${call}`)));
      this.workers.push(worker);
      worker.dial();
      for (let lane = 0; lane < plan.lanes; lane++) this.#work(worker, `l${lane}`);
    }
    this.#next();
  }

  right(who: string, g: string, granted: boolean): void {
    if (this.rights === undefined) return;
    this.record({ p: 'authz', type: 'info', f: granted ? 'grant' : 'revoke', who, g });
    if (granted) this.rights.add(`${who}|${g}`);
    else this.rights.delete(`${who}|${g}`);
  }

  /** Opens a connection of a worker. Returns undefined while no engine runs. */
  dialWorker(worker: Peer): SimConnection | undefined {
    if (this.#engine === undefined) return undefined;
    const quality = { latencyMs: this.random.pick([0, 1, 3]), chunkBytes: 100_000, windowBytes: 1_000_000, stalled: false };
    const connection = new SimConnection(this.time, this.random, worker, quality);
    this.#engine.acceptWorker(connection);
    return connection;
  }

  #work(worker: SimWorker, lane: string): void {
    const { plan, random, time } = this;
    const paused = Math.max(0, this.#pausedUntil - time.monotonic());
    time.after(paused + random.between(1, plan.thinkMs), () => {
      if (!this.#writing) return;
      if (time.monotonic() >= this.#pausedUntil) this.#act(worker, lane);
      this.#work(worker, lane);
    });
  }

  #act({ client: worker }: SimWorker, lane: string): void {
    const { plan, random } = this;
    const g = plan.groups[random.zipf(plan.groups.length)] as string;
    const k = plan.items[random.zipf(plan.items.length)] as string;
    const pad = plan.pad === 0 ? 0 : random.between(0, plan.pad);
    const draw = random.below(100);
    worker.retry();
    if (draw < 8) worker.read(lane, g, k);
    else if (draw < 13) worker.call(lane);
    else {
      if (worker.online) this.#written++;
      if (draw < 20)
        worker.batch(lane, g, new Map(Array.from({ length: random.between(2, 4) }, () => [random.pick(plan.items), random.chance(0.8)])));
      else if (draw < 55) worker.write(lane, 'set', g, k, pad);
      else if (draw < 70) worker.write(lane, 'update', g, k, pad);
      else if (draw < 85) worker.write(lane, 'delete', g, k, 0);
      else worker.write(lane, 'send', g, random.chance(0.5) ? k : undefined, 0);
    }
  }

  /** Makes the next fault, and schedules another one until the faults end. While few writes are made, faults are rare. */
  #next(): void {
    const { plan, random, time } = this;
    const paused = Math.max(0, this.#pausedUntil - time.monotonic());
    if (paused > 0 && random.chance(0.7)) time.after(random.below(paused), () => this.#faulty && random.pick(this.readers).disturb());
    time.after(paused + random.between(1, plan.faultMs), () => {
      if (!this.#faulty) return;
      this.#made++;
      this.#fault();
      this.#next();
    });
  }

  #fault(): void {
    const { random } = this;
    const draw = random.below(100);
    const reader = random.pick(this.readers);
    if (draw < 52) reader.disturb();
    else if (draw < 60) this.kill(random.between(1, 300), random.chance(0.15));
    else if (draw < 67) this.#commits('commit-slow', random.between(50, 400), 0);
    else if (draw < 74) this.#commits('commit-fails', 4, 0.4);
    else if (draw < 79) this.#commits('commit-well', 4, 0);
    else if (draw < 83) random.pick(this.workers).leave(random.between(0, 300));
    else if (draw < 86) this.idle(random.between(61_000, 140_000));
    else if (draw < 91) this.#makeStoreUnavailable(random.between(50, 3_000));
    else if (this.rights !== undefined) {
      const granted = random.chance(0.5);
      this.right(reader.client.who, random.pick(this.plan.groups), granted);
      // A reader that loses a permission is evicted, as by an operator. It joins again what it may still read.
      if (!granted) reader.evict();
    }
  }

  /** Makes the store unavailable to the engine for this time. */
  #makeStoreUnavailable(milliseconds: number): void {
    const store = this.#store;
    this.nemesis('cut-off', 'store', `${milliseconds} ms`);
    store.becomeUnavailable();
    this.time.after(milliseconds, () => store.becomeAvailable());
  }

  #commits(verb: NemesisVerb, commitMs: number, failing: number): void {
    this.nemesis(verb);
    this.mood.commitMs = commitMs;
    this.mood.failing = failing;
  }

  #heal(): void {
    this.mood.commitMs = 4;
    this.mood.failing = 0;
    this.#store.becomeAvailable();
    for (const reader of this.readers) reader.heal();
    this.nemesis('heal');
  }

  async #scan(g: string) {
    const [stream = '', group = ''] = g.split('/');
    return this.#disk.scan({ stream, group });
  }

  /** Records the state of each group in the store. */
  async #scanAll(): Promise<void> {
    for (const g of this.plan.groups) this.record({ p: 'disk', type: 'ok', f: 'final', g, ...(await this.#scan(g)) });
  }

  /** Opens and ends connections, and checks that the engine keeps nothing for them. */
  async #probe(): Promise<void> {
    for (let round = 0; round < 6; round++) {
      for (const reader of this.readers) reader.evict();
      await this.time.runUntil(this.time.monotonic() + 3_000);
      this.record({ p: 'engine', type: 'ok', f: 'sample', values: { ...this.#engine?.figures, timers: this.time.pending } });
    }
  }
}
