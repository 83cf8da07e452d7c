import {
  Channels,
  ExpiryWatch,
  FrameEncoder,
  FunctionFabric,
  Hub,
  type JoinEvent,
  JoinLeaveTriggers,
  Leases,
  type Logger,
  registerStreamFunctions,
  type StreamConfig,
  StreamSession,
  type StreamSessionContext,
  silentLogger,
  WorkerBackedStore,
  WorkerBackends,
  WorkerRegistry,
  WorkerSession,
} from '@rivulet/engine/parts';
import type { Commit } from '@rivulet/engine/stores';
import { RivuletError } from '@rivulet/protocol';
import type { Random } from '@rivulet/testkit/random';
import type { NewOp } from '../history/op.js';
import { failRound } from './fail-round.js';
import type { Faults } from './faults.js';
import { SimHttp } from './http/sim-http.js';
import type { SimConnection } from './sim-connection.js';
import type { SimStore } from './sim-store.js';
import type { VirtualTime } from './virtual-time.js';

export interface SimEngineOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly store: SimStore;
  readonly config: StreamConfig;
  /** Permissions that the join functions check; undefined if every client may watch every group. */
  readonly rights: ReadonlySet<string> | undefined;
  readonly faults: Faults;
  readonly record: (op: NewOp) => void;
  readonly logger?: Logger;
}

const MOST_BYTES = 16_777_216;

/** An engine without listeners, built as the composition root builds it. The simulation provides its connections. */
export class SimEngine {
  readonly store: SimStore;
  readonly #options: SimEngineOptions;
  readonly #fabric: FunctionFabric;
  readonly #workers = new WorkerRegistry<WorkerSession>(() => {});
  readonly #channels: Channels;
  readonly #hub: Hub;
  readonly #sessionContext: StreamSessionContext;
  readonly #leases: Leases;
  readonly #http: SimHttp;
  readonly #connections = new Set<SimConnection>();
  /** Names of random subscription ids, so that a history has none. */
  readonly #names = new Map<string, string>();
  #killed = false;

  constructor(options: SimEngineOptions) {
    const { time: clock, config, faults, logger = silentLogger } = options;
    this.#options = options;
    this.store = options.store;
    this.#fabric = new FunctionFabric(logger);
    this.#channels = new Channels(clock);
    const store = new WorkerBackedStore(faults.store(options.store), new WorkerBackends(this.#fabric, config, clock, logger), logger);
    const frames = new FrameEncoder(clock, config.injectId);
    this.#hub = new Hub({ store, frames, limits: config, clock, logger });
    const policy = { failClosed: false, authenticated: options.rights !== undefined, timeoutMs: config.joinTimeoutMs };
    const triggers = faults.triggers(new JoinLeaveTriggers(this.#fabric, policy, logger));
    registerStreamFunctions({ fabric: this.#fabric, store, idempotencyRetentionMs: config.idempotencyRetentionMs, logger });
    if (options.rights !== undefined) this.#guard(triggers, options.rights);
    this.#leases = new Leases(store, logger);
    this.#sessionContext = {
      hub: this.#hub,
      triggers,
      leases: this.#leases,
      frames,
      config,
      logger,
      sessions: new Set(),
      expiry: new ExpiryWatch(clock),
    };
    this.#http = new SimHttp({ config, store, context: this.#sessionContext, clock, fabric: this.#fabric, faults });
    store.uncertainGroups.onUncertain((ref) => this.#hub.refreshGroup(ref));
    const started = store.start({
      onCommit: (commit: Commit) => {
        if (!this.#hub.watches(commit.stream, commit.group)) return;
        this.#hub.publish(commit, frames.change(commit));
      },
      onBreak: (ref, reason, position) => this.#hub.restart(ref, reason, position),
      onAvailability: (ref, available) => this.#hub.setAvailable(ref, available),
    });
    started.catch(failRound);
  }

  /** Figures that must return to their old values after all connections have ended. */
  get figures(): Readonly<Record<string, number>> {
    return { sessions: this.#sessionContext.sessions.size, groups: this.#hub.groupCount, workers: this.#workers.size };
  }

  acceptStream(connection: SimConnection, who: string): void {
    this.#accept(connection);
    const access = { now: { kind: 'allowed', context: { who }, expiresAtMs: undefined } } as const;
    connection.own(new StreamSession(this.#sessionContext, this.#options.faults.connection(connection), access));
  }

  acceptHttp(connection: SimConnection): void {
    this.#accept(connection);
    this.#http.accept(connection);
  }

  /** Ends the reads by plain HTTP of an identity, as an operator does. */
  disconnect(who: string): void {
    this.#http.disconnect(who);
  }

  acceptWorker(connection: SimConnection): void {
    this.#accept(connection);
    const { time: clock, logger = silentLogger, faults } = this.#options;
    const room = {
      fabric: this.#fabric,
      workers: this.#workers,
      channels: this.#channels,
      maxInFlightCalls: 65_536,
      maxMessageBytes: MOST_BYTES,
      middlewareFunction: undefined,
      clock,
      logger,
    };
    connection.own(new WorkerSession(room, faults.workerConnection(connection)));
  }

  /** Kills the engine, as SIGKILL does. */
  kill(): void {
    this.#killed = true;
    this.store.crash();
    this.#hub.stop();
    this.#leases.close();
    this.#channels.close().catch(failRound);
    for (const connection of this.#connections) connection.abandon();
    this.#http.kill();
  }

  #accept(connection: SimConnection): void {
    for (const each of this.#connections) if (!each.open) this.#connections.delete(each);
    this.#connections.add(connection);
  }

  #recordMember(f: 'entered' | 'left', id: string): void {
    if (this.#killed) return;
    let sub = id;
    // The engine gives each event stream a random id.
    if (!/^c\d+\./.test(id)) {
      sub = this.#names.get(id) ?? `h.${this.#names.size}`;
      this.#names.set(id, sub);
    }
    this.#options.record({ p: 'engine', type: 'ok', f, sub });
  }

  /** Registers join and leave functions. They are slow, and deny by a result or by an error. */
  #guard(triggers: JoinLeaveTriggers, rights: ReadonlySet<string>): void {
    const { time, random } = this.#options;
    this.#fabric.registerBuiltin(
      'authz::join',
      async (call) => {
        const { context, stream_name, group_id, subscription_id, transport } = call.payload.value as GuardedJoin;
        await time.pause(random.between(0, 20));
        if (!rights.has(`${context.who}|${stream_name}/${group_id}`)) {
          if (random.chance(0.5)) return { kind: 'result', text: '{"unauthorized":true}' };
          throw new RivuletError('INTERNAL_ERROR', 'the function does not know who that is');
        }
        // A plain read joins for one answer, and no leave follows.
        if (transport === undefined) this.#recordMember('entered', subscription_id);
        return { kind: 'result', text: 'null' };
      },
      'Decides about joins.',
    );
    this.#fabric.registerBuiltin(
      'authz::left',
      (call) => {
        this.#recordMember('left', (call.payload.value as GuardedJoin).subscription_id);
        return { kind: 'result', text: undefined };
      },
      'Receives leaves.',
    );
    const binding = { config: {}, metadata: undefined, workerId: undefined } as const;
    triggers.joins.register({ ...binding, id: 'join', type: 'stream:join', functionId: 'authz::join' });
    triggers.leaves.register({ ...binding, id: 'leave', type: 'stream:leave', functionId: 'authz::left' });
  }
}

/** An event of the guarded join. Its context comes from the accepted connection. */
type GuardedJoin = JoinEvent & { readonly context: { readonly who: string } };
