import { tmpdir } from 'node:os';
import { LIMITS } from '@rivulet/protocol';
import type { JwtConfig, StreamConfig } from '../config/config.js';
import type { Fabric } from '../core/fabric/fabric.js';
import type { FunctionFabric } from '../core/fabric/function-fabric.js';
import { JwtAccess } from '../core/jwt/jwt-access.js';
import { ExpiryWatch } from '../core/revocation/expiry-watch.js';
import { SessionDirectory } from '../core/revocation/session-directory.js';
import { runInBackground } from '../logging/background.js';
import type { EventCounters } from '../logging/event-counters.js';
import type { Logger } from '../logging/logger.js';
import type { Commit, GroupRef, StreamStore } from '../store/store.js';
import type { Clock } from '../structures/clock.js';
import type { DescriptorReserve } from '../transport/admission/descriptor-reserve.js';
import { Why } from '../why/explain.js';
import type { WhyRecords } from '../why/why-records.js';
import { GroupHeads } from './calls/group-heads.js';
import { createCallLedger, type OwnedLedger } from './calls/ledger/open-ledger.js';
import { PageCalls } from './calls/page-calls.js';
import { PostedCalls } from './calls/posted/posted-calls.js';
import { Hub } from './fanout/hub.js';
import { FrameEncoder } from './frames/frame-encoder.js';
import { Spool } from './frames/spool.js';
import { ChangeTriggers } from './functions/change-triggers.js';
import { registerStreamFunctions } from './functions/stream-functions.js';
import { streamTriggerConfig } from './functions/stream-schemas.js';
import { Leases } from './leases/leases.js';
import { buildReading } from './reading/build-reading.js';
import type { HttpReading } from './reading/http-reading.js';
import { ReadAccess } from './reading/requests/read-access.js';
import { AuthGate } from './session/auth-gate.js';
import { JoinLeaveTriggers } from './session/join-leave-triggers.js';
import { LiveSessions } from './session/live-sessions.js';
import { OutageEviction, type OutageTimes } from './session/outage-eviction.js';
import { registerSessionFunctions } from './session/session-functions.js';
import { StreamGateway } from './session/stream-gateway.js';
import type { StreamSession } from './session/stream-session.js';
import { WhyView } from './why-view.js';
import { WorkerBackedStore } from './worker-store/worker-backed-store.js';
import { WorkerBackends } from './worker-store/worker-backends.js';

export interface StreamModuleOptions {
  readonly config: StreamConfig;
  readonly fabric: FunctionFabric;
  readonly store: StreamStore;
  readonly outage?: OutageTimes | undefined;
  /** Sessions of all listeners by the identity of their user. @default a directory of its own */
  readonly directory?: SessionDirectory;
  /** Runs when another process has taken over the store. */
  readonly onStoreLost?: (() => void) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters?: EventCounters;
  readonly descriptors?: DescriptorReserve;
  /** Records what explains why a client did not get a change. @default nothing */
  readonly why?: WhyRecords | undefined;
}

/**
 * The streams of an engine: functions and triggers in the fabric, a store behind them, a hub and a gateway before them. Every change is
 * delivered through `onCommit` of the store, whoever made it.
 */
export class StreamModule {
  readonly hub: Hub;
  readonly spool: Spool;
  readonly gateway: StreamGateway;
  readonly reading: HttpReading;
  /** The store of all streams: those of the engine, and those that workers serve. */
  readonly store: WorkerBackedStore;
  /** The check of tokens; `undefined` when the listener has none. */
  readonly jwt: JwtAccess | undefined;
  readonly #options: StreamModuleOptions;
  readonly #frames: FrameEncoder;
  readonly #changes: ChangeTriggers;
  readonly leases: Leases;
  /** Calls of functions by stream clients. */
  readonly calls: PageCalls;
  /** Answers why a client did not get a change; `undefined` where nothing is recorded. */
  readonly why: Why | undefined;
  /** Sessions of operators, on the admin listener. */
  readonly live: LiveSessions;
  readonly #outage: OutageEviction;
  /** Decides of which groups a call by plain HTTP may learn the position. */
  readonly #postedAccess: ReadAccess;
  /** `undefined` when nothing can be called. */
  readonly #ledger: OwnedLedger | undefined;

  constructor(options: StreamModuleOptions) {
    const { config, fabric, clock, logger, directory = new SessionDirectory(), why } = options;
    const backends = new WorkerBackends(fabric, config, clock, logger);
    const store = new WorkerBackedStore(options.store, backends, logger);
    this.#options = options;
    this.store = store;
    this.#frames = new FrameEncoder(clock, config.injectId);
    this.#changes = new ChangeTriggers(fabric, logger, (stream, wanted) =>
      wanted ? options.store.follow?.(stream) : options.store.unfollow?.(stream),
    );
    // Beside the data when the store has a directory: that disk has space for it, and the temporary directory may be in memory.
    const spoolDirectory = config.adapter.kind === 'lmdb' ? config.adapter.path : tmpdir();
    this.spool = new Spool({ directory: spoolDirectory, clock, logger, counters: options.counters });
    // A pattern names no stream.
    const namedStreams = config.groupBounds.map(({ streams }) => streams).filter((name) => !name.includes('*'));
    this.hub = new Hub({ store, frames: this.#frames, limits: config, clock, logger, spool: this.spool, namedStreams, why });
    // Existing watchers hold data from the old backend, so they get a fresh `sync`.
    backends.onMove((stream) => this.hub.refresh(stream));
    store.uncertainGroups.onUncertain((ref) => this.hub.refreshGroup(ref));
    if (config.jwt !== undefined) this.jwt = new JwtAccess(config.jwt, clock, logger);
    if (config.exposeFunctions !== undefined) {
      // Other engines write to a store that is followed.
      const isShared = options.store.follow !== undefined;
      this.#ledger = createCallLedger({ store: options.store, retentionMs: config.idempotencyRetentionMs, isShared, clock, logger });
    }
    this.calls = new PageCalls({ fabric, config, ledger: this.#ledger, heads: new GroupHeads(store, logger), logger });
    const auth = new AuthGate(fabric, config, clock, logger, this.jwt, this.calls.waits, why);
    const policy = { failClosed: config.joinFailClosed, authenticated: auth.authenticates, timeoutMs: config.joinTimeoutMs };
    this.leases = new Leases(store, logger, clock);
    const triggers = new JoinLeaveTriggers(fabric, policy, logger);
    registerStreamFunctions({ fabric, store, idempotencyRetentionMs: config.idempotencyRetentionMs, logger, why });
    provideTriggerTypes(fabric, this.#changes, triggers);
    const { hub, leases, calls } = this;
    const frames = this.#frames;
    const expiry = new ExpiryWatch(clock);
    const sessions = new Set<StreamSession>();
    const sessionContext = { hub, triggers, leases, calls, frames, config, logger, expiry, directory, sessions, why };
    if (why !== undefined) this.why = new Why(why, new WhyView({ hub, store, directory, sessions }), clock);
    this.reading = buildReading({ config, auth, store, context: sessionContext, directory, refuseMs: options.outage?.refuseMs, clock });
    this.#postedAccess = new ReadAccess({ auth, triggers, directory, clock, why });
    this.gateway = new StreamGateway({
      config,
      auth,
      reading: this.reading,
      posted: new PostedCalls({ config, auth, calls, access: this.#postedAccess, directory, clock, logger }),
      sessionContext,
      refuseMs: options.outage?.refuseMs,
      clock,
      logger,
      ...(options.counters === undefined ? {} : { counters: options.counters }),
      ...(options.descriptors === undefined ? {} : { descriptors: options.descriptors }),
    });
    const noCalls = new PageCalls({ fabric, config: { ...config, exposeFunctions: undefined }, heads: calls.heads, logger });
    this.live = new LiveSessions({ hub, frames, leases, calls: noCalls, fabric, config, clock, logger, counters: options.counters });
    this.#outage = new OutageEviction({ ...options.outage, connections: () => this.gateway.sessions, clock, logger });
    directory.findBy((id) => Array.from(this.gateway.sessions).find((session) => session.knownSessionId === id));
    registerSessionFunctions({ fabric, sessions: () => this.gateway.sessions, logger });
  }

  /** Opens the store. Its commits and outages reach the hub from then on. */
  async start(): Promise<void> {
    const { store, config, fabric, logger } = this.#options;
    await store.start({
      onCommit: (commit) => this.#committed(commit),
      onBreak: (ref, reason, position) => this.hub.restart(ref, reason, position),
      onAvailability: (ref, available) => this.#setAvailable(ref, available),
      onReleased: () => runInBackground(this.leases.leaseAgain(), logger, 'leases_hold_again'),
      onLost: () => this.#options.onStoreLost?.(),
    });
    if (this.#ledger !== undefined) runInBackground(this.#ledger.start(), logger, 'call_ledger_start');
    if (config.authFunction !== undefined && !fabric.hasFunction(config.authFunction)) {
      logger.warn('auth_function_not_registered', {
        function: config.authFunction,
        consequence: 'every stream client is refused until a worker registers it',
      });
    }
  }

  /** Ends the leases and the hub, and then closes the store. No write may follow. The gateway must be stopped before. */
  async stop(): Promise<void> {
    this.#outage.end();
    this.jwt?.close();
    // The workers are closed, so the calls of clients that have left end now, and the ledger stores it.
    await this.calls.whenIdle(LIMITS.callDrainMs);
    await this.#ledger?.close();
    this.hub.stop();
    this.leases.close();
    await this.#options.store.close();
  }

  /** Replaces the keys and grants of tokens. Sessions keep what their tokens gave them. */
  replaceTokens(jwt: JwtConfig): void {
    this.jwt?.replace(jwt);
    this.reading.forgetAllows();
    this.#postedAccess.forget();
  }

  #setAvailable(ref: GroupRef | undefined, reachable: boolean): void {
    this.hub.setAvailable(ref, reachable);
    if (this.hub.isAnythingUnavailable) this.#outage.begin();
    else this.#outage.end();
  }

  #committed(commit: Commit): void {
    this.#options.why?.committed(commit, commit.deletedBy ?? (this.#options.config.adapter.kind === 'module' ? undefined : 'call'));
    const watched = this.hub.watches(commit.stream, commit.group);
    const triggering = this.#changes.wants(commit.stream);
    if (!watched && !triggering) return;
    const text = this.#frames.change(commit);
    if (watched) this.hub.publish(commit, text);
    if (triggering) this.#changes.publish(commit, text);
  }
}

function provideTriggerTypes(fabric: Fabric, changes: ChangeTriggers, triggers: JoinLeaveTriggers): void {
  fabric.provideTriggerType('stream', 'Fires after a change of a stream.', changes, streamTriggerConfig);
  fabric.provideTriggerType('stream:join', 'Decides whether a client may watch.', triggers.joins, streamTriggerConfig);
  fabric.provideTriggerType('stream:leave', 'Fires after a client stopped watching.', triggers.leaves, streamTriggerConfig);
}
