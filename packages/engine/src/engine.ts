import type { Config, StoreConfig, StreamConfig } from './config/config.js';
import { EngineEvents } from './core/engine-events.js';
import { registerEngineFunctions } from './core/engine-functions.js';
import { FunctionFabric } from './core/function-fabric.js';
import { Introspection } from './core/introspection.js';
import { WorkerGateway } from './core/worker-gateway.js';
import { WorkerRegistry } from './core/worker-registry.js';
import { type Logger, silentLogger } from './logging/logger.js';
import type { StreamStore } from './stream/store.js';
import { createLmdbStore } from './stream/store-lmdb.js';
import { createMemoryStore } from './stream/store-memory.js';
import { StreamModule } from './stream/stream-module.js';
import { type Clock, systemClock } from './structures/clock.js';

export interface EngineOptions {
  /** Default: says nothing. */
  readonly logger?: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
}

export interface BoundListener {
  readonly name: 'worker' | 'stream';
  readonly host: string;
  /** The real port, also where the configuration says 0. */
  readonly port: number;
}

/** Figures for tests, benchmarks and operators; counters only grow. */
export interface EngineFigures {
  readonly sessions: number;
  readonly groups: number;
  readonly logBytes: number;
  /** Subscriptions that flushes looked at. */
  readonly visited: number;
  readonly flushes: number;
  readonly appended: number;
  /** Cursors that fell out of the log and were answered with a `sync`. */
  readonly resynced: number;
  /** The most bytes that one stream session owns now. */
  readonly largestSessionBytes: number;
}

export interface RunningEngine {
  readonly listeners: readonly BoundListener[];
  /** Ends in order: no new connections, stream clients away, workers drained and closed with 1012, the store closed. Idempotent. */
  stop(): Promise<void>;
  figures(): EngineFigures;
}

/** Builds the modules and starts them; the only place that knows every room and every backend. All ports are bound when it resolves. */
export async function startEngine(config: Config, options: EngineOptions = {}): Promise<RunningEngine> {
  const engine = new Engine(config, options.logger ?? silentLogger, options.clock ?? systemClock);
  try {
    await engine.start();
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return engine;
}

class Engine implements RunningEngine {
  readonly #streams: StreamModule | undefined;
  readonly #workers: readonly WorkerGateway[];
  readonly #events: EngineEvents;
  readonly listeners: BoundListener[] = [];
  #stopping: Promise<void> | undefined;

  constructor(config: Config, logger: Logger, clock: Clock) {
    const fabric = new FunctionFabric(logger, () => this.#events?.functionsChanged());
    const workers = new WorkerRegistry((event, workerId) => this.#events?.workersChanged(event, workerId));
    const introspection = new Introspection(fabric, workers);
    this.#events = new EngineEvents(fabric, () => introspection.functions(false));
    registerEngineFunctions({ fabric, workers, introspection, logger });
    const { stream } = config;
    if (stream !== undefined) {
      this.#streams = new StreamModule({ config: stream, fabric, store: createStore(stream, clock, logger), clock, logger });
    }
    this.#workers = config.workerManagers.map((manager) => new WorkerGateway({ config: manager, fabric, workers, clock, logger }));
  }

  async start(): Promise<void> {
    await this.#streams?.start();
    for (const gateway of this.#workers) this.listeners.push({ name: 'worker', ...(await gateway.listen()) });
    if (this.#streams !== undefined) this.listeners.push({ name: 'stream', ...(await this.#streams.gateway.listen()) });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  figures(): EngineFigures {
    const hub = this.#streams?.hub;
    const sessions = [...(this.#streams?.gateway.sessions ?? [])];
    return {
      sessions: sessions.length,
      groups: hub?.groupCount ?? 0,
      logBytes: hub?.logBytes ?? 0,
      visited: hub?.counters.visited ?? 0,
      flushes: hub?.counters.flushes ?? 0,
      appended: hub?.counters.appended ?? 0,
      resynced: hub?.resynced ?? 0,
      largestSessionBytes: sessions.reduce((most, session) => Math.max(most, session.ownedBytes), 0),
    };
  }

  async #stop(): Promise<void> {
    for (const gateway of this.#workers) gateway.stopAccepting();
    await this.#streams?.gateway.stop();
    await Promise.all(this.#workers.map((gateway) => gateway.drain()));
    await Promise.all(this.#workers.map((gateway) => gateway.close()));
    await this.#streams?.stop();
    this.#events.close();
  }
}

function createStore(config: StreamConfig, clock: Clock, logger: Logger): StreamStore {
  const { tombstoneRetentionMs } = config;
  const adapter: StoreConfig = config.adapter;
  if (adapter.kind === 'memory') return createMemoryStore({ clock, tombstoneRetentionMs });
  const { path, durability, saveIntervalMs } = adapter;
  return createLmdbStore({ path, durability, saveIntervalMs, tombstoneRetentionMs, clock, logger });
}
