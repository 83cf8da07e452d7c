import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import { PairMap } from '../../structures/pair-map.js';
import type { GroupRef, StoreEvents } from '../store.js';
import type { IsAffected } from './connection/redis-pool.js';
import { GapChecker } from './gap-checker.js';
import type { GroupClient } from './group-client.js';
import { GroupFeed } from './group-feed.js';
import { PARTITIONS, type RedisKeys, refOf, refOfChannel } from './keys.js';
import { GroupReconnector } from './reconnect.js';
import { commitOf, type GroupStep } from './records.js';

/** A feed without a watcher, of a followed stream, is closed this long after its last step, in milliseconds. */
const IDLE_MS = 60_000;
/** Pause between two checks of all feeds, in milliseconds. Nothing else notices when the last message of a group is lost. */
const CHECK_MS = 10_000;

export interface GroupFeedsOptions {
  readonly keys: RedisKeys;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The server connections and the engine's callbacks, from `start` on. */
interface Started {
  readonly groups: GroupClient;
  readonly events: StoreEvents;
}

/** The feed of one group, and why it is open. */
interface OpenFeed {
  readonly feed: GroupFeed;
  /** The channel on which Redis publishes the steps of the group. */
  readonly channel: string;
  /** Resolves when the feed reports every later step. Undefined while nobody watches the group. */
  opened: Promise<void> | undefined;
  /** Number of `watch` calls without their `unwatch`. 0: only the stream is followed. */
  watchers: number;
  /** Monotonic milliseconds of the last step. */
  usedAt: number;
}

/**
 * Opens a feed for each group that the engine watches, and for each group of a followed stream that gets a step.
 *
 * A watched group subscribes to its own channel and reads its position, so that no later step is missed. A followed stream subscribes to
 * the channels of all its groups; the feed of such a group begins with the first step that arrives.
 */
export class GroupFeeds {
  readonly #options: GroupFeedsOptions;
  readonly #feeds = new PairMap<OpenFeed>();
  /** Followed streams with the number of `follow` calls; `undefined` is the key for all streams. */
  readonly #followed = new Map<string | undefined, number>();
  readonly #reconnector: GroupReconnector;
  readonly #gaps: GapChecker;
  #started: Started | undefined;
  #check: NodeJS.Timeout | undefined;

  constructor(options: GroupFeedsOptions) {
    this.#options = options;
    this.#reconnector = new GroupReconnector(options.logger);
    this.#gaps = new GapChecker(options.logger);
  }

  /** Begins to receive steps. Streams that were followed before are subscribed now. */
  start(groups: GroupClient, events: StoreEvents): void {
    this.#started = { groups, events };
    this.#check = setInterval(() => this.#checkAll(), CHECK_MS);
    this.#check.unref();
    for (const stream of this.#followed.keys()) this.#subscribeStream(stream);
  }

  /** Stops the timers. Steps are still reported, so that writes under way can end. */
  stopChecks(): void {
    clearInterval(this.#check);
    this.#reconnector.stop();
    this.#gaps.stop();
  }

  close(): void {
    for (const { feed } of this.#feeds.values()) feed.close();
  }

  /**
   * Resolves when every later step of the group will be reported. Rejects when the server cannot be read; the group is then not watched.
   */
  async watch(ref: GroupRef): Promise<void> {
    const started = this.#started as Started;
    const open = this.#feeds.get(ref.stream, ref.group) ?? this.#openFeed(ref, started);
    open.watchers++;
    const { feed, channel } = open;
    open.opened ??= started.groups.redis.subscribe(channel, (message) => feed.onMessage(message)).then(() => feed.open());
    try {
      await open.opened;
      feed.watched = open.watchers > 0;
    } catch (error) {
      if (this.#feeds.get(ref.stream, ref.group) === open) this.#closeFeed(open);
      throw error;
    }
  }

  unwatch(ref: GroupRef): void {
    const open = this.#feeds.get(ref.stream, ref.group);
    if (open === undefined || --open.watchers > 0) return;
    open.opened = undefined;
    open.feed.watched = false;
    if (!this.#isFollowed(ref.stream)) this.#closeFeed(open);
    else this.#started?.groups.redis.unsubscribe(open.channel);
  }

  follow(stream: string | undefined): void {
    const count = (this.#followed.get(stream) ?? 0) + 1;
    this.#followed.set(stream, count);
    if (count === 1) this.#subscribeStream(stream);
  }

  unfollow(stream: string | undefined): void {
    const count = (this.#followed.get(stream) ?? 0) - 1;
    if (count > 0) {
      this.#followed.set(stream, count);
      return;
    }
    this.#followed.delete(stream);
    this.#unsubscribeStream(stream);
    // These groups get no more messages: close their feeds, which releases the writes that wait for a report.
    for (const open of Array.from(this.#feeds.values())) {
      if (open.watchers === 0 && !this.#isFollowed(open.feed.ref.stream)) this.#closeFeed(open);
    }
  }

  /** Reports a step of a write of this process. Resolves when it and every step before it was reported. */
  onLocalStep(ref: GroupRef, step: GroupStep): Promise<void> {
    const open = this.#feeds.get(ref.stream, ref.group) ?? (this.#isFollowed(ref.stream) ? this.#openWithNextStep(ref) : undefined);
    if (open !== undefined) {
      open.usedAt = this.#options.clock.monotonic();
      return open.feed.onLocalStep(step);
    }
    // Nobody watches: local commits are reported all the same, without a place among those of other engines.
    const { events } = this.#started as Started;
    for (const record of step.records) if (record.effect !== 'none') events.onCommit(commitOf(ref, step.epoch, record));
    return Promise.resolve();
  }

  /** Reports what was missed while the servers of these channels were lost. */
  onServersUp(isAffected: IsAffected): void {
    // A slot may have moved to a server whose connection was never lost: those groups only need a check.
    const uninterrupted = [...this.#feeds.values()].filter(({ feed, channel }) => !feed.isUnavailable && isAffected(channel));
    this.#gaps.checkNow(uninterrupted.map(({ feed }) => feed));
    this.#reconnector.begin(this.#reachableFeeds());
  }

  /** Marks the groups of these channels as unavailable. */
  onServersDown(error: Error, isAffected: IsAffected): void {
    for (const { feed, channel } of this.#feeds.values()) if (isAffected(channel)) feed.interrupt(error);
    this.#reconnector.begin(this.#reachableFeeds());
  }

  #isFollowed(stream: string): boolean {
    return this.#followed.size > 0 && (this.#followed.has(stream) || this.#followed.has(undefined));
  }

  #subscribeStream(stream: string | undefined): void {
    const redis = this.#started?.groups.redis;
    if (redis === undefined) return;
    if (!redis.clustered) {
      redis.follow(this.#options.keys.channelsOf(stream), (message, channel) =>
        this.#onFollowedStep(refOfChannel(channel.toString()), message),
      );
      return;
    }
    // Sharded channels have no patterns: each partition has a channel for the stream, whose messages begin with the name of the group.
    for (const channel of this.#streamChannels(stream)) {
      redis.subscribeSoon(channel, (message) => {
        const end = message.indexOf('\n');
        this.#onFollowedStep(refOf(message.toString('latin1', 0, end)), message.subarray(end + 1));
      });
    }
  }

  #unsubscribeStream(stream: string | undefined): void {
    const redis = this.#started?.groups.redis;
    if (redis === undefined) return;
    if (!redis.clustered) redis.unfollow(this.#options.keys.channelsOf(stream));
    else for (const channel of this.#streamChannels(stream)) redis.unsubscribe(channel);
  }

  #streamChannels(stream: string | undefined): string[] {
    return Array.from({ length: PARTITIONS }, (_, partition) => this.#options.keys.followed(partition, stream));
  }

  #onFollowedStep(ref: GroupRef, message: Buffer): void {
    const open = this.#feeds.get(ref.stream, ref.group) ?? this.#openWithNextStep(ref);
    open.usedAt = this.#options.clock.monotonic();
    open.feed.onMessage(message);
  }

  #openFeed({ stream, group }: GroupRef, { groups, events }: Started): OpenFeed {
    const { logger, clock } = this.#options;
    const feed = new GroupFeed({ stream, group }, { groups, events, logger });
    const { channel } = groups.keys.of(feed.ref);
    const open: OpenFeed = { feed, channel, opened: undefined, watchers: 0, usedAt: clock.monotonic() };
    this.#feeds.set(stream, group, open);
    return open;
  }

  /** Opens a feed for a group that nobody watches: earlier steps do not matter. */
  #openWithNextStep(ref: GroupRef): OpenFeed {
    const open = this.#openFeed(ref, this.#started as Started);
    open.feed.beginWithNext();
    return open;
  }

  #closeFeed({ feed, channel }: OpenFeed): void {
    this.#feeds.delete(feed.ref.stream, feed.ref.group);
    feed.close();
    this.#started?.groups.redis.unsubscribe(channel);
  }

  /** Yields the feeds whose server is connected. */
  *#reachableFeeds(): Iterable<GroupFeed> {
    for (const { feed, channel } of this.#feeds.values()) if (this.#started?.groups.redis.reaches(channel) === true) yield feed;
  }

  /** Closes idle feeds and compares the other ones with the server. */
  #checkAll(): void {
    const idleSince = this.#options.clock.monotonic() - IDLE_MS;
    const open = [...this.#feeds.values()];
    const isIdle = ({ watchers, usedAt }: OpenFeed) => watchers === 0 && usedAt < idleSince;
    for (const each of open.filter(isIdle)) this.#closeFeed(each);
    this.#gaps.checkSlowly(open.filter((each) => !isIdle(each)).map(({ feed }) => feed));
  }
}
