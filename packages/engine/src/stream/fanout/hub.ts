import { LIMITS, type Position } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Commit, GroupRef, StreamStore } from '../../store/store.js';
import { ByteBudget } from '../../structures/byte-budget.js';
import type { Clock } from '../../structures/clock.js';
import { PairMap } from '../../structures/pair-map.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import { SharedTurn } from '../frames/shared-turn.js';
import type { Spool } from '../frames/spool.js';
import { CatchUp } from './catch-up.js';
import { GroupFanout } from './group-fanout.js';
import { SharedChanges } from './shared-changes.js';
import { notifyAvailability } from './staleness.js';
import type { Subscriber } from './subscriber.js';
import { type JoinRequest, type Membership, Subscription } from './subscription.js';
import { SyncCache } from './sync-cache.js';

/** How long the log of a group outlives its last subscription: a client that reconnects finds it. */
const LINGER_MS = 60_000;
const SWEEP_MS = 1_000;
/** Bytes of shared answers that are written in one turn of the event loop, to all readers together. */
const SHARED_TURN_BYTES = 1_048_576;

export interface HubOptions {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly limits: Pick<StreamConfig, 'logMaxChanges' | 'logMaxAgeMs' | 'logMaxBytes'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Files for answers that do not fit into memory. Without it a slow reader of a large group begins again, or is closed. */
  readonly spool?: Spool;
}

/** Figures that tests and operators read; they only grow. */
export interface HubCounters {
  /** Subscriptions that flushes have looked at: exactly those of the groups that changed (spec ST-21). */
  visited: number;
  /** Flushes of a group. */
  flushes: number;
  /** Changes that entered a log. */
  appended: number;
  /** Groups forgotten before their time, because too many lingered. */
  evicted: number;
}

/**
 * Local fan-out: which session watches which group, and the end-of-turn flush of those that changed. It costs by the subscribers of
 * the changed groups, never by all connections, and a group that nobody watches costs one look-up.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #groups = new PairMap<GroupFanout<Subscription>>();
  readonly #catchUp: CatchUp;
  readonly #syncs: SyncCache;
  readonly #changes: SharedChanges;
  readonly #idle = new Map<GroupFanout<Subscription>, number>();
  /** Groups with entries in their log, those changed longest ago first. */
  readonly #logged = new Set<GroupFanout<Subscription>>();
  readonly #sweep: NodeJS.Timeout;
  readonly counters: HubCounters = { visited: 0, flushes: 0, appended: 0, evicted: 0 };
  readonly #evictedLine: RepeatedLine;
  #dirty: GroupFanout<Subscription>[] = [];
  #scheduled = false;
  #logBytes = 0;
  /** Monotonic milliseconds since which the store is away as a whole. */
  #storeUnavailableSince: number | undefined;
  /** Groups that are away. */
  #unavailable = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#evictedLine = new RepeatedLine(options.clock);
    const { store, frames, clock, logger } = options;
    const budget = new ByteBudget(LIMITS.builtSyncsBytes);
    const { spool } = options;
    this.#syncs = new SyncCache({ store, frames, clock, budget, spool });
    this.#changes = new SharedChanges({ store, frames, clock, budget, spool });
    const turns = new SharedTurn(SHARED_TURN_BYTES);
    const onOtherEpoch = (ref: GroupRef, position: Position) => this.restart(ref, 'epoch', position);
    this.#catchUp = new CatchUp({ store, frames, syncs: this.#syncs, changes: this.#changes, turns, onOtherEpoch, logger });
    this.#sweep = setInterval(() => this.#tidy(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Groups with a log, watched or lingering. */
  get groupCount(): number {
    return this.#groups.size;
  }

  /** Bytes charged to all logs. */
  get logBytes(): number {
    return this.#logBytes;
  }

  /** Cursors that fell out of the log and were answered with a `sync`. */
  get resynced(): number {
    return this.#catchUp.resynced;
  }

  /** Cursors behind the log that were answered with each changed item once. */
  get compacted(): number {
    return this.#catchUp.compacted;
  }

  /** Whether a change of this group must be encoded at all. */
  watches(stream: string, group: string): boolean {
    return this.#groups.get(stream, group) !== undefined;
  }

  /** One durable change, in the order of its group's history; `text` is its frame as JSON. */
  publish(commit: Commit, text: string): void {
    const fanout = this.#groups.get(commit.stream, commit.group);
    if (fanout === undefined) return;
    const before = fanout.log.bytes;
    if (!fanout.append(commit, encodeTextFrame(text), this.#options.clock.monotonic())) return;
    this.counters.appended++;
    this.#logged.delete(fanout);
    this.#logged.add(fanout);
    if (fanout.log.length > this.#options.limits.logMaxChanges) fanout.log.dropOldest();
    this.#logBytes += fanout.log.bytes - before;
    if (this.#logBytes > this.#options.limits.logMaxBytes) this.#shrink();
    if (fanout.dirty) return;
    fanout.dirty = true;
    this.#dirty.push(fanout);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Hands over what this turn changed; runs by itself at the end of the turn. */
  flush(): void {
    this.#scheduled = false;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const fanout of dirty) {
      fanout.dirty = false;
      this.counters.flushes++;
      this.counters.visited += fanout.flush(this.#start);
    }
  }

  /**
   * The store lost continuity of a group (`epoch`): nobody's position means anything. Or it missed commits (`gap`): the log begins anew,
   * and positions are still good for the store.
   */
  restart(ref: GroupRef, reason: 'gap' | 'epoch', position: Position): void {
    const fanout = this.#groups.get(ref.stream, ref.group);
    if (fanout === undefined) return;
    // What was appended in this turn is sent first: events are stored nowhere else.
    if (fanout.dirty) this.flush();
    this.#logBytes -= fanout.log.bytes;
    if (reason === 'gap') fanout.skipTo(position, this.#start);
    else fanout.restart(position, reason, this.#start);
  }

  /** A watched group can't be reached, or can again; `undefined`: the store as a whole. As in `StoreEvents`. */
  setAvailable(ref: GroupRef | undefined, reachable: boolean): void {
    const since = reachable ? undefined : this.#options.clock.monotonic();
    if (ref === undefined) {
      this.#storeUnavailableSince = since;
      return;
    }
    const fanout = this.#groups.get(ref.stream, ref.group);
    if (fanout === undefined || (fanout.unavailableSince === undefined) === reachable) return;
    // What was appended in this turn stands before it.
    this.flush();
    fanout.unavailableSince = since;
    this.#unavailable += reachable ? -1 : 1;
    for (const subscription of fanout.live()) {
      if (subscription.subscriber.ready) notifyAvailability(subscription, this.#options.frames);
      else if (subscription.subscriber.positions) fanout.lag(subscription, this.#start);
    }
  }

  /** Whether the store, or a group of it, can't be reached. */
  get isAnythingUnavailable(): boolean {
    return this.#storeUnavailableSince !== undefined || this.#unavailable > 0;
  }

  /** Milliseconds for which the store has been away as a whole; 0: it is there. */
  get storeUnavailableMs(): number {
    return this.#storeUnavailableSince === undefined ? 0 : this.#options.clock.monotonic() - this.#storeUnavailableSince;
  }

  /** Monotonic milliseconds since which nothing of it can be read; `undefined`: it can be reached. Of one that never was: since the store is away. */
  unavailableSince({ fanout }: Subscription): number | undefined {
    return fanout.unavailableSince ?? (fanout.isWatched ? undefined : this.#storeUnavailableSince);
  }

  /** The groups of a stream are read elsewhere from now on: everybody gets a `sync` of what is there. */
  refresh(stream: string): void {
    // What was appended in this turn is sent first: no `sync` stands for an event.
    this.flush();
    for (const fanout of this.#groups.valuesOf(stream)) this.#refresh(fanout);
  }

  /** The same for one group: what its worker has may not be what was published. */
  refreshGroup({ stream, group }: GroupRef): void {
    const fanout = this.#groups.get(stream, group);
    if (fanout === undefined) return;
    this.flush();
    this.#refresh(fanout);
  }

  #refresh(fanout: GroupFanout<Subscription>): void {
    this.#logBytes -= fanout.log.bytes;
    fanout.restart(fanout.position, 'backend', this.#start);
  }

  /** The cursor of this subscriber into a group, without memberships yet. A session opens one for each group. */
  open(subscriber: Subscriber, ref: GroupRef): Subscription {
    let fanout = this.#groups.get(ref.stream, ref.group);
    if (fanout === undefined) {
      fanout = new GroupFanout<Subscription>(ref, async () => this.#options.store.watch(ref));
      this.#groups.set(ref.stream, ref.group, fanout);
    }
    this.#idle.delete(fanout);
    fanout.enter();
    return new Subscription(subscriber, fanout);
  }

  /** Adds the whole group or one item to what it watches; a `sync` of that follows, or what changed since its position, then live changes. */
  join(subscription: Subscription, request: JoinRequest): Membership {
    subscription.fanout.leaveLive(subscription);
    const membership = subscription.request(request);
    this.#catchUp.start(subscription);
    return membership;
  }

  /** Answers whether the subscription is closed with its last membership. */
  leave(membership: Membership): boolean {
    const { subscription } = membership;
    subscription.fanout.leaveLive(subscription);
    subscription.remove(membership);
    if (subscription.empty) this.close(subscription);
    else this.#catchUp.start(subscription);
    return subscription.state === 'closed';
  }

  close(subscription: Subscription): void {
    if (subscription.state === 'closed') return;
    const { fanout } = subscription;
    fanout.exit(subscription);
    subscription.state = 'closed';
    fanout.wake();
    if (fanout.size > 0) return;
    this.#idle.set(fanout, this.#options.clock.monotonic());
    if (this.#idle.size > LIMITS.lingeringGroups) this.#evictOldest();
  }

  /** Stops the sweep; subscriptions are closed by their sessions. */
  stop(): void {
    clearInterval(this.#sweep);
    this.#options.spool?.close();
  }

  readonly #start = (subscription: Subscription): void => this.#catchUp.start(subscription);

  /** Over the bound of all logs: the groups that changed longest ago pay first. */
  #shrink(): void {
    for (const fanout of this.#logged) {
      while (fanout.log.length > 0 && this.#logBytes > this.#options.limits.logMaxBytes) this.#logBytes -= fanout.log.dropOldest();
      if (fanout.log.length === 0) this.#logged.delete(fanout);
      if (this.#logBytes <= this.#options.limits.logMaxBytes) return;
    }
  }

  #tidy(): void {
    const now = this.#options.clock.monotonic();
    const oldest = now - this.#options.limits.logMaxAgeMs;
    for (const fanout of this.#logged) {
      while ((fanout.log.oldestTime ?? Number.POSITIVE_INFINITY) < oldest) this.#logBytes -= fanout.log.dropOldest();
      if (fanout.log.length === 0) this.#logged.delete(fanout);
    }
    this.#syncs.tidy();
    this.#changes.tidy();
    for (const [fanout, since] of this.#idle) {
      if (now - since < LINGER_MS) break;
      this.#forget(fanout);
    }
    let bytes = 0;
    for (const fanout of this.#idle.keys()) bytes += fanout.log.bytes;
    for (const fanout of this.#idle.keys()) {
      if (bytes <= LIMITS.lingeringLogBytes) break;
      bytes -= fanout.log.bytes;
      this.#evictOldest();
    }
  }

  /** Forgets the group that nobody has watched for longest. */
  #evictOldest(): void {
    const [oldest] = this.#idle.keys();
    if (oldest === undefined) return;
    this.counters.evicted++;
    this.#evictedLine.add((times) =>
      this.#options.logger.warn('lingering_groups_evicted', { groups: times, limit: LIMITS.lingeringGroups }),
    );
    this.#forget(oldest);
  }

  #forget(fanout: GroupFanout<Subscription>): void {
    this.#idle.delete(fanout);
    if (fanout.unavailableSince !== undefined) this.#unavailable--;
    this.#logged.delete(fanout);
    this.#syncs.forget(fanout);
    this.#changes.forget(fanout);
    this.#logBytes -= fanout.log.bytes;
    this.#groups.delete(fanout.stream, fanout.group);
    fanout.unwatch(() => this.#options.store.unwatch(fanout));
  }
}
