import { LIMITS, type Position } from '@rivulet/protocol';
import type { StreamConfig } from '../../config/config.js';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Commit, GroupRef, StreamStore } from '../../store/store.js';
import { ByteBudget } from '../../structures/byte-budget.js';
import type { Clock } from '../../structures/clock.js';
import { PairMap } from '../../structures/pair-map.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { WhyRecords } from '../../why/why-records.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import { SharedTurn } from '../frames/shared-turn.js';
import type { Spool } from '../frames/spool.js';
import { CatchUp } from './catch-up.js';
import { newHubCounters } from './fanout-counters.js';
import { GroupFanout } from './group-fanout.js';
import { SharedChanges } from './shared-changes.js';
import { awaitsReached, notifyAvailability, notifyReached } from './staleness.js';
import { CountsByStream } from './stream-counts.js';
import type { Subscriber } from './subscriber.js';
import { type JoinRequest, type Membership, Subscription } from './subscription.js';
import { SyncCache } from './sync-cache.js';

/** Milliseconds for which the log of a group outlives its last subscription, for a client that reconnects. */
const LINGER_MS = 60_000;
const SWEEP_MS = 1_000;
/** Bytes of shared answers that are written to all readers together in one turn of the event loop. */
const SHARED_TURN_BYTES = 1_048_576;

export interface HubOptions {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly limits: Pick<StreamConfig, 'logMaxChanges' | 'logMaxAgeMs' | 'logMaxBytes'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Files for answers that do not fit into memory. Without them a slow reader of a large group begins again, or is closed. */
  readonly spool?: Spool;
  /** Streams that have figures of their own. @default none: all streams are counted together */
  readonly namedStreams?: Iterable<string>;
  /** Records flushes and resyncs. @default none */
  readonly why?: WhyRecords | undefined;
}

/**
 * The fan-out of one engine: it knows which session watches which group, and sends every change to the watchers.
 *
 * Data flow: the store reports each durable commit, and `publish` appends its frame to the log of the group. A subscription is live while
 * its cursor is at the head of that log. At the end of the turn, `flush` writes the new part of each changed log to all live subscriptions,
 * as one shared buffer. `CatchUp` serves the other subscriptions, whose clients join, lag or come back. `setAvailable`, `restart` and
 * `refresh` report outages and breaks of a history to the watchers.
 *
 * Invariants:
 * - A change is encoded once, whatever the number of subscribers.
 * - A flush costs by the subscribers of the changed groups, never by all connections. A group that nobody watches costs one look-up.
 * - A session has at most one subscription for each group.
 * - Before the log of a group begins anew, `flush` sends the changes of the present turn, because events are stored nowhere else.
 *
 * Example: `const subscription = hub.open(socket, ref)`, then `hub.join(subscription, request)`. The socket gets a `sync`, then each
 * change. `hub.leave(membership)` closes the subscription with its last membership.
 *
 * If `flush` ran inside `publish`, a batch of 1,024 writes would cost 1,024 writes to each socket instead of one.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #groups = new PairMap<GroupFanout<Subscription>>();
  readonly #catchUp: CatchUp;
  readonly #syncs: SyncCache;
  readonly #changes: SharedChanges;
  readonly #idle = new Map<GroupFanout<Subscription>, number>();
  /** Groups with entries in their log. The group whose last change is oldest comes first. */
  readonly #logged = new Set<GroupFanout<Subscription>>();
  readonly #sweep: NodeJS.Timeout;
  readonly counters = newHubCounters();
  readonly byStream: CountsByStream;
  readonly #evictedLine: RepeatedLine;
  #dirty: GroupFanout<Subscription>[] = [];
  #scheduled = false;
  #logBytes = 0;
  /** Monotonic milliseconds since which the whole store is unavailable; `undefined` while it is available. */
  #storeUnavailableSince: number | undefined;
  /** Number of groups that are unavailable. */
  #unavailable = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    this.byStream = new CountsByStream(options.namedStreams);
    this.#evictedLine = new RepeatedLine(options.clock);
    const { store, frames, clock, logger } = options;
    const budget = new ByteBudget(LIMITS.builtSyncsBytes);
    const { spool } = options;
    this.#syncs = new SyncCache({ store, frames, clock, budget, spool });
    this.#changes = new SharedChanges({ store, frames, clock, budget, spool });
    const turns = new SharedTurn(SHARED_TURN_BYTES);
    const onOtherEpoch = (ref: GroupRef, position: Position) => this.restart(ref, 'epoch', position);
    const encoding = TurnBudget.of(clock);
    const shared = { store, frames, syncs: this.#syncs, changes: this.#changes, turns, encoding, logger };
    this.#catchUp = new CatchUp({ ...shared, onOtherEpoch, counters: this.counters, why: options.why });
    this.#sweep = setInterval(() => this.#tidy(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Number of groups with a log, watched or lingering. */
  get groupCount(): number {
    return this.#groups.size;
  }

  /** Number of groups with a log that nobody watches now. */
  get lingeringCount(): number {
    return this.#idle.size;
  }

  /** Number of watched groups that are unavailable. */
  get unavailableCount(): number {
    return this.#unavailable;
  }

  /** Bytes of all logs together. */
  get logBytes(): number {
    return this.#logBytes;
  }

  /** Number of cursors that were behind the log and were answered with a `sync`. */
  get resynced(): number {
    return this.counters.resynced;
  }

  /** Number of cursors that were behind the log and were answered with each changed item once. */
  get compacted(): number {
    return this.counters.catchUps.changes;
  }

  /** Returns whether the group has a log. Otherwise its changes need not be encoded. */
  watches(stream: string, group: string): boolean {
    return this.#groups.get(stream, group) !== undefined;
  }

  /** Returns the fan-out of a group for operators, who only read it; `undefined` while nobody watches the group. */
  fanout({ stream, group }: GroupRef): Readonly<GroupFanout<Subscription>> | undefined {
    return this.#groups.get(stream, group);
  }

  /** Appends a durable change. Changes of a group must come in the order of its history. `text`: the frame as JSON. */
  publish(commit: Commit, text: string): void {
    const fanout = this.#groups.get(commit.stream, commit.group);
    if (fanout === undefined) return;
    const before = fanout.log.bytes;
    const now = this.#options.clock.monotonic();
    if (!fanout.append(commit, encodeTextFrame(text), now)) return;
    fanout.counts.appended++;
    this.#logged.delete(fanout);
    this.#logged.add(fanout);
    if (fanout.log.length > this.#options.limits.logMaxChanges) fanout.log.dropOldest();
    this.#logBytes += fanout.log.bytes - before;
    if (this.#logBytes > this.#options.limits.logMaxBytes) this.#shrink();
    if (fanout.dirty) return;
    fanout.dirty = true;
    fanout.dirtySince = now;
    this.#dirty.push(fanout);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Sends the changes of this turn to the live subscriptions. The hub itself calls it at the end of the turn. */
  flush(): void {
    this.#scheduled = false;
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    const { counters } = this;
    const { why } = this.#options;
    const now = this.#options.clock.monotonic();
    for (const fanout of dirty) {
      fanout.dirty = false;
      counters.flushes++;
      counters.batch.observe(fanout.unflushed);
      counters.wait.observe((now - fanout.dirtySince) / 1_000);
      if (why !== undefined) (fanout.flushes ??= why.newFlushes()).add(fanout.flushed, fanout.log.head, now);
      fanout.counts.visited += fanout.flush(this.#lag);
    }
  }

  /**
   * Begins the log of a group anew at `position`. `epoch`: the store lost the continuity of the group, so positions of clients mean nothing
   * any more. `gap`: the store missed commits, and positions stay valid.
   */
  restart(ref: GroupRef, reason: 'gap' | 'epoch', position: Position): void {
    const fanout = this.#groups.get(ref.stream, ref.group);
    if (fanout === undefined) return;
    // The changes of this turn are sent first, because an event is stored nowhere else.
    if (fanout.dirty) this.flush();
    this.#logBytes -= fanout.log.bytes;
    if (reason === 'gap') fanout.skipTo(position, this.#start);
    else fanout.restart(position, reason, this.#start);
  }

  /** Records whether a watched group is available, and notifies its watchers. `undefined`: the whole store. As in `StoreEvents`. */
  setAvailable(ref: GroupRef | undefined, reachable: boolean): void {
    const since = reachable ? undefined : this.#options.clock.monotonic();
    if (ref === undefined) {
      this.#storeUnavailableSince = since;
      return;
    }
    const fanout = this.#groups.get(ref.stream, ref.group);
    if (fanout === undefined || (fanout.unavailableSince === undefined) === reachable) return;
    // The frames of this turn must stand before the notice.
    this.flush();
    fanout.unavailableSince = since;
    this.#unavailable += reachable ? -1 : 1;
    for (const subscription of fanout.live()) {
      if (subscription.subscriber.ready) notifyAvailability(subscription, this.#options.frames);
      else if (subscription.subscriber.positions) fanout.lag(subscription, this.#start);
    }
  }

  /** Lets a client know that it has all changes up to `position` of the items that it watches. */
  confirm(subscription: Subscription, position: Position): void {
    const { fanout } = subscription;
    // Calls end more often than turns. A flush for each of them would break up the batches of all groups.
    if (fanout.dirty && fanout.flushed < position.offset && awaitsReached(subscription, position)) this.flush();
    notifyReached(subscription, position, this.#options.frames);
  }

  /** Whether the store or a group of it is unavailable. */
  get isAnythingUnavailable(): boolean {
    return this.#storeUnavailableSince !== undefined || this.#unavailable > 0;
  }

  /** Milliseconds for which the whole store has been unavailable; 0 while it is available. */
  get storeUnavailableMs(): number {
    return this.#storeUnavailableSince === undefined ? 0 : this.#options.clock.monotonic() - this.#storeUnavailableSince;
  }

  /**
   * Returns the monotonic milliseconds since which the group is unavailable; `undefined` while it is available. When the store has never
   * watched the group, it returns the time since which the store is unavailable.
   */
  unavailableSince({ fanout }: Subscription): number | undefined {
    return fanout.unavailableSince ?? (fanout.isWatched ? undefined : this.#storeUnavailableSince);
  }

  /** Returns for how many milliseconds a group, or the whole store, has been unavailable; `undefined` while it is available. */
  unavailableMs(ref: GroupRef): number | undefined {
    const fanout = this.fanout(ref);
    const since = fanout?.unavailableSince ?? (fanout?.isWatched === true ? undefined : this.#storeUnavailableSince);
    return since === undefined ? undefined : this.#options.clock.monotonic() - since;
  }

  /** Sends a `sync` to all watchers of a stream, because another backend serves its groups from now on. */
  refresh(stream: string): void {
    // The changes of this turn are sent first, because no `sync` contains an event.
    this.flush();
    for (const fanout of this.#groups.valuesOf(stream)) this.#refresh(fanout);
  }

  /** Sends a `sync` to all watchers of one group, because its worker may have other values than those that were published. */
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

  /** Opens a subscription of a subscriber to a group, without memberships. A session must not open two for one group. */
  open(subscriber: Subscriber, ref: GroupRef): Subscription {
    let fanout = this.#groups.get(ref.stream, ref.group);
    if (fanout === undefined) {
      fanout = new GroupFanout<Subscription>(ref, async () => this.#options.store.watch(ref), this.byStream.of(ref.stream));
      this.#groups.set(ref.stream, ref.group, fanout);
    }
    this.#idle.delete(fanout);
    fanout.enter();
    fanout.counts.subscriptions++;
    return new Subscription(subscriber, fanout);
  }

  /**
   * Joins the whole group or one item. The subscriber gets a `sync`, or the changes since the position of the request. Live changes follow.
   */
  join(subscription: Subscription, request: JoinRequest): Membership {
    subscription.fanout.leaveLive(subscription);
    subscription.fanout.counts.joins++;
    const membership = subscription.request(request);
    this.#catchUp.start(subscription);
    return membership;
  }

  /** Ends a membership. Returns true when it was the last one: then the subscription is closed. */
  leave(membership: Membership): boolean {
    const { subscription } = membership;
    subscription.fanout.leaveLive(subscription);
    subscription.remove(membership);
    subscription.fanout.counts.leaves++;
    if (subscription.empty) this.close(subscription);
    else this.#catchUp.start(subscription);
    return subscription.state === 'closed';
  }

  /** Closes a subscription. The log of its group lingers for `LINGER_MS` when nobody else watches the group. */
  close(subscription: Subscription): void {
    if (subscription.state === 'closed') return;
    const { fanout } = subscription;
    fanout.exit(subscription);
    subscription.state = 'closed';
    fanout.counts.subscriptions--;
    fanout.wake();
    if (fanout.size > 0) return;
    this.#idle.set(fanout, this.#options.clock.monotonic());
    if (this.#idle.size > LIMITS.lingeringGroups) this.#evictOldest();
  }

  /** Stops the sweep and closes the spool. The sessions close their subscriptions. */
  stop(): void {
    clearInterval(this.#sweep);
    this.#options.spool?.close();
  }

  readonly #start = (subscription: Subscription): void => this.#catchUp.start(subscription);

  /** Starts the catch-up of a client that could not take the changes of a flush. */
  readonly #lag = (subscription: Subscription): void => {
    subscription.fanout.counts.lagged++;
    this.#catchUp.start(subscription);
  };

  /** Shortens logs until all of them are within their bound, first those whose last change is oldest. */
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

  /** Forgets the group that has had no watcher for the longest time. */
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
    fanout.flushes?.end();
    this.#groups.delete(fanout.stream, fanout.group);
    fanout.unwatch(() => this.#options.store.unwatch(fanout));
  }
}
