import { LIMITS } from '@rivulet/protocol';
import { AdminModule } from './admin/api/admin-module.js';
import type { Config, StoreConfig } from './config/config.js';
import { backupOperation } from './control/backup-operation.js';
import { ControlSocket } from './control/control-socket.js';
import { registerChannelFunctions } from './core/channels/channel-functions.js';
import { Channels } from './core/channels/channels.js';
import { EngineEvents } from './core/engine-api/engine-events.js';
import { registerEngineFunctions } from './core/engine-api/engine-functions.js';
import { Introspection, visibilityFor } from './core/engine-api/introspection.js';
import { FunctionFabric } from './core/fabric/function-fabric.js';
import type { Tracing } from './core/fabric/tracing.js';
import { registerDisconnect } from './core/revocation/disconnect-function.js';
import { SessionDirectory } from './core/revocation/session-directory.js';
import { rowFor } from './core/workers/access/guest-rows.js';
import { guardsOf } from './core/workers/access/listener-access.js';
import { RegistrationBudgets } from './core/workers/registration-budget.js';
import { WorkerGateway, type WorkerGatewayOptions } from './core/workers/worker-gateway.js';
import { WorkerRegistry } from './core/workers/worker-registry.js';
import type { WorkerSession } from './core/workers/worker-session.js';
import { HttpModule } from './http/http-module.js';
import { BoundedLogger } from './logging/bounded-logger.js';
import { EventCounters } from './logging/event-counters.js';
import { LogMemory } from './logging/log-memory.js';
import { type Logger, silentLogger } from './logging/logger.js';
import type { EngineParts, EngineStage } from './metrics/engine-parts.js';
import { type EngineFigures, engineFigures } from './metrics/figures.js';
import { LoopDelay } from './metrics/loop-delay.js';
import { Samples } from './metrics/samples.js';
import { provideTopics } from './pubsub/topics.js';
import { StateModule } from './state/state-module.js';
import type { BoundsOf } from './store/bounds.js';
import { type CapturableStore, createCapturableStore } from './store/lmdb/lmdb-store.js';
import { createMemoryStore } from './store/memory/memory-store.js';
import { loadStoreModule } from './store/module/load-store-module.js';
import { createRedisStore } from './store/redis/redis-store.js';
import { boundsByStream, unbounded } from './store/shared/group-bounds.js';
import type { StoreFactoryOptions, StreamStore } from './store/store.js';
import type { OutageTimes } from './stream/session/outage-eviction.js';
import { StreamModule } from './stream/stream-module.js';
import { type Clock, systemClock } from './structures/clock.js';
import { OtelTracing } from './tracing/otel-tracing.js';
import { registeredSdk } from './tracing/registered-sdk.js';
import { DescriptorReserve } from './transport/admission/descriptor-reserve.js';
import { UnfinishedMessages } from './transport/unfinished-messages.js';
import { WhyRecords, type WhySizes } from './why/why-records.js';

export interface EngineOptions {
  /** @default a logger that writes nothing */
  readonly logger?: Logger;
  /** @default the clock of the system */
  readonly clock?: Clock;
  /**
   * How long the engine keeps and accepts stream clients while the store is unavailable.
   * @default `outageKeepMs`, `outageSpreadMs` and `outageRefuseMs` of docs/limits.md
   */
  readonly outage?: OutageTimes;
  /** @deprecated Use `outage`. */
  readonly cutOff?: OutageTimes;
  /**
   * Runs when another process has taken over the data directory of a store. The store neither reads nor writes any more; end the process.
   * @default nothing
   */
  readonly onStoreLost?: () => void;
  /**
   * How much the engine remembers for `GET /api/why` of its admin listener.
   * @default `whyEntries`, `whyKeepMs` and `whyFlushes` of docs/limits.md
   */
  readonly why?: WhySizes;
  /** Ends the wait of a start for the data directory of another engine; `startEngine` then rejects. @default no signal */
  readonly signal?: AbortSignal;
}

export interface BoundListener {
  readonly name: 'worker' | 'stream' | 'http' | 'admin';
  readonly host: string;
  /** The real port, even if the configuration says 0. */
  readonly port: number;
}

export type { EngineFigures } from './metrics/figures.js';

export interface RunningEngine {
  readonly listeners: readonly BoundListener[];
  /**
   * Stops the engine in order: it accepts no new connections, closes stream clients, drains workers, closes them with 1012, and closes the
   * stores. Idempotent.
   */
  stop(): Promise<void>;
  figures(): EngineFigures;
  /** Resolves when each WebSocket peer has received everything that was sent to it before, or has disconnected. */
  roundTrip(): Promise<void>;
  /**
   * Uses the keys and grants of tokens (`auth.jwt`) of another configuration from now on. Sessions keep what their tokens gave them.
   * Everything else of the configuration has no effect. Returns false, and changes nothing, if other listeners check tokens in it.
   */
  replaceTokens(config: Config): boolean;
}

/** Builds the modules and starts them. It is the only code that knows every room and every backend. Resolves when all ports are bound. */
export async function startEngine(config: Config, options: EngineOptions = {}): Promise<RunningEngine> {
  const { clock = systemClock } = options;
  const logMemory = new LogMemory(clock, { all: LIMITS.recentLogLines, ofEvent: LIMITS.recentLogLinesOfEvent });
  const logger = new BoundedLogger(logMemory.tap(options.logger ?? silentLogger), clock, LINE_RATES);
  const engine = new Engine(
    config,
    await createStores(config, { clock, logger, signal: options.signal }),
    logger,
    clock,
    logMemory,
    options,
  );
  try {
    await engine.start();
  } catch (error) {
    // The operator needs the cause of the failed start, and not an error of the clean-up.
    await engine.stop().catch((failure: unknown) => logger.error('stop_failed', { error: failure }));
    throw error;
  }
  return engine;
}

const LINE_RATES = {
  ofEvent: LIMITS.logLinesPerSecond,
  ofDebugEvent: LIMITS.debugLinesPerSecond,
  // Each worker has its own bound in addition to that of `worker_log`.
  special: { worker_log: LIMITS.workerLogsPerSecond, admin_action: LIMITS.adminActionLinesPerSecond },
  all: LIMITS.allLogLinesPerSecond,
};

/** No client resumes state from a position, so tombstones need not be kept. */
const STATE_TOMBSTONE_RETENTION_MS = 1;

class Engine implements RunningEngine {
  readonly #streams: StreamModule | undefined;
  readonly #state: StateModule | undefined;
  readonly #http: HttpModule | undefined;
  readonly #workers: readonly WorkerGateway[];
  readonly #channels: Channels;
  readonly #control: ControlSocket | undefined;
  readonly #parts: EngineParts;
  readonly #admin: AdminModule | undefined;
  readonly #events: EngineEvents;
  readonly #logger: BoundedLogger;
  readonly #counters = new EventCounters();
  readonly #tracing: Tracing | undefined;
  readonly listeners: BoundListener[] = [];
  #stage: EngineStage = 'starting';
  #stopping: Promise<void> | undefined;

  constructor(config: Config, stores: Stores, logger: BoundedLogger, clock: Clock, logMemory: LogMemory, options: EngineOptions) {
    const { onStoreLost } = options;
    // The second name is @deprecated.
    const outage = options.outage ?? options.cutOff;
    this.#logger = logger;
    const counters = this.#counters;
    const descriptors = DescriptorReserve.ofProcess();
    this.#tracing = tracingOf(logger);
    const fabric = new FunctionFabric(logger, () => this.#events?.functionsChanged(), config.strictPayloads, this.#tracing, clock);
    const workers = new WorkerRegistry<WorkerSession>((event, workerId) => this.#events?.workersChanged(event, workerId));
    const introspection = new Introspection(fabric, workers);
    const sessions = new SessionDirectory();
    sessions.findBy((id) => {
      const session = workers.get(id);
      return session?.access === undefined ? undefined : session;
    });
    this.#events = eventsOf(fabric, logger, workers, introspection);
    this.#channels = new Channels(clock, logger);
    registerChannelFunctions(fabric, this.#channels);
    registerEngineFunctions({ fabric, workers, introspection, clock, logger });
    registerDisconnect(fabric, sessions, logger);
    const { stream, state } = config;
    // Without an admin listener nobody can ask.
    const why = config.admin === undefined ? undefined : new WhyRecords(clock, options.why);
    const shared = { fabric, clock, logger, counters, descriptors };
    this.#control = controlOf(stores, logger);
    if (stream !== undefined && stores.stream !== undefined)
      this.#streams = new StreamModule({ ...shared, config: stream, store: stores.stream, onStoreLost, outage, directory: sessions, why });
    if (state !== undefined && stores.state !== undefined)
      this.#state = new StateModule({ config: state, fabric, store: stores.state, onStoreLost, logger });
    if (config.http !== undefined) this.#http = new HttpModule({ ...shared, config: config.http, channels: this.#channels });
    if (config.pubsub) provideTopics(fabric, logger);
    this.#workers = workerGateways(config, { ...shared, workers, channels: this.#channels, sessions });
    this.#parts = {
      stage: () => this.#stage,
      listeners: this.listeners,
      streams: this.#streams,
      http: this.#http,
      stores,
      fabric,
      introspection,
      workers,
      gateways: this.#workers,
      sessions,
      channels: this.#channels,
      descriptors,
      loop: new LoopDelay(),
      samples: new Samples(LIMITS.overviewSamples),
      clock,
      counters,
      logger,
      logMemory,
    };
    this.#admin = adminOf(config, this.#parts);
  }

  async start(): Promise<void> {
    const admin = await this.#admin?.open();
    await this.#streams?.start();
    await this.#state?.start();
    await this.#control?.open();
    for (const gateway of this.#workers) this.listeners.push({ name: 'worker', ...(await gateway.listen()) });
    if (this.#streams !== undefined) this.listeners.push({ name: 'stream', ...(await this.#streams.gateway.listen()) });
    if (this.#http !== undefined) this.listeners.push({ name: 'http', ...(await this.#http.listen()) });
    if (admin !== undefined) this.listeners.push({ name: 'admin', ...admin });
    this.#stage = 'running';
  }

  stop(): Promise<void> {
    this.#stage = 'draining';
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  figures(): EngineFigures {
    return engineFigures(this.#parts);
  }

  async roundTrip(): Promise<void> {
    const gateways = this.#streams === undefined ? this.#workers : [this.#streams.gateway, ...this.#workers];
    await Promise.all(gateways.map((gateway) => gateway.roundTrip()));
  }

  replaceTokens({ stream, workerManagers }: Config): boolean {
    const gateways = this.#workers.map(({ jwt, configured }, index) => {
      const wanted = workerManagers[index];
      const isSame = wanted?.host === configured.host && wanted.port === configured.port;
      return { access: jwt, wanted: wanted?.rbac?.jwt, isSame };
    });
    const streams = { access: this.#streams?.jwt, wanted: stream?.jwt, isSame: true };
    const isOther = [streams, ...gateways].some(
      ({ access, wanted, isSame }) => !isSame || (access === undefined) !== (wanted === undefined),
    );
    if (isOther || workerManagers.length !== gateways.length) return false;
    for (const { access, wanted } of gateways) if (wanted !== undefined) access?.replace(wanted);
    if (streams.wanted !== undefined) this.#streams?.replaceTokens(streams.wanted);
    return true;
  }

  async #stop(): Promise<void> {
    for (const gateway of this.#workers) gateway.stopAccepting();
    this.#http?.stopAccepting();
    this.#streams?.live.stop();
    await Promise.all([this.#streams?.gateway.stop(), this.#http?.drain()]);
    await Promise.all(this.#workers.map((gateway) => gateway.drain()));
    await this.#channels.close();
    await this.#http?.close();
    await Promise.all(this.#workers.map((gateway) => gateway.close()));
    await this.#control?.close();
    // A store that fails to close must not prevent the other from closing.
    const closed = await Promise.allSettled([this.#streams?.stop(), this.#state?.stop()]);
    await this.#admin?.close();
    await this.#tracing?.flush();
    this.#events.close();
    this.#logger.close();
    for (const each of closed) if (each.status === 'rejected') throw each.reason;
  }
}

/** Returns the admin listener of an engine with these parts; `undefined` when the configuration has none. */
function adminOf({ admin, file }: Config, parts: EngineParts): AdminModule | undefined {
  const { clock, logger, descriptors } = parts;
  return admin && new AdminModule({ config: admin, isOptional: file === undefined, parts, clock, logger, descriptors });
}

/** Returns the spans of the engine; `undefined` when no SDK of OpenTelemetry is registered. */
function tracingOf(logger: Logger): Tracing | undefined {
  const sdk = registeredSdk();
  if (sdk === undefined) return undefined;
  logger.info('tracing_enabled');
  return new OtelTracing(sdk, logger);
}

/** Returns the events of the engine. Each reader gets the rows that it may see. */
function eventsOf(
  fabric: FunctionFabric,
  logger: Logger,
  workers: WorkerRegistry<WorkerSession>,
  introspection: Introspection,
): EngineEvents {
  return new EngineEvents(fabric, logger, (id) => {
    const reader = id === undefined ? undefined : workers.get(id);
    return introspection.functions(false, visibilityFor(reader)).map((row) => rowFor(reader, row));
  });
}

/** Returns the worker listeners. They share the bounds of registrations and of unfinished messages. */
function workerGateways(
  config: Config,
  shared: Omit<WorkerGatewayOptions, 'config' | 'budgets' | 'guards' | 'unfinished'> & { readonly counters: EventCounters },
): readonly WorkerGateway[] {
  const { logger, counters } = shared;
  const guards = guardFunctions(config);
  const budgets = new RegistrationBudgets();
  const unfinishedBelow = (most: number) => new UnfinishedMessages({ most, logger, counters });
  const unfinished = { workers: unfinishedBelow(LIMITS.workersUnfinishedBytes), guests: unfinishedBelow(LIMITS.sessionsUnfinishedBytes) };
  return config.workerManagers.map((manager) => {
    const own = manager.rbac === undefined ? unfinished.workers : unfinished.guests;
    return new WorkerGateway({ ...shared, config: manager, budgets, guards, unfinished: own });
  });
}

/** Returns the functions that decide who may connect. A guest session must not register one of them. */
function guardFunctions({ workerManagers, stream, http }: Config): ReadonlySet<string> {
  const rules = workerManagers.map(({ rbac }) => rbac).filter((rbac) => rbac !== undefined);
  const others = [
    stream?.authFunction,
    stream?.middlewareFunction,
    ...workerManagers.map(({ middlewareFunction }) => middlewareFunction),
    ...(http?.middleware ?? []).map(({ functionId }) => functionId),
  ];
  return new Set([...guardsOf(rules), ...others.filter((id) => id !== undefined)]);
}

/** Returns the socket for tools, in the directory of the first store that has one. */
function controlOf({ stream, state }: Stores, logger: Logger): ControlSocket | undefined {
  const sources = Object.entries({ stream, state }).flatMap(([name, store]) => (isCapturable(store) ? [{ name, store }] : []));
  const [first] = sources;
  if (first === undefined) return undefined;
  const backup = backupOperation(
    sources.map(({ name, store }) => ({
      name,
      get isFull() {
        return store.isFull;
      },
      hold: () => store.hold(),
      capture: () => store.capture(),
    })),
  );
  return new ControlSocket({ directory: first.store.path, operations: { backup }, logger });
}

function isCapturable(store: StreamStore | undefined): store is CapturableStore {
  return store !== undefined && 'capture' in store && 'path' in store;
}

/** The stores of the workers that keep items. None is started yet. */
interface Stores {
  readonly stream: StreamStore | undefined;
  readonly state: StreamStore | undefined;
}

type StoreSurroundings = Omit<StoreFactoryOptions, 'config' | 'tombstoneRetentionMs'> & {
  readonly signal: AbortSignal | undefined;
  readonly boundsOf?: BoundsOf;
};

async function createStores({ stream, state }: Config, common: StoreSurroundings): Promise<Stores> {
  const ofStreams =
    stream &&
    (await createStore(stream.adapter, {
      ...common,
      tombstoneRetentionMs: stream.tombstoneRetentionMs,
      boundsOf: boundsByStream(stream.groupBounds),
    }));
  try {
    const ofState = state && (await createStore(state.adapter, { ...common, tombstoneRetentionMs: STATE_TOMBSTONE_RETENTION_MS }));
    return { stream: ofStreams, state: ofState };
  } catch (error) {
    // As above, the first failure is the one to report.
    await ofStreams?.close().catch(() => {});
    throw error;
  }
}

async function createStore(
  adapter: StoreConfig,
  { signal, boundsOf = unbounded, ...options }: StoreSurroundings & Pick<StoreFactoryOptions, 'tombstoneRetentionMs'>,
): Promise<StreamStore> {
  switch (adapter.kind) {
    case 'memory':
      return createMemoryStore({ ...options, boundsOf });
    case 'lmdb': {
      const { kind: _, compactAtStart, ...settings } = adapter;
      const compaction = compactAtStart === false ? ({ compaction: false } as const) : {};
      return createCapturableStore({ ...settings, ...compaction, signal, boundsOf, ...options });
    }
    case 'redis': {
      const { url, servers, keyPrefix, commandTimeoutMs, connectTimeoutMs } = adapter;
      return createRedisStore({ url, servers, keyPrefix, commandTimeoutMs, connectTimeoutMs, boundsOf, ...options });
    }
    case 'module':
      return await loadStoreModule(adapter.path, { ...options, config: adapter.config });
    default:
      return adapter satisfies never;
  }
}
