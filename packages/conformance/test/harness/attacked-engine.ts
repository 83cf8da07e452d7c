import { deepEqual, doesNotMatch, ok } from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { EngineProcess, type EngineProcessOptions } from '@rivulet/testkit/engines/engine-process';
import { LoopSlices } from '@rivulet/testkit/measures/loop-slices';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { onTestFinished } from 'vitest';

const ROOM = { stream_name: 'innocent', group_id: 'room' };
/** Longest run of the main thread that one peer may cause, in milliseconds of processor time. */
export const MOST_SLICE_MS = 50;
const MOST_RUNS = 5;
/** With at least two runs, a test shows that its attack can be repeated. */
const LEAST_RUNS = Number(process.env['RIVULET_ATTACK_RUNS'] ?? 1);
/** Pause of the innocent worker between two short series of writes, so that it does not keep a processor busy. */
const PAUSE_MS = 5;
const HEAP_MIB = 512;
const MIB = 1_048_576;
/** Functions that end what the running test has opened, in the order of the openings. */
const ends: (() => unknown)[] = [];

/** Returns a configuration with every listener: trusted workers, guests, streams and HTTP. */
const listeners: NonNullable<EngineProcessOptions['config']> = ({ worker, guest, stream, http }) => `
workers:
  - name: iii-worker-manager
    config: { host: 127.0.0.1, port: ${worker} }
  - name: iii-worker-manager
    config:
      host: 127.0.0.1
      port: ${guest}
      rbac:
        expose_functions: [match("stream::*"), match("state::*"), match("engine::log::*"), match("engine::channels::*")]
  - name: iii-stream
    config:
      host: 127.0.0.1
      port: ${stream}
      adapter: { name: kv, config: { store_method: file_based, file_path: ./data } }
  - name: iii-state
    config: { adapter: { name: kv, config: { store_method: file_based, file_path: ./state } } }
  - name: iii-http
    config: { host: 127.0.0.1, port: ${http} }
`;

export interface AttackResult {
  /** Longest run of the main thread without a turn of the event loop, in milliseconds of processor time. */
  readonly longestMs: number;
  /** Growth of the memory in use after a garbage collection while the attackers are still connected, in MiB. */
  readonly grownMib: number;
}

/** An engine process with a small heap. Beside the attack, an innocent worker writes and an innocent client watches. */
export class AttackedEngine {
  readonly engine: EngineProcess;
  /** A worker for the preparations of a test. It is not the innocent worker. */
  readonly worker: RawWorker;
  readonly #innocent: RawWorker;
  readonly #slices: LoopSlices;
  readonly #watcher: StreamSocket;
  #written = 0;

  private constructor(engine: EngineProcess, slices: LoopSlices, worker: RawWorker, innocent: RawWorker, watcher: StreamSocket) {
    this.engine = engine;
    this.worker = worker;
    this.#innocent = innocent;
    this.#slices = slices;
    this.#watcher = watcher;
  }

  static async start(): Promise<AttackedEngine> {
    const slices = new LoopSlices();
    const NODE_OPTIONS = `${slices.env.NODE_OPTIONS} --max-old-space-size=${HEAP_MIB} --expose-gc`;
    const engine = await EngineProcess.start({ config: listeners, env: { ...slices.env, NODE_OPTIONS } });
    const worker = await RawWorker.connect(engine.workerUrl);
    const innocent = await RawWorker.connect(engine.workerUrl);
    const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/innocent/room`);
    await watcher.take('sync');
    const attacked = new AttackedEngine(engine, slices, worker, innocent, watcher);
    await attacked.#useBriefly();
    return attacked;
  }

  /**
   * Runs an attack while the innocent worker writes and the innocent client watches. Fails when the engine ends, a write fails, the client
   * misses a write, or the main thread runs too long.
   * Other processes on the same core make a turn more expensive, so an attack above the bound is repeated a few times, and the best run
   * counts. The memory is that of the first run. Each run is the whole attack: it opens its own connections, and the next run begins
   * when they are closed. `RIVULET_ATTACK_RUNS` is the least number of runs.
   */
  async survives(attack: () => Promise<unknown>, mostSliceMs = MOST_SLICE_MS): Promise<AttackResult> {
    const result = await this.measure(attack, mostSliceMs);
    ok(result.longestMs <= mostSliceMs, `the main thread worked for ${result.longestMs} ms in one go`);
    return result;
  }

  /** Runs an attack as `survives` does, but a main thread that runs too long is only reported. */
  async measure(attack: () => Promise<unknown>, mostSliceMs = MOST_SLICE_MS): Promise<AttackResult> {
    const first = await this.#attacked(attack);
    let { longestMs } = first;
    for (let runs = 1; runs < LEAST_RUNS || (runs < MOST_RUNS && longestMs > mostSliceMs); runs++)
      longestMs = Math.min(longestMs, (await this.#attacked(attack)).longestMs);
    return { longestMs, grownMib: first.grownMib };
  }

  async #attacked(attack: () => Promise<unknown>): Promise<AttackResult> {
    const before = await this.#slices.take(this.engine.pid);
    const openBefore = ends.length;
    let over = false;
    const useUntilOver = async () => {
      while (!over) {
        await this.#useBriefly();
        await setTimeout(PAUSE_MS);
      }
    };
    // The first rejection fails the test. `Promise.all` handles a second one, which would count as an error outside of the test.
    await Promise.all([
      attack().finally(() => {
        over = true;
      }),
      useUntilOver(),
    ]);
    await this.#useBriefly();
    ok(this.engine.running, `the engine has ended: ${this.engine.log.slice(-2_000)}`);
    doesNotMatch(this.engine.log, /unhandled_rejection|uncaught_exception/);
    const { longestMs, heldBytes } = await this.#slices.take(this.engine.pid);
    const result = { longestMs, grownMib: (heldBytes - before.heldBytes) / MIB };
    process.stdout.write(`longest run ${longestMs.toFixed(1)} ms, memory grown by ${result.grownMib.toFixed(1)} MiB\n`);
    for (const end of ends.splice(openBefore)) await end();
    await this.#useBriefly();
    return result;
  }

  /** Writes some items, and waits until the client has seen each of them in order. */
  async #useBriefly(): Promise<void> {
    const from = this.#written;
    for (let n = 0; n < 10; n++) {
      await this.#innocent.result('stream::set', { ...ROOM, item_id: 'm', data: { n: this.#written } });
      this.#written++;
    }
    const last = this.#written - 1;
    const numberOf = (data: unknown) => (data as { readonly n: number }).n;
    await this.#watcher.inbox.take(({ event }) => event?.type !== 'sync' && numberOf(event?.data) === last, `change ${last}`);
    const seen = this.#watcher.inbox.all.filter(({ event }) => event?.type !== 'sync').map(({ event }) => numberOf(event.data));
    deepEqual(
      seen,
      Array.from({ length: this.#written - from }, (_, n) => from + n),
    );
    this.#watcher.inbox.clear();
    this.#innocent.inbox.clear();
  }
}

/** Calls `one` for each number below `count`, with at most `width` calls at a time. */
export async function crowd<T>(count: number, width: number, one: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count) results.push(await one(next++));
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
  return results;
}

/** Calls `end` when the test ends. If an attack calls this, `end` is called after that run of the attack. */
export function later(end: () => unknown): void {
  if (ends.length === 0)
    onTestFinished(async () => {
      for (const each of ends.splice(0)) await each();
    });
  ends.push(end);
}
