import { randomUUID } from 'node:crypto';
import { type Position, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import { PairMap } from '../../structures/pair-map.js';
import { EVERYTHING } from '../../structures/sorted-names.js';
import type { BoundsOf } from '../bounds.js';
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
import { type MeasuredStore, newCommitFigures, type StoreFigures, type StoreState } from '../store-figures.js';
import { type IsAffected, RedisPool } from './connection/redis-pool.js';
import type { RedisServers } from './connection/topology.js';
import { GroupClient } from './group-client.js';
import { GroupFeeds } from './group-feeds.js';
import { type Answer, GroupWriter, requireQueueCapacity, sizeOf } from './group-writer.js';
import { RedisKeys } from './keys.js';
import { RedisMaintenance } from './maintenance.js';
import { readChanges, readItem, readSnapshot, readUnion } from './reads.js';
import { SCRIPTS } from './scripts.js';
import type { PendingWrite } from './write-ops.js';

export interface RedisStoreOptions {
  /**
   * Address of the server, with user, password, database and TLS. With sentinels or a Cluster its host and port are ignored, because
   * `servers` finds them.
   */
  readonly url: string;
  /** How the servers are found. @default the one server at `url` */
  readonly servers?: RedisServers | undefined;
  /** First part of all keys. Engines with the same prefix share all streams. */
  readonly keyPrefix: string;
  /** Longest time to connect to a server, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Longest time for one command, in milliseconds. */
  readonly commandTimeoutMs: number;
  /** How long `changes` knows a delete, in milliseconds. */
  readonly tombstoneRetentionMs: number;
  /** Returns the bounds of the groups of a stream. @default no stream has bounds */
  readonly boundsOf?: BoundsOf;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Returns a store that several engines share through one Redis, or one Redis Cluster.
 *
 * Each write is one Lua script (lua/write.lua), so that it is atomic, and Redis publishes what the script did to every engine.
 */
export function createRedisStore(options: RedisStoreOptions): WritableStore {
  return new RedisStore(options);
}

/** One run of the store, from `start` to `close`. */
interface Run {
  readonly events: StoreEvents;
  readonly groups: GroupClient;
  readonly maintenance: RedisMaintenance;
}

class RedisStore implements MeasuredStore, WritableStore {
  readonly #options: RedisStoreOptions;
  /** Names this process for the other engines. */
  readonly #node = randomUUID();
  readonly #keys: RedisKeys;
  readonly #time: MonotonicWallClock;
  readonly #feeds: GroupFeeds;
  readonly #writers = new PairMap<GroupWriter>();
  /** Changes that wait in all writers. */
  #queuedChanges = 0;
  readonly #commits = newCommitFigures();
  #run: Run | undefined;
  #isClosing = false;
  /** No server is connected, and the engine was notified. */
  #isUnavailable = false;
  /** Called when the last writer is idle. Set by `close`. */
  #onIdle: (() => void) | undefined;

  constructor(options: RedisStoreOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.#keys = new RedisKeys(options.keyPrefix, databaseOf(options.url));
    this.#time = new MonotonicWallClock(clock);
    this.#feeds = new GroupFeeds({ keys: this.#keys, clock, logger });
  }

  async start(events: StoreEvents): Promise<void> {
    const { url, servers = { kind: 'single' }, connectTimeoutMs, commandTimeoutMs, clock, logger, tombstoneRetentionMs } = this.#options;
    const redis = await RedisPool.connect({
      url,
      servers,
      connectTimeoutMs,
      commandTimeoutMs,
      scripts: SCRIPTS,
      canary: (tag) => this.#keys.canary(tag, this.#node),
      logger,
      onUp: (isAffected) => this.#onServersUp(isAffected),
      onDown: (error, isAffected) => this.#onServersDown(error, isAffected),
    });
    const groups = new GroupClient(redis, this.#keys, () => clock.now());
    await groups.requireLayout().catch((error: unknown) => {
      redis.close();
      throw error;
    });
    const maintenance = new RedisMaintenance({
      groups,
      clock,
      time: this.#time,
      node: this.#node,
      tombstoneRetentionMs,
      logger,
      deleteDue: async (ref, items) => {
        await this.#enqueue(ref, { kind: 'due', items });
      },
      onReleased: () => events.onReleased?.(),
    });
    this.#run = { events, groups, maintenance };
    this.#feeds.start(groups, events);
    // A full Redis refuses the epochs of new partitions. The engine can still read.
    await groups.begin().catch((error: unknown) => logger.warn('redis_full_at_start', { error }));
    await maintenance.beat();
  }

  async apply(change: Change): Promise<ApplyResult> {
    this.#requireRun();
    requireId(change.stream, 'stream_name');
    requireId(change.group, 'group_id');
    if (change.item !== undefined) requireId(change.item, 'item_id');
    return (await this.#enqueue(change, { kind: 'change', change })) as ApplyResult;
  }

  async write(write: Write): Promise<WriteResult> {
    this.#requireRun();
    requireIds(write);
    return (await this.#enqueue(write, { kind: 'write', write })) as WriteResult;
  }

  async get(ref: GroupRef, item: string): Promise<ItemRead> {
    return readItem(this.#requireRun().groups, ref, item);
  }

  async snapshot(ref: GroupRef): Promise<Snapshot> {
    return readSnapshot(this.#requireRun().groups, ref);
  }

  async changes(ref: GroupRef, since: Position): Promise<Changes> {
    return readChanges(this.#requireRun().groups, ref, since);
  }

  async groups(stream: string): Promise<readonly string[]> {
    return (await this.groupsPage(stream, EVERYTHING)).names;
  }

  async streams(): Promise<readonly string[]> {
    return (await this.streamsPage(EVERYTHING)).names;
  }

  async groupsPage(stream: string, bounds: PageBounds): Promise<NamesPage> {
    const { groups } = this.#requireRun();
    return readUnion(groups, (partition) => groups.keys.groups(partition, stream), bounds);
  }

  async streamsPage(bounds: PageBounds): Promise<NamesPage> {
    const { groups } = this.#requireRun();
    return readUnion(groups, (partition) => groups.keys.partition(partition).streams, bounds);
  }

  async watch(ref: GroupRef): Promise<void> {
    this.#requireRun();
    await this.#feeds.watch(ref);
  }

  unwatch(ref: GroupRef): void {
    this.#feeds.unwatch(ref);
  }

  follow(stream: string | undefined): void {
    this.#feeds.follow(stream);
  }

  unfollow(stream: string | undefined): void {
    this.#feeds.unfollow(stream);
  }

  /** Closes in this order: queued writes end, their steps are reported, this node leaves, and then the connections end. */
  async close(): Promise<void> {
    const run = this.#run;
    if (run === undefined || this.#isClosing) return;
    this.#isClosing = true;
    if (this.#writers.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    this.#feeds.stopChecks();
    // If this fails, the other engines notice the silence of this node.
    await run.maintenance.leave().catch(() => {});
    this.#feeds.close();
    run.groups.redis.close();
  }

  /** Deletes the items that are due, as the timer of the store does. For tests. */
  async expireNow(): Promise<void> {
    await this.#requireRun().maintenance.expire();
  }

  figures(): StoreFigures {
    const redis = this.#run?.groups.redis;
    const server = { connected: redis?.isWhole === true, lost: redis?.lost ?? 0 };
    return { backend: 'redis', state: this.#state(), queued: this.#queuedChanges, commits: this.#commits, server };
  }

  #state(): StoreState {
    if (this.#run === undefined || this.#isClosing || !this.#run.groups.redis.isWhole) return 'unavailable';
    return this.#run.maintenance.isFull ? 'full' : 'ok';
  }

  #requireRun(): Run {
    if (this.#run === undefined || this.#isClosing) throw new RivuletError('STORE_UNAVAILABLE', 'the store is not open');
    return this.#run;
  }

  async #enqueue(ref: GroupRef, pending: PendingWrite): Promise<Answer> {
    const changes = sizeOf(pending);
    requireQueueCapacity(this.#queuedChanges, changes);
    this.#queuedChanges += changes;
    try {
      return await this.#writerOf(ref).enqueue(pending);
    } finally {
      this.#queuedChanges -= changes;
    }
  }

  #writerOf({ stream, group }: GroupRef): GroupWriter {
    const known = this.#writers.get(stream, group);
    if (known !== undefined) return known;
    const { groups } = this.#run as Run;
    const writer = new GroupWriter(
      { stream, group },
      {
        groups,
        time: this.#time,
        node: this.#node,
        commits: this.#commits,
        onStep: (ref, step) => this.#feeds.onLocalStep(ref, step),
        onIdle: (idle) => this.#removeWriter(idle),
        bounds: this.#options.boundsOf?.(stream),
        logger: this.#options.logger,
      },
    );
    this.#writers.set(stream, group, writer);
    return writer;
  }

  #removeWriter({ ref }: GroupWriter): void {
    this.#writers.delete(ref.stream, ref.group);
    if (this.#writers.size === 0) this.#onIdle?.();
  }

  #onServersUp(isAffected: IsAffected): void {
    const run = this.#run;
    if (run === undefined) return;
    // The engine hears about the store as a whole before it hears about groups.
    if (this.#isUnavailable) notifyAvailability(run.events, undefined, true);
    this.#isUnavailable = false;
    if (isAffected(this.#keys.nodes)) run.maintenance.onServerUp();
    this.#feeds.onServersUp(isAffected);
  }

  #onServersDown(error: Error, isAffected: IsAffected): void {
    const run = this.#run;
    if (run === undefined) return;
    if (!run.groups.redis.up) {
      this.#isUnavailable = true;
      notifyAvailability(run.events, undefined, false);
    }
    this.#feeds.onServersDown(error, isAffected);
  }
}

/** Returns the number of the database, which is the path of the address. @default "0" */
export function databaseOf(url: string): string {
  // oxlint-disable-next-line eslint/no-restricted-globals -- the configuration was checked with canParse
  return new URL(url).pathname.slice(1) || '0';
}
