import type { Logger } from '../../../logging/logger.js';
import { messageOf } from '../../../structures/message-of.js';
import { inTime, type RedisReply } from './redis-client.js';
import { redisError, unavailable } from './redis-error.js';
import { type Listener, nameOf, type RedisScript, ServerConnection, type Topic } from './server-connection.js';
import type { ServerFacts } from './server-info.js';
import { addressOf, findPrimaries, isSame, isWhole, type Primaries, type RedisServers } from './topology.js';

export interface RedisOptions {
  /** Address with user, password, database and TLS. `servers` may replace its host and port. */
  readonly url: string;
  readonly servers: RedisServers;
  readonly connectTimeoutMs: number;
  /** Longest time for one command, in milliseconds. */
  readonly commandTimeoutMs: number;
  readonly scripts: readonly RedisScript[];
  /**
   * Returns the name of a channel that only this process uses. It publishes there to notice when messages stop arriving. The name contains
   * `{tag}`, which decides in a Cluster which server has the channel.
   */
  readonly canary: (tag: string) => string;
  readonly logger: Logger;
  /** Called when the servers of these keys take commands and send messages again. Messages published before are lost. */
  readonly onUp: (isAffected: IsAffected) => void;
  /** Called when the servers of these keys are lost. */
  readonly onDown: (error: Error, isAffected: IsAffected) => void;
}

/** Whether a call of `onUp` or `onDown` is about this key or sharded channel. */
export type IsAffected = (key: string) => boolean;

/** First pause before the servers are tried again, in milliseconds. It doubles with each attempt, up to LAST_RETRY_MS. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
/** Times that one command follows a key to another server. */
const MOST_REDIRECTS = 3;
/** Subscriptions that are made at the same time after a reconnect. */
const TOPICS_AT_ONCE = 1_024;
/** Tags that are tried to find a canary channel for a server. */
const MOST_TAGS = 65_536;
/** Another server has the slot of the key. The command was not executed. */
const MOVED = /^MOVED /;
/** The server does not reach the other ones, or some slots have no server. */
const CLUSTER_DOWN = /^CLUSTERDOWN /;

/**
 * The connections to all servers that share the keys: one server, or those of a Cluster.
 *
 * When a connection is lost, every command for its server fails at once: nothing is queued. The pool finds the servers again by itself,
 * connects, and restores all subscriptions before it calls `onUp`.
 */
export class RedisPool {
  readonly #options: RedisOptions;
  /** All subscriptions that callers asked for, also those whose server is lost. */
  readonly #wanted = new Map<Topic, Listener>();
  readonly #connections = new Map<string, ServerConnection>();
  /** The owners of slots for which a connection has all its subscriptions. */
  readonly #served = new WeakMap<ServerConnection, Primaries>();
  readonly #connecting = new Map<string, Promise<void>>();
  #primaries: Primaries = { all: [], ownerOf: () => undefined, known: [] };
  #finding: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #isStarted = false;
  #isClosed = false;
  /** Why a server is not connected, for error messages. */
  #reason = 'it was never connected';
  /** How often a connection to a server was lost. */
  lost = 0;

  private constructor(options: RedisOptions) {
    this.#options = options;
  }

  /** Connects to all servers. Rejects with STORE_UNAVAILABLE when one of them cannot be reached now. */
  static async connect(options: RedisOptions): Promise<RedisPool> {
    const redis = new RedisPool(options);
    try {
      await redis.#connectAll();
    } catch (error) {
      redis.close();
      throw redisError(error);
    }
    redis.#isStarted = true;
    redis.#retryIfMissing();
    return redis;
  }

  /**
   * Whether the servers are a Cluster. There, all keys of a script must have the same text in braces, and channels are sharded and have no
   * patterns.
   */
  get clustered(): boolean {
    return this.#options.servers.kind === 'cluster';
  }

  /** Whether any server is connected. */
  get up(): boolean {
    return this.#connections.size > 0;
  }

  /** Whether every known server is connected. */
  get isWhole(): boolean {
    return this.up && this.#primaries.all.every((node) => this.#connections.has(node));
  }

  /** Whether the server of the key is connected. */
  reaches(key: string): boolean {
    return this.#connectionOf(key) !== undefined;
  }

  /** Runs a script on the server of its first key. Rejects with STORE_UNAVAILABLE or STORE_FULL. */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: (server: ServerFacts) => readonly (string | Buffer)[],
  ): Promise<RedisReply> {
    return this.#at(keys[0] ?? '', (connection) => connection.run(script, keys, args(connection.facts)));
  }

  /** Reads the facts of the key's server again. */
  async refreshFacts(key: string): Promise<void> {
    await this.#at(key, (connection) => connection.refreshFacts());
  }

  /** Sends one command to the server of the key. Rejects with STORE_UNAVAILABLE or STORE_FULL. */
  async command(name: string, key: string, ...words: readonly string[]): Promise<RedisReply> {
    return this.#at(key, (connection) => connection.send([name, key, ...words]));
  }

  /** Resolves when every later message of the channel arrives, as long as its server stays connected. */
  async subscribe(channel: string, listener: Listener): Promise<void> {
    const topic: Topic = `channel ${channel}`;
    this.#wanted.set(topic, listener);
    try {
      await this.#at(channel, (connection) => connection.applySubscription(topic, this.#wanted.get(topic)));
    } catch (error) {
      throw redisError(error);
    }
  }

  unsubscribe(channel: string): void {
    this.#removeTopic(`channel ${channel}`);
  }

  /** Subscribes without a result. If the server is unavailable, the subscription is made when it is back. */
  subscribeSoon(channel: string, listener: Listener): void {
    this.subscribe(channel, listener).catch(() => {});
  }

  /** Subscribes to all channels that match a pattern, without a result. A Cluster has no patterns. */
  follow(pattern: string, listener: Listener): void {
    const topic: Topic = `pattern ${pattern}`;
    this.#wanted.set(topic, listener);
    this.#at(pattern, (connection) => connection.applySubscription(topic, this.#wanted.get(topic))).catch(() => {});
  }

  unfollow(pattern: string): void {
    this.#removeTopic(`pattern ${pattern}`);
  }

  close(): void {
    this.#isClosed = true;
    this.#reason = 'it is closed';
    clearTimeout(this.#retry);
    for (const connection of this.#connections.values()) connection.close(this.#reason);
    this.#connections.clear();
  }

  #removeTopic(topic: Topic): void {
    this.#wanted.delete(topic);
    // A lost connection has no subscriptions that could end.
    this.#connectionOf(nameOf(topic))
      ?.applySubscription(topic, undefined)
      .catch(() => {});
  }

  #connectionOf(key: string): ServerConnection | undefined {
    return this.#connections.get(this.#primaries.ownerOf(key) ?? '');
  }

  /** Calls `use` with the connection of the key. Follows the key to another server when its slot has moved. */
  async #at<T>(key: string, use: (connection: ServerConnection) => Promise<T>): Promise<T> {
    const until = performance.now() + this.#options.commandTimeoutMs;
    for (let redirects = 0; ; redirects++) {
      const connection = this.#connectionOf(key);
      if (connection === undefined) {
        // The slot had no server when the pool read the topology: read it again soon.
        if (this.#isStarted) this.#retryLater();
        throw unavailable(this.#reason);
      }
      try {
        return await use(connection);
      } catch (error) {
        const text = error instanceof Error ? error.message : '';
        // The other servers may have replaced this one.
        if (CLUSTER_DOWN.test(text)) this.#retryLater();
        if (!MOVED.test(text) || redirects >= MOST_REDIRECTS || performance.now() >= until) throw redisError(error);
      }
      await inTime(this.#redirect(key), until - performance.now()).catch(() => {});
    }
  }

  /** Finds the server that has the key now, and connects to it. Does not wait for the other servers. */
  async #redirect(key: string): Promise<void> {
    this.#connectAll().catch(() => {});
    await this.#finding;
    const owner = this.#primaries.ownerOf(key);
    if (owner !== undefined) await this.#connect(owner);
  }

  /** Reads the topology and connects to every server. Rejects when one is missing; after the start it then tries again by itself. */
  async #connectAll(): Promise<void> {
    try {
      this.#finding ??= this.#findServers().finally(() => (this.#finding = undefined));
      await this.#finding;
      // A server that does not answer may get a successor while the pool waits for it.
      this.#retryIfMissing();
      const results = await Promise.allSettled(this.#primaries.all.map((node) => this.#connect(node)));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    } catch (error) {
      this.#reason = messageOf(error);
      if (this.#isStarted) this.#retryLater();
      throw error;
    }
    if (isWhole(this.#primaries)) this.#retryMs = FIRST_RETRY_MS;
    this.#retryIfMissing();
  }

  async #findServers(): Promise<void> {
    const { servers, url } = this.#options;
    const before = this.#primaries;
    const found = await findPrimaries(servers, url, before.known, this.#options);
    if (this.#isClosed || isSame(before, found)) return;
    this.#primaries = found;
    for (const [node, connection] of this.#connections) {
      if (found.all.includes(node)) continue;
      this.#connections.delete(node);
      connection.close('other servers have its slots now');
      if (this.#isStarted) this.#options.onDown(unavailable('another server takes its place'), (key) => before.ownerOf(key) === node);
    }
  }

  /** Connects to one server, once at a time for each: a server that does not answer holds up no other one. */
  async #connect(node: string): Promise<void> {
    const connecting = this.#connecting.get(node) ?? this.#connectServer(node).finally(() => this.#connecting.delete(node));
    this.#connecting.set(node, connecting);
    await connecting;
    const connection = this.#connections.get(node);
    // Slots have moved meanwhile: apply the subscriptions again.
    if (connection !== undefined && this.#served.get(connection) !== this.#primaries) await this.#connect(node);
  }

  /** Opens the connection if there is none, restores its subscriptions, and calls `onUp` for the keys that it newly serves. */
  async #connectServer(node: string): Promise<void> {
    const existing = this.#connections.get(node);
    const connection = existing ?? (await this.#open(node));
    let primaries = this.#primaries;
    try {
      if (primaries.ownerOf(connection.canary) !== node) await connection.useCanary(canaryAt(node, primaries, this.#options.canary));
      // Callers may subscribe and unsubscribe meanwhile: repeat until nothing differs.
      for (let topics = this.#topicsToChange(node, connection); topics.length > 0; topics = this.#topicsToChange(node, connection)) {
        primaries = this.#primaries;
        for (const some of chunksOf(topics, TOPICS_AT_ONCE))
          await Promise.all(some.map((topic) => connection.applySubscription(topic, this.#wantedAt(node, topic))));
      }
      if (connection.over) throw new Error('the connection has ended');
      if (this.#isClosed || !this.#primaries.all.includes(node)) throw new Error('it is not needed any more');
    } catch (error) {
      if (existing === undefined) connection.close(messageOf(error));
      throw error;
    }
    this.#connections.set(node, connection);
    const served = this.#served.get(connection);
    this.#served.set(connection, primaries);
    if (!this.#isStarted || served === primaries) return;
    if (existing === undefined) this.#options.logger.info('redis_back', { server: node });
    this.#options.onUp((key) => primaries.ownerOf(key) === node && served?.ownerOf(key) !== node);
  }

  #open(node: string): Promise<ServerConnection> {
    const { url, servers, connectTimeoutMs, commandTimeoutMs, scripts, canary } = this.#options;
    const opened = ServerConnection.open({
      url: servers.kind === 'single' ? url : addressOf(url, node),
      clustered: this.clustered,
      alone: servers.kind === 'single',
      connectTimeoutMs,
      commandTimeoutMs,
      scripts,
      canary: canaryAt(node, this.#primaries, canary),
      onLost: (why) => {
        opened.then((connection) => this.#onLost(node, connection, why)).catch(() => {});
      },
      onMoved: () => {
        this.#connectAll().catch(() => {});
      },
    });
    return opened;
  }

  /** Returns the topics whose subscription at the server differs from the one that callers asked for. */
  #topicsToChange(node: string, connection: ServerConnection): Topic[] {
    return [...new Set([...this.#wanted.keys(), ...connection.topics.keys()])].filter(
      (topic) => connection.topics.get(topic) !== this.#wantedAt(node, topic),
    );
  }

  #wantedAt(node: string, topic: Topic): Listener | undefined {
    return this.#primaries.ownerOf(nameOf(topic)) === node ? this.#wanted.get(topic) : undefined;
  }

  #onLost(node: string, connection: ServerConnection, why: string): void {
    if (this.#isClosed || this.#connections.get(node) !== connection) return;
    this.#connections.delete(node);
    this.#reason = why;
    this.lost++;
    const { ownerOf } = this.#primaries;
    this.#options.logger.warn('redis_lost', {
      server: node,
      reason: why,
      consequence: 'writes and reads of its keys are refused until it is back',
    });
    this.#options.onDown(unavailable(why), (key) => ownerOf(key) === node);
    this.#retryLater();
  }

  /** Tries again if a server is missing: a connection may have been lost while the pool connected another one. */
  #retryIfMissing(): void {
    if (this.#isStarted && this.#primaries.all.some((node) => !this.#connections.has(node))) this.#retryLater();
  }

  #retryLater(): void {
    if (this.#isClosed || this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#connectAll().catch(() => {});
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }
}

/** Returns a canary channel that belongs to the server. */
function canaryAt(node: string, { ownerOf }: Primaries, canary: RedisOptions['canary']): string {
  for (let tag = 0; tag < MOST_TAGS; tag++) if (ownerOf(`{${tag}}`) === node) return canary(String(tag));
  return canary('0');
}

function* chunksOf<T>(all: readonly T[], size: number): Iterable<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}
