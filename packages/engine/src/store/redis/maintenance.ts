import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import type { GroupRef } from '../store.js';
import type { RedisReply } from './connection/redis-client.js';
import { listOf, type RedisGroups } from './group-client.js';
import { PARTITIONS, refOf } from './keys.js';
import { BEAT, FORGET, ORPHAN } from './scripts.js';

const EXPIRY_MS = 250;
/** Each partition is looked at once a second. */
const PARTITIONS_AT_ONCE = PARTITIONS / 4;
const FORGET_MS = 60_000;
const BEAT_MS = 1_000;
/** A node that was not heard of for so long is gone. */
const GONE_MS = 5_000;
const GROUPS_AT_ONCE = 100;
const ITEMS_AT_ONCE = 1_000;

export interface UpkeepOptions {
  readonly groups: RedisGroups;
  readonly clock: Clock;
  readonly time: MonotonicWallClock;
  readonly node: string;
  readonly tombstoneRetentionMs: number;
  readonly logger: Logger;
  /** Deletes those of the items whose time has come, in line with the writes of the group. */
  readonly due: (ref: GroupRef, items: readonly string[]) => Promise<void>;
  /** Others took this node for gone, or may have begun to: they gave up what it held. */
  readonly released: () => void;
}

/**
 * What happens by itself: items whose time has come, deletes that are old enough to be forgotten, and nodes that are gone. Every node does all of
 * it for all; the scripts see to it that each thing happens once.
 */
export class RedisUpkeep {
  readonly #options: UpkeepOptions;
  readonly #timers: NodeJS.Timeout[];
  #next = 0;
  #busy = false;
  #beaten = false;
  /** Nodes that are gone and not buried yet. */
  readonly #told = new Set<string>();
  /** Monotonic milliseconds since which the server has been there without a break. */
  #upSince: number;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#upSince = options.clock.monotonic();
    const every = (milliseconds: number, run: () => Promise<void>) =>
      setInterval(() => {
        // The server is away: the next time will do.
        run().catch((error: unknown) => options.logger.debug('redis_upkeep_failed', { error }));
      }, milliseconds).unref();
    this.#timers = [every(EXPIRY_MS, () => this.#sweep()), every(FORGET_MS, () => this.forget()), every(BEAT_MS, () => this.beat())];
  }

  /** Tells that the node is there, and takes over what nodes held that are gone. */
  async beat(): Promise<void> {
    const { groups, node, clock, released } = this.#options;
    const reply = await groups.call(BEAT, { nodes: groups.keys.nodes }, () => ({ node, silenceMs: GONE_MS }));
    const [left, silent, found] = Array.isArray(reply) ? (reply as readonly RedisReply[]).map(listOf) : [];
    if (this.#beaten && found?.[0] !== 'known') released();
    this.#beaten = true;
    // While the server was away nobody was heard of.
    const known = clock.monotonic() - this.#upSince > GONE_MS + BEAT_MS;
    for (const other of [...(left ?? []), ...(known ? (silent ?? []) : [])]) if (other !== node) await this.#bury(other);
  }

  /** The server is back. */
  onUp(): void {
    this.#upSince = this.#options.clock.monotonic();
    this.beat().catch((error: unknown) => this.#options.logger.debug('redis_upkeep_failed', { error }));
  }

  /** Deletes all items whose time has come. */
  async expire(): Promise<void> {
    await this.#expire(Array.from({ length: PARTITIONS }, (_, partition) => partition));
  }

  /** Forgets the deletes that are old enough, and groups of which nothing is left. */
  async forget(): Promise<void> {
    const { groups, clock, tombstoneRetentionMs } = this.#options;
    const oldest = String(clock.now() - tombstoneRetentionMs);
    const found = await this.#overdue(
      Array.from({ length: PARTITIONS }, (_, partition) => partition),
      'gcIndex',
      oldest,
    );
    await this.#each(found, async (name) => {
      const keys = groups.keys.of(refOf(name));
      const forget = () => groups.call(FORGET, { ...keys, ...keys.shared }, () => ({ name, oldest }));
      while ((await forget()) === 1) await new Promise((resolve) => setImmediate(resolve));
    });
  }

  /** Others take over what it holds at once. */
  async leave(): Promise<void> {
    this.stop();
    const { groups, node } = this.#options;
    await groups.redis.command('ZADD', groups.keys.nodes, '0', node);
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #sweep(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const partitions = Array.from({ length: PARTITIONS_AT_ONCE }, (_, at) => (this.#next + at) % PARTITIONS);
      this.#next = (this.#next + PARTITIONS_AT_ONCE) % PARTITIONS;
      await this.#expire(partitions);
    } finally {
      this.#busy = false;
    }
  }

  async #expire(partitions: readonly number[]): Promise<void> {
    const { groups, time, due } = this.#options;
    const now = String(time.now());
    const expire = async (name: string) => {
      const ref = refOf(name);
      const { deadlines } = groups.keys.of(ref);
      for (let more = true; more; ) {
        const items = listOf(await groups.redis.command('ZRANGEBYSCORE', deadlines, '-inf', now, 'LIMIT', '0', String(ITEMS_AT_ONCE)));
        await due(ref, items);
        more = items.length === ITEMS_AT_ONCE;
      }
    };
    await this.#each(await this.#overdue(partitions, 'due', now), expire);
  }

  /** One after another; what a server has that is away holds up nothing of the others. */
  async #each<T>(all: Iterable<T>, work: (one: T) => Promise<void>): Promise<boolean> {
    let isDone = true;
    for (const one of all) {
      try {
        await work(one);
      } catch (error) {
        isDone = false;
        this.#options.logger.debug('redis_upkeep_failed', { error });
      }
    }
    return isDone;
  }

  /** Groups of which something is overdue, at most so many of each partition. */
  async #overdue(partitions: readonly number[], index: 'due' | 'gcIndex', until: string): Promise<readonly string[]> {
    const { keys, redis } = this.#options.groups;
    const limit = ['LIMIT', '0', String(GROUPS_AT_ONCE)];
    const found = await Promise.allSettled(
      partitions.map((partition) => redis.command('ZRANGEBYSCORE', keys.partition(partition)[index], '-inf', until, ...limit)),
    );
    return found.flatMap((each) => (each.status === 'fulfilled' ? listOf(each.value) : []));
  }

  /** Again with the next beat, as long as a server is away that has something of it. */
  async #bury(node: string): Promise<void> {
    const { groups, time, logger } = this.#options;
    if (!this.#told.has(node)) logger.info('redis_node_gone', { node });
    this.#told.add(node);
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => groups.keys.partition(partition));
    const isBuried = await this.#each(partitions, async ({ base, held, due, absent }) => {
      const keys = { heldByNode: `${held}${node}`, due, absent };
      while (Number(await groups.call(ORPHAN, keys, () => ({ base, steadyNow: time.now() }))) > 0);
    });
    if (!isBuried) return;
    await groups.redis.command('ZREM', groups.keys.nodes, node);
    this.#told.delete(node);
  }
}
