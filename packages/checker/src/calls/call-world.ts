import {
  type CallLedger,
  type CallOutcome,
  createCallLedger,
  type LedgerCall,
  type OwnedLedger,
  silentLogger,
} from '@rivulet/engine/parts';
import { createMemoryStore, type StreamStore, type WritableStore } from '@rivulet/engine/stores';
import { RivuletError } from '@rivulet/protocol';
import { Random } from '@rivulet/testkit/random';
import type { NewOp, Op } from '../history/op.js';
import { Recorder } from '../history/recorder.js';
import { failRound } from '../simulation/fail-round.js';
import { VirtualTime } from '../simulation/virtual-time.js';
import { ShakyStore } from './shaky-store.js';

/** Replaceable components. A deliberate bug replaces one of them. */
export interface CallFaults {
  /** Wraps the store of one engine. */
  store(store: StreamStore, time: VirtualTime): StreamStore;
  /** Wraps the ledger of one engine. */
  ledger(ledger: CallLedger): CallLedger;
}

export const NO_CALL_FAULTS: CallFaults = { store: (store) => store, ledger: (ledger) => ledger };

/** The end of a call, as its client sees it. */
type Answer = CallOutcome | { readonly kind: 'unknown' | 'refused' };

interface Engine {
  readonly store: ShakyStore;
  readonly owned: OwnedLedger;
  readonly ledger: CallLedger;
  readonly onKill: (() => void)[];
}

const CLIENTS = 4;
const CALLS = 12;
/** Attempts after which a client gives up. */
const MOST_ATTEMPTS = 30;
const MOST_MS = 3_600_000;

/**
 * Runs ledgers of calls in a simulated world. Several engines share a store, die and come back. The store is slow and fails. Clients lose
 * their connections and repeat their calls. The seed decides about everything. The history has the calls of functions that may run once.
 */
export async function simulateCalls(seed: number, faults: CallFaults = NO_CALL_FAULTS): Promise<readonly Op[]> {
  const time = new VirtualTime();
  const restore = time.install();
  try {
    const world = new CallWorld(seed, faults, time);
    await world.run();
    return world.ops;
  } finally {
    restore();
  }
}

class CallWorld {
  readonly ops: Op[] = [];
  readonly #random: Random;
  readonly #time: VirtualTime;
  readonly #faults: CallFaults;
  readonly #recorder: Recorder;
  readonly #mood = { delayMs: 3, failing: 0 };
  readonly #engineCount: number;
  readonly #retentionMs: number;
  readonly #engines = new Set<Engine>();
  #disk: WritableStore;
  #executions = 0;
  #running = 0;

  constructor(seed: number, faults: CallFaults, time: VirtualTime) {
    this.#random = new Random(seed);
    this.#time = time;
    this.#faults = faults;
    this.#engineCount = this.#random.between(1, 3);
    this.#retentionMs = this.#random.pick([20_000, 600_000]);
    this.#recorder = new Recorder(
      () => time.monotonic() * 1_000,
      (op) => this.ops.push(op),
    );
    this.#disk = this.#newDisk();
  }

  async run(): Promise<void> {
    for (let n = 0; n < this.#engineCount; n++) this.#start();
    // Records must be older than a repeat for it to run.
    await this.#time.runUntil(this.#random.pick([0, 200_000]));
    for (let n = 0; n < CLIENTS; n++) {
      this.#running++;
      this.#client(`c${n}`).then(() => this.#running--, failRound);
    }
    this.#next();
    await this.#time.runUntil(MOST_MS, () => this.#running === 0);
    for (const engine of this.#engines) this.#kill(engine);
    await this.#disk.close();
  }

  #record(op: NewOp): void {
    this.#recorder.record(op);
  }

  #newDisk(): WritableStore {
    const disk = createMemoryStore({ clock: this.#time, tombstoneRetentionMs: 60_000 });
    disk.start({ onCommit() {}, onBreak() {} }).catch(failRound);
    return disk;
  }

  #start(): void {
    const store = new ShakyStore(this.#disk, { time: this.#time, random: this.#random, mood: this.#mood });
    const owned = createCallLedger({
      store: this.#faults.store(store, this.#time),
      retentionMs: this.#retentionMs,
      isShared: this.#engineCount > 1,
      clock: this.#time,
      logger: silentLogger,
    });
    this.#engines.add({ store, owned, ledger: this.#faults.ledger(owned), onKill: [] });
    owned.start().catch(failRound);
  }

  #kill(engine: Engine): void {
    this.#engines.delete(engine);
    engine.store.die();
    for (const lose of engine.onKill) lose();
  }

  // The faults.

  #next(): void {
    this.#time.after(this.#random.between(100, 6_000), () => {
      if (this.#running === 0) return;
      this.#fault();
      this.#next();
    });
  }

  #fault(): void {
    const random = this.#random;
    const draw = random.below(100);
    const [engine] = this.#engines;
    if (draw < 45 && engine !== undefined) this.#restart([engine]);
    else if (draw < 50) this.#wipe();
    else if (draw < 75) this.#change({ delayMs: random.pick([20, 400, 3_000]), failing: 0 });
    else this.#change({ delayMs: 3, failing: random.pick([0.2, 0.6]) });
  }

  #restart(engines: readonly Engine[]): void {
    this.#record({ p: 'nem', type: 'info', f: 'nemesis', verb: 'kill-engine' });
    for (const engine of engines) {
      this.#kill(engine);
      this.#time.after(this.#random.between(10, 9_000), () => this.#start());
    }
  }

  /** Removes all data, as the restart of a store in memory does. */
  #wipe(): void {
    this.#restart([...this.#engines]);
    this.#record({ p: 'nem', type: 'info', f: 'nemesis', verb: 'wipe-store' });
    this.#disk.close().catch(failRound);
    this.#disk = this.#newDisk();
  }

  #change(mood: { delayMs: number; failing: number }): void {
    Object.assign(this.#mood, mood);
    this.#time.after(this.#random.between(200, 4_000), () => Object.assign(this.#mood, { delayMs: 3, failing: 0 }));
  }

  // The clients.

  async #client(name: string): Promise<void> {
    for (let n = 0; n < CALLS; n++) {
      await this.#time.pause(this.#random.between(0, 4_000));
      const call = { identity: 'ann', functionId: 'app::move', key: `${name}.${n}`, idempotent: this.#random.chance(0.15) };
      if (!call.idempotent) this.#record({ p: name, type: 'invoke', f: 'call', call: call.key });
      const answer = await this.#callUntilAnswered(call);
      if (!call.idempotent) this.#record({ p: name, f: 'call', call: call.key, ...stageOf(answer) });
    }
  }

  async #callUntilAnswered(call: Omit<LedgerCall, 'repeatedAfterMs'>): Promise<Answer> {
    let sentAt: number | undefined;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const engine = this.#random.pick([...this.#engines, undefined]);
      if (engine !== undefined) {
        const repeatedAfterMs = sentAt === undefined ? undefined : Math.round(this.#time.monotonic() - sentAt);
        sentAt ??= this.#time.monotonic();
        const answer = await this.#send(engine, { ...call, repeatedAfterMs });
        if (answer !== undefined) return answer;
      }
      await this.#time.pause(this.#random.pick([5, 500, 3_000, 40_000]));
    }
    return { kind: 'unknown' };
  }

  /** Resolves with `undefined` when the connection is lost. */
  #send(engine: Engine, call: LedgerCall): Promise<Answer | undefined> {
    const random = this.#random;
    return new Promise((resolve) => {
      engine.onKill.push(() => resolve(undefined));
      if (random.chance(0.3)) this.#time.after(random.between(0, 4_000), () => resolve(undefined));
      if (random.chance(0.05)) {
        this.#time.after(1_000, () => resolve(undefined));
        return;
      }
      this.#time.after(random.pick([0, 20, 20, 3_000]), () => {
        if (!this.#engines.has(engine)) return;
        this.#handle(engine, call).then((answer) => this.#time.after(random.between(0, 30), () => resolve(answer)), failRound);
      });
    });
  }

  /** Calls the function as an engine does. Never resolves when the engine dies meanwhile. */
  async #handle(engine: Engine, call: LedgerCall): Promise<Answer> {
    const random = this.#random;
    try {
      if (random.chance(0.2)) {
        // The worker is away, so the engine looks whether the call has an outcome already.
        const found = await engine.ledger.findOutcome(call);
        await this.#live(engine);
        if (found !== undefined) return found;
        await this.#time.pause(random.between(0, 5_000));
        await this.#live(engine);
      }
      const entry = await engine.ledger.begin(call);
      await this.#live(engine);
      if (entry.kind === 'done') return entry.outcome;
      if (entry.kind === 'unknown') return entry;
      if (random.chance(0.1)) {
        await entry.run.release();
        return { kind: 'refused' };
      }
      const v = `v${++this.#executions}`;
      if (!call.idempotent) this.#record({ p: 'worker', type: 'ok', f: 'exec', call: call.key, v });
      await this.#time.pause(random.between(0, random.pick([5, 400, 9_000])));
      await this.#live(engine);
      const outcome: CallOutcome = random.chance(0.2)
        ? { kind: 'error', error: { code: v, message: 'as the seed asks' } }
        : { kind: 'result', text: JSON.stringify(v) };
      entry.run.finish(outcome).catch(failRound);
      return outcome;
    } catch (error) {
      if (!(error instanceof RivuletError)) throw error;
      return { kind: 'refused' };
    }
  }

  /** Never resolves when the engine is dead. */
  async #live(engine: Engine): Promise<void> {
    if (!this.#engines.has(engine)) await new Promise(() => {});
  }
}

function stageOf(answer: Answer): { readonly type: 'ok' | 'info' | 'fail'; readonly v?: string } {
  if (answer.kind === 'result') return { type: 'ok', v: JSON.parse(answer.text ?? '""') as string };
  if (answer.kind === 'error') return { type: 'ok', v: answer.error.code };
  return { type: answer.kind === 'unknown' ? 'info' : 'fail' };
}
