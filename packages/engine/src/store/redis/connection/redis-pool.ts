import type { Logger } from '../../../logging/logger.js';
import { inTime, type RedisReply } from './redis-client.js';
import { redisError, unavailable } from './redis-error.js';
import { type Listener, nameOf, RedisLink, type RedisScript, type Topic } from './server-connection.js';
import type { ServerFacts } from './server-info.js';
import { addressOf, findPrimaries, isSame, isWhole, type Primaries, type RedisServers } from './topology.js';

export interface RedisOptions {
  /** What is not found by it says everything but host and port. */
  readonly url: string;
  readonly servers: RedisServers;
  readonly connectTimeoutMs: number;
  /** After which a command has failed, in milliseconds. */
  readonly commandTimeoutMs: number;
  readonly scripts: readonly RedisScript[];
  /** Channel of this process alone, by which it notices that nothing arrives any more. `tag` stands in braces in the name. */
  readonly canary: (tag: string) => string;
  readonly logger: Logger;
  /** Commands for these keys are taken again, and what is subscribed to arrives, from now on: what was published meanwhile is lost. */
  readonly onUp: (concerns: Concerns) => void;
  readonly onDown: (error: Error, concerns: Concerns) => void;
}

/** Whether a key, or a sharded channel, is meant. */
export type Concerns = (key: string) => boolean;

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
/** So often a command follows what the servers say about who has the key. */
const MOST_REDIRECTS = 3;
/** Subscriptions that are made at the same time when a server is back. */
const TOPICS_AT_ONCE = 1_024;
/** What in braces is tried to find a name that a server has. */
const MOST_TAGS = 65_536;
/** Another server has the slot of the key; nothing was carried out. */
const MOVED = /^MOVED /;
/** The server does not reach the others, or they do not have all slots. */
const CUT_OFF = /^CLUSTERDOWN /;

/**
 * The way to all servers that share the keys: one, or those of a Cluster. What belongs to a server that is lost fails at once, and nothing is
 * queued. It comes back by itself.
 */
export class Redis {
  readonly #options: RedisOptions;
  /** What shall arrive. */
  readonly #wanted = new Map<Topic, Listener>();
  readonly #links = new Map<string, RedisLink>();
  /** Of which owners each link has what is wanted. */
  readonly #served = new WeakMap<RedisLink, Primaries>();
  readonly #bringing = new Map<string, Promise<void>>();
  #primaries: Primaries = { all: [], ownerOf: () => undefined, known: [] };
  #finding: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #started = false;
  #closed = false;
  #why = 'it was never there';

  private constructor(options: RedisOptions) {
    this.#options = options;
  }

  /** Rejects with STORE_UNAVAILABLE when not all servers can be reached now. */
  static async connect(options: RedisOptions): Promise<Redis> {
    const redis = new Redis(options);
    try {
      await redis.#look();
    } catch (error) {
      redis.close();
      throw redisError(error);
    }
    redis.#started = true;
    redis.#againIfMissing();
    return redis;
  }

  /** Whether the servers are a Cluster: then all keys of a script share what stands in their braces, channels are sharded, and have no patterns. */
  get clustered(): boolean {
    return this.#options.servers.kind === 'cluster';
  }

  /** Whether any server is there. */
  get up(): boolean {
    return this.#links.size > 0;
  }

  /** Whether the server that has the key is there. */
  reaches(key: string): boolean {
    return this.#linkOf(key) !== undefined;
  }

  /** Runs a script where its keys are. */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: (server: ServerFacts) => readonly (string | Buffer)[],
  ): Promise<RedisReply> {
    return this.#at(keys[0] ?? '', (link) => link.run(script, keys, args(link.facts)));
  }

  /** The server of the key says anew what it is. */
  async askAgain(key: string): Promise<void> {
    await this.#at(key, (link) => link.askAgain());
  }

  /** Rejects with STORE_UNAVAILABLE or STORE_FULL. */
  async command(name: string, key: string, ...words: readonly string[]): Promise<RedisReply> {
    return this.#at(key, (link) => link.ask([name, key, ...words]));
  }

  /** Resolves when every later message of the channel arrives, as long as its server is there. */
  async subscribe(channel: string, listener: Listener): Promise<void> {
    this.#wanted.set(`channel ${channel}`, listener);
    try {
      await this.#at(channel, (link) => link.bring(`channel ${channel}`, this.#wanted.get(`channel ${channel}`)));
    } catch (error) {
      throw redisError(error);
    }
  }

  unsubscribe(channel: string): void {
    this.#drop(`channel ${channel}`);
  }

  /** As `subscribe`, but nothing waits for it: while its server is away this is made up for when it comes back. */
  subscribeSoon(channel: string, listener: Listener): void {
    this.subscribe(channel, listener).catch(() => {});
  }

  /** Messages of all channels that match, as long as the server is there; nothing waits for that. Not in a Cluster. */
  follow(pattern: string, listener: Listener): void {
    this.#wanted.set(`pattern ${pattern}`, listener);
    this.#at(pattern, (link) => link.bring(`pattern ${pattern}`, this.#wanted.get(`pattern ${pattern}`))).catch(() => {});
  }

  unfollow(pattern: string): void {
    this.#drop(`pattern ${pattern}`);
  }

  close(): void {
    this.#closed = true;
    this.#why = 'it is closed';
    clearTimeout(this.#retry);
    for (const link of this.#links.values()) link.close(this.#why);
    this.#links.clear();
  }

  #drop(topic: Topic): void {
    this.#wanted.delete(topic);
    // While its server is away there is nothing to undo.
    this.#linkOf(nameOf(topic))
      ?.bring(topic, undefined)
      .catch(() => {});
  }

  #linkOf(key: string): RedisLink | undefined {
    return this.#links.get(this.#primaries.ownerOf(key) ?? '');
  }

  async #at<T>(key: string, ask: (link: RedisLink) => Promise<T>): Promise<T> {
    const until = performance.now() + this.#options.commandTimeoutMs;
    for (let redirects = 0; ; redirects++) {
      const link = this.#linkOf(key);
      if (link === undefined) {
        // Nobody had it when that was asked last.
        if (this.#started) this.#again();
        throw unavailable(this.#why);
      }
      try {
        return await ask(link);
      } catch (error) {
        const text = error instanceof Error ? error.message : '';
        // Others may have another server in its place.
        if (CUT_OFF.test(text)) this.#again();
        if (!MOVED.test(text) || redirects >= MOST_REDIRECTS || performance.now() >= until) throw redisError(error);
      }
      await inTime(this.#redirect(key), until - performance.now()).catch(() => {});
    }
  }

  /** Finds out who has the key now. Servers that have nothing to do with it are not waited for. */
  async #redirect(key: string): Promise<void> {
    this.#look().catch(() => {});
    await this.#finding;
    const owner = this.#primaries.ownerOf(key);
    if (owner !== undefined) await this.#bring(owner);
  }

  /** Finds out who has what, and brings the way to each of them about. Rejects when some of it is missing, and tries again by itself. */
  async #look(): Promise<void> {
    try {
      this.#finding ??= this.#find().finally(() => (this.#finding = undefined));
      await this.#finding;
      // One that does not answer may have got a successor while it is waited for.
      this.#againIfMissing();
      const results = await Promise.allSettled(this.#primaries.all.map((node) => this.#bring(node)));
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    } catch (error) {
      this.#why = messageOf(error);
      if (this.#started) this.#again();
      throw error;
    }
    if (isWhole(this.#primaries)) this.#retryMs = FIRST_RETRY_MS;
    this.#againIfMissing();
  }

  async #find(): Promise<void> {
    const { servers, url } = this.#options;
    const before = this.#primaries;
    const found = await findPrimaries(servers, url, before.known, this.#options);
    if (this.#closed || isSame(before, found)) return;
    this.#primaries = found;
    for (const [node, link] of this.#links) {
      if (found.all.includes(node)) continue;
      this.#links.delete(node);
      link.close('others have what it had');
      if (this.#started) this.#options.onDown(unavailable('another server takes its place'), (key) => before.ownerOf(key) === node);
    }
  }

  /** Once at a time for each server: one that does not answer holds up no other. */
  async #bring(node: string): Promise<void> {
    const bringing = this.#bringing.get(node) ?? this.#bringAbout(node).finally(() => this.#bringing.delete(node));
    this.#bringing.set(node, bringing);
    await bringing;
    const link = this.#links.get(node);
    // Slots have moved meanwhile.
    if (link !== undefined && this.#served.get(link) !== this.#primaries) await this.#bring(node);
  }

  async #bringAbout(node: string): Promise<void> {
    const there = this.#links.get(node);
    const link = there ?? (await this.#open(node));
    let primaries = this.#primaries;
    try {
      if (primaries.ownerOf(link.canary) !== node) await link.useCanary(canaryAt(node, primaries, this.#options.canary));
      // More may be wanted, or less, while that is on the way.
      for (let topics = this.#unlike(node, link); topics.length > 0; topics = this.#unlike(node, link)) {
        primaries = this.#primaries;
        for (const some of chunksOf(topics, TOPICS_AT_ONCE))
          await Promise.all(some.map((topic) => link.bring(topic, this.#wantedAt(node, topic))));
      }
      if (link.over) throw new Error('the connection has ended');
      if (this.#closed || !this.#primaries.all.includes(node)) throw new Error('it is not needed any more');
    } catch (error) {
      if (there === undefined) link.close(messageOf(error));
      throw error;
    }
    this.#links.set(node, link);
    const served = this.#served.get(link);
    this.#served.set(link, primaries);
    if (!this.#started || served === primaries) return;
    if (there === undefined) this.#options.logger.info('redis_back', { server: node });
    this.#options.onUp((key) => primaries.ownerOf(key) === node && served?.ownerOf(key) !== node);
  }

  #open(node: string): Promise<RedisLink> {
    const { url, servers, connectTimeoutMs, commandTimeoutMs, scripts, canary } = this.#options;
    const opened = RedisLink.open({
      url: servers.kind === 'single' ? url : addressOf(url, node),
      clustered: this.clustered,
      alone: servers.kind === 'single',
      connectTimeoutMs,
      commandTimeoutMs,
      scripts,
      canary: canaryAt(node, this.#primaries, canary),
      onLost: (why) => {
        opened.then((link) => this.#lost(node, link, why)).catch(() => {});
      },
      onMoved: () => {
        // The watch on the servers looks again, and reports what it finds.
        this.#look().catch(() => {});
      },
    });
    return opened;
  }

  /** What arrives from a server although it should not, and the other way round. */
  #unlike(node: string, link: RedisLink): Topic[] {
    return [...new Set([...this.#wanted.keys(), ...link.topics.keys()])].filter(
      (topic) => link.topics.get(topic) !== this.#wantedAt(node, topic),
    );
  }

  #wantedAt(node: string, topic: Topic): Listener | undefined {
    return this.#primaries.ownerOf(nameOf(topic)) === node ? this.#wanted.get(topic) : undefined;
  }

  #lost(node: string, link: RedisLink, why: string): void {
    if (this.#closed || this.#links.get(node) !== link) return;
    this.#links.delete(node);
    this.#why = why;
    const { ownerOf } = this.#primaries;
    this.#options.logger.warn('redis_lost', {
      server: node,
      reason: why,
      consequence: 'writes and reads of what it has are refused until it is back',
    });
    this.#options.onDown(unavailable(why), (key) => ownerOf(key) === node);
    this.#again();
  }

  /** It may have been lost while something else was looked at. */
  #againIfMissing(): void {
    if (this.#started && this.#primaries.all.some((node) => !this.#links.has(node))) this.#again();
  }

  #again(): void {
    if (this.#closed || this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#look().catch(() => {});
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }
}

/** A canary whose channel the server has. */
function canaryAt(node: string, { ownerOf }: Primaries, canary: RedisOptions['canary']): string {
  for (let tag = 0; tag < MOST_TAGS; tag++) if (ownerOf(`{${tag}}`) === node) return canary(String(tag));
  return canary('0');
}

function* chunksOf<T>(all: readonly T[], size: number): Iterable<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
