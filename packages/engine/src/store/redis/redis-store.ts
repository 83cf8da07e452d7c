import { randomUUID } from 'node:crypto';
import { type Position, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import { PairMap } from '../../structures/pair-map.js';
import { EVERYTHING } from '../../structures/sorted-names.js';
import { requireId } from '../shared/ids.js';
import { notifyAvailability } from '../shared/notify-availability.js';
import { requireIds } from '../shared/write-plan.js';
import type {
  ApplyResult,
  Change,
  Changes,
  GroupRef,
  ItemRead,
  NamesPage,
  PageBounds,
  Snapshot,
  StoreEvents,
  WritableStore,
  Write,
  WriteResult,
} from '../store.js';
import { type Concerns, Redis } from './connection/redis-pool.js';
import type { RedisServers } from './connection/topology.js';
import { FeedChecks } from './gap-checker.js';
import { RedisGroups } from './group-client.js';
import { GroupFeed } from './group-feed.js';
import { GroupQueue, requireQueueRoom, sizeOf } from './group-writer.js';
import { PARTITIONS, RedisKeys, refOf, refOfChannel } from './keys.js';
import { RedisUpkeep } from './maintenance.js';
import { readChanges, readItem, readSnapshot, readUnion } from './reads.js';
import { GroupsReturn } from './reconnect.js';
import { commitOf, type Told } from './records.js';
import { SCRIPTS } from './scripts.js';
import type { Asked } from './write-ops.js';

export interface RedisStoreOptions {
  /** Unless the servers are found by it, it says everything but host and port. */
  readonly url: string;
  /** Default: one, at the address. */
  readonly servers?: RedisServers | undefined;
  /** First part of the names of all keys; engines with the same one share everything. */
  readonly keyPrefix: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  /** How long a delete stays known to `changes`, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A group that nobody watches is followed for so long after its last change, in milliseconds. */
const IDLE_MS = 60_000;
/** Watched groups are compared with the server this often, in milliseconds: a message that was lost last is noticed by nothing else. */
const CHECK_MS = 10_000;

/** Several engines share one Redis: each change is one script, and reaches every engine that watches the group. */
export function createRedisStore(options: RedisStoreOptions): WritableStore {
  return new RedisStore(options);
}

/** One run of the store: from `start` to `close`. */
interface Run {
  readonly events: StoreEvents;
  readonly groups: RedisGroups;
  readonly upkeep: RedisUpkeep;
}

/** A group of which everything is reported. Of one that nobody watches, whose stream is followed, from what came first on. */
interface Watched {
  readonly feed: GroupFeed;
  /** Where its commits are published. */
  readonly channel: string;
  opened: Promise<void> | undefined;
  count: number;
  /** Monotonic milliseconds of the last step. */
  usedAt: number;
}

class RedisStore implements WritableStore {
  readonly #options: RedisStoreOptions;
  readonly #node = randomUUID();
  readonly #keys: RedisKeys;
  readonly #time: MonotonicWallClock;
  readonly #queues = new PairMap<GroupQueue>();
  readonly #watched = new PairMap<Watched>();
  /** Streams that are followed, and how often. */
  readonly #followed = new Map<string | undefined, number>();
  readonly #return: GroupsReturn;
  readonly #checks: FeedChecks;
  #waiting = 0;
  #run: Run | undefined;
  #closing = false;
  /** No server can be reached, and that was told. */
  #isAway = false;
  #check: NodeJS.Timeout | undefined;
  #idle: (() => void) | undefined;

  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.#keys = new RedisKeys(options.keyPrefix, databaseOf(options.url));
    this.#time = new MonotonicWallClock(options.clock);
    this.#return = new GroupsReturn(options.logger);
    this.#checks = new FeedChecks(options.logger);
  }

  async start(events: StoreEvents): Promise<void> {
    const { url, servers = { kind: 'single' }, connectTimeoutMs, commandTimeoutMs, clock, logger, tombstoneRetentionMs } = this.#options;
    const redis = await Redis.connect({
      url,
      servers,
      connectTimeoutMs,
      commandTimeoutMs,
      scripts: SCRIPTS,
      canary: (tag) => this.#keys.canary(tag, this.#node),
      logger,
      onUp: (concerns) => this.#cameBack(concerns),
      onDown: (error, concerns) => this.#wentAway(error, concerns),
    });
    const groups = new RedisGroups(redis, this.#keys, () => clock.now());
    await groups.requireLayout().catch((error: unknown) => {
      redis.close();
      throw error;
    });
    const node = this.#node;
    const due = async (ref: GroupRef, items: readonly string[]) => {
      await this.#ask(ref, { kind: 'due', items });
    };
    const upkeep = new RedisUpkeep({
      groups,
      clock,
      time: this.#time,
      node,
      tombstoneRetentionMs,
      logger,
      due,
      released: () => events.onReleased?.(),
    });
    this.#run = { events, groups, upkeep };
    this.#check = setInterval(() => this.#compare(), CHECK_MS);
    this.#check.unref();
    for (const stream of this.#followed.keys()) this.#followNow(stream);
    await groups.begin().catch((error: unknown) => logger.warn('redis_full_at_start', { error }));
    await upkeep.beat();
  }

  async apply(change: Change): Promise<ApplyResult> {
    this.#opened();
    requireId(change.stream, 'stream_name');
    requireId(change.group, 'group_id');
    if (change.item !== undefined) requireId(change.item, 'item_id');
    return (await this.#ask(change, { kind: 'change', change })) as ApplyResult;
  }

  async write(write: Write): Promise<WriteResult> {
    this.#opened();
    requireIds(write);
    return (await this.#ask(write, { kind: 'write', write })) as WriteResult;
  }

  async get(ref: GroupRef, item: string): Promise<ItemRead> {
    return readItem(this.#opened().groups, ref, item);
  }

  async snapshot(ref: GroupRef): Promise<Snapshot> {
    return readSnapshot(this.#opened().groups, ref);
  }

  async changes(ref: GroupRef, since: Position): Promise<Changes> {
    return readChanges(this.#opened().groups, ref, since);
  }

  async groups(stream: string): Promise<readonly string[]> {
    return (await this.groupsPage(stream, EVERYTHING)).names;
  }

  async streams(): Promise<readonly string[]> {
    return (await this.streamsPage(EVERYTHING)).names;
  }

  async groupsPage(stream: string, bounds: PageBounds): Promise<NamesPage> {
    const { groups } = this.#opened();
    return readUnion(groups, (partition) => groups.keys.groups(partition, stream), bounds);
  }

  async streamsPage(bounds: PageBounds): Promise<NamesPage> {
    const { groups } = this.#opened();
    return readUnion(groups, (partition) => groups.keys.partition(partition).streams, bounds);
  }

  async watch(ref: GroupRef): Promise<void> {
    const { groups, events } = this.#opened();
    const watched = this.#watched.get(ref.stream, ref.group) ?? this.#feed(ref, { groups, events });
    watched.count++;
    const { channel } = groups.keys.of(ref);
    const { feed } = watched;
    watched.opened ??= groups.redis.subscribe(channel, (message) => feed.onMessage(message)).then(() => feed.open());
    try {
      await watched.opened;
      feed.watched = watched.count > 0;
    } catch (error) {
      if (this.#watched.get(ref.stream, ref.group) === watched) this.#forget(ref, watched);
      throw error;
    }
  }

  unwatch(ref: GroupRef): void {
    const watched = this.#watched.get(ref.stream, ref.group);
    if (watched === undefined || --watched.count > 0) return;
    watched.opened = undefined;
    watched.feed.watched = false;
    if (!this.#follows(ref.stream)) this.#forget(ref, watched);
    else this.#run?.groups.redis.unsubscribe(this.#run.groups.keys.of(ref).channel);
  }

  follow(stream: string | undefined): void {
    const count = (this.#followed.get(stream) ?? 0) + 1;
    this.#followed.set(stream, count);
    if (count === 1) this.#followNow(stream);
  }

  unfollow(stream: string | undefined): void {
    const count = (this.#followed.get(stream) ?? 0) - 1;
    if (count > 0) {
      this.#followed.set(stream, count);
      return;
    }
    this.#followed.delete(stream);
    this.#unfollowNow(stream);
    // What is told no more must not be waited for.
    for (const watched of Array.from(this.#watched.values())) {
      if (watched.count === 0 && !this.#follows(watched.feed.ref.stream)) this.#forget(watched.feed.ref, watched);
    }
  }

  async close(): Promise<void> {
    const run = this.#run;
    if (run === undefined || this.#closing) return;
    this.#closing = true;
    if (this.#queues.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    clearInterval(this.#check);
    this.#return.stop();
    this.#checks.stop();
    // Others find out by themselves when it can't be told.
    await run.upkeep.leave().catch(() => {});
    for (const { feed } of this.#watched.values()) feed.close();
    run.groups.redis.close();
  }

  /** Deletes the items whose time has come, as the timer does. */
  async expireNow(): Promise<void> {
    await this.#opened().upkeep.expire();
  }

  #opened(): Run {
    if (this.#run === undefined || this.#closing) throw new RivuletError('STORE_UNAVAILABLE', 'the store is not open');
    return this.#run;
  }

  async #ask(ref: GroupRef, asked: Asked): Promise<Awaited<ReturnType<GroupQueue['ask']>>> {
    const changes = sizeOf(asked);
    requireQueueRoom(this.#waiting, changes);
    this.#waiting += changes;
    try {
      return await this.#queueOf(ref).ask(asked);
    } finally {
      this.#waiting -= changes;
    }
  }

  #queueOf({ stream, group }: GroupRef): GroupQueue {
    const known = this.#queues.get(stream, group);
    if (known !== undefined) return known;
    const { groups } = this.#run as Run;
    const queue = new GroupQueue(
      { stream, group },
      {
        groups,
        time: this.#time,
        node: this.#node,
        told: (ref, told) => this.#told(ref, told),
        idle: (ended) => this.#ended(ended),
        logger: this.#options.logger,
      },
    );
    this.#queues.set(stream, group, queue);
    return queue;
  }

  #ended({ ref }: GroupQueue): void {
    this.#queues.delete(ref.stream, ref.group);
    if (this.#queues.size === 0) this.#idle?.();
  }

  #told(ref: GroupRef, told: Told): Promise<void> {
    const watched = this.#watched.get(ref.stream, ref.group) ?? (this.#follows(ref.stream) ? this.#feedFromNext(ref) : undefined);
    if (watched !== undefined) {
      watched.usedAt = this.#options.clock.monotonic();
      return watched.feed.wrote(told);
    }
    // Also while it closes.
    for (const record of told.records) if (record.effect !== 'none') this.#run?.events.onCommit(commitOf(ref, told.epoch, record));
    return Promise.resolve();
  }

  #follows(stream: string): boolean {
    return this.#followed.size > 0 && (this.#followed.has(stream) || this.#followed.has(undefined));
  }

  #followNow(stream: string | undefined): void {
    const redis = this.#run?.groups.redis;
    if (redis?.clustered !== true) {
      redis?.follow(this.#keys.channelsOf(stream), (message, channel) => this.#onFollowed(refOfChannel(channel.toString()), message));
      return;
    }
    for (const channel of this.#followedChannels(stream)) {
      redis.subscribeSoon(channel, (message) => {
        const end = message.indexOf('\n');
        this.#onFollowed(refOf(message.toString('latin1', 0, end)), message.subarray(end + 1));
      });
    }
  }

  #unfollowNow(stream: string | undefined): void {
    const redis = this.#run?.groups.redis;
    if (redis?.clustered !== true) redis?.unfollow(this.#keys.channelsOf(stream));
    else for (const channel of this.#followedChannels(stream)) redis.unsubscribe(channel);
  }

  #followedChannels(stream: string | undefined): string[] {
    return Array.from({ length: PARTITIONS }, (_, partition) => this.#keys.followed(partition, stream));
  }

  #onFollowed(ref: GroupRef, message: Buffer): void {
    const watched = this.#watched.get(ref.stream, ref.group) ?? this.#feedFromNext(ref);
    watched.usedAt = this.#options.clock.monotonic();
    watched.feed.onMessage(message);
  }

  #feed(ref: GroupRef, { groups, events }: Pick<Run, 'groups' | 'events'>): Watched {
    const { logger, clock } = this.#options;
    const feed = new GroupFeed({ stream: ref.stream, group: ref.group }, { groups, events, logger });
    const watched = { feed, channel: groups.keys.of(ref).channel, opened: undefined, count: 0, usedAt: clock.monotonic() };
    this.#watched.set(ref.stream, ref.group, watched);
    return watched;
  }

  /** Nobody watches it: what was before is nobody's business. */
  #feedFromNext(ref: GroupRef): Watched {
    const watched = this.#feed(ref, this.#run as Run);
    watched.feed.beginWithNext();
    return watched;
  }

  #forget(ref: GroupRef, { feed }: Watched): void {
    this.#watched.delete(ref.stream, ref.group);
    feed.close();
    const groups = this.#run?.groups;
    groups?.redis.unsubscribe(groups.keys.of(ref).channel);
  }

  #cameBack(concerns: Concerns): void {
    const run = this.#run;
    if (run === undefined) return;
    if (this.#isAway) notifyAvailability(run.events, undefined, true);
    this.#isAway = false;
    if (concerns(this.#keys.nodes)) run.upkeep.onUp();
    // A slot may have moved between servers that were there all the time.
    this.#checks.now([...this.#watched.values()].flatMap(({ feed, channel }) => (!feed.away && concerns(channel) ? [feed] : [])));
    this.#return.begin(this.#reachable(run));
  }

  #wentAway(error: Error, concerns: Concerns): void {
    const run = this.#run;
    if (run === undefined) return;
    if (!run.groups.redis.up) {
      this.#isAway = true;
      notifyAvailability(run.events, undefined, false);
    }
    for (const { feed, channel } of this.#watched.values()) if (concerns(channel)) feed.interrupt(error);
    this.#return.begin(this.#reachable(run));
  }

  /** Groups whose server is there. */
  *#reachable({ groups }: Run): Iterable<GroupFeed> {
    for (const { feed, channel } of this.#watched.values()) if (groups.redis.reaches(channel)) yield feed;
  }

  /** What was lost on the way is fetched. */
  #compare(): void {
    const idle = this.#options.clock.monotonic() - IDLE_MS;
    const kept = [...this.#watched.values()].filter((watched) => {
      const isIdle = watched.count === 0 && watched.usedAt < idle;
      if (isIdle) this.#forget(watched.feed.ref, watched);
      return !isIdle;
    });
    this.#checks.atLeisure(kept.map(({ feed }) => feed));
  }
}

/** As the path of the address says. */
function databaseOf(url: string): string {
  // oxlint-disable-next-line eslint/no-restricted-globals -- the configuration was checked with canParse
  return new URL(url).pathname.slice(1) || '0';
}
