import { RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import type { Clock } from '../../structures/clock.js';
import type { MonotonicWallClock } from '../../structures/monotonic-wall-clock.js';
import type { GroupRef } from '../store.js';
import type { RedisReply } from './connection/redis-client.js';
import { type GroupClient, listOf } from './group-client.js';
import { PARTITIONS, refOf } from './keys.js';
import { BEAT, FORGET, ORPHAN } from './scripts.js';

/** Pause between two sweeps for due items, in milliseconds. */
const EXPIRY_MS = 250;
/** Partitions of one sweep: each partition has its turn once a second. */
const PARTITIONS_AT_ONCE = PARTITIONS / 4;
/** Pause between two removals of old tombstones, in milliseconds. */
const FORGET_MS = 60_000;
/** Pause between two heartbeats, in milliseconds. */
const BEAT_MS = 1_000;
/** A node without a heartbeat for this long is dead, in milliseconds. */
const SILENCE_MS = 5_000;
/** Groups that are read from the index of one partition at once. */
const GROUPS_AT_ONCE = 100;
/** Due items that one write of a group deletes at most. */
const ITEMS_AT_ONCE = 1_000;

export interface MaintenanceOptions {
  readonly groups: GroupClient;
  readonly clock: Clock;
  readonly time: MonotonicWallClock;
  readonly node: string;
  readonly tombstoneRetentionMs: number;
  readonly logger: Logger;
  /** Deletes those of the items that are due, in the queue of the group's writes. */
  readonly deleteDue: (ref: GroupRef, items: readonly string[]) => Promise<void>;
  /** Called when other engines took this node for dead, or may have: they ended its leases. */
  readonly onReleased: () => void;
}

/**
 * Does what no caller asks for: deletes due items, removes old tombstones, sends heartbeats and ends the leases of dead nodes.
 *
 * Every engine does all of it for all groups. The scripts make sure that each thing happens once.
 */
export class RedisMaintenance {
  readonly #options: MaintenanceOptions;
  readonly #timers: NodeJS.Timeout[];
  /** First partition of the next sweep. */
  #next = 0;
  #isSweeping = false;
  #hasBeaten = false;
  /** The last heartbeat failed because the memory of the server is full. */
  isFull = false;
  /** Dead nodes that are logged, and whose leases are not all ended. */
  readonly #deadNodes = new Set<string>();
  /** Monotonic milliseconds since which the server has been connected without interruption. */
  #upSince: number;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    this.#upSince = options.clock.monotonic();
    const every = (milliseconds: number, run: () => Promise<void>) =>
      setInterval(() => {
        // The server is unavailable: the next run makes up for it.
        run().catch((error: unknown) => options.logger.debug('redis_upkeep_failed', { error }));
      }, milliseconds).unref();
    this.#timers = [every(EXPIRY_MS, () => this.#sweep()), every(FORGET_MS, () => this.forget()), every(BEAT_MS, () => this.beat())];
  }

  /** Sends a heartbeat, and ends the leases of dead nodes. */
  async beat(): Promise<void> {
    const { groups, node, clock, onReleased } = this.#options;
    const reply = await groups
      .call(BEAT, { nodes: groups.keys.nodes }, () => ({ node, silenceMs: SILENCE_MS }))
      .catch((error: unknown) => {
        this.isFull = error instanceof RivuletError && error.code === 'STORE_FULL';
        throw error;
      });
    this.isFull = false;
    const [left, silent, found] = Array.isArray(reply) ? (reply as readonly RedisReply[]).map(listOf) : [];
    if (this.#hasBeaten && found?.[0] !== 'known') onReleased();
    this.#hasBeaten = true;
    // While the server was unavailable no node could send heartbeats: wait until each has had time for one.
    const isSilenceKnown = clock.monotonic() - this.#upSince > SILENCE_MS + BEAT_MS;
    for (const other of [...(left ?? []), ...(isSilenceKnown ? (silent ?? []) : [])]) if (other !== node) await this.#endLeases(other);
  }

  /** Notes that the server with the heartbeats is connected again. */
  onServerUp(): void {
    this.#upSince = this.#options.clock.monotonic();
    this.beat().catch((error: unknown) => this.#options.logger.debug('redis_upkeep_failed', { error }));
  }

  /** Deletes all due items of all partitions. */
  async expire(): Promise<void> {
    await this.#expire(Array.from({ length: PARTITIONS }, (_, partition) => partition));
  }

  /** Removes tombstones older than the retention time, and then empty groups. */
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

  /** Marks this node as one that left in order. The other engines then end its leases at once. */
  async leave(): Promise<void> {
    this.stop();
    const { groups, node } = this.#options;
    await groups.redis.command('ZADD', groups.keys.nodes, '0', node);
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #sweep(): Promise<void> {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    try {
      const partitions = Array.from({ length: PARTITIONS_AT_ONCE }, (_, at) => (this.#next + at) % PARTITIONS);
      this.#next = (this.#next + PARTITIONS_AT_ONCE) % PARTITIONS;
      await this.#expire(partitions);
    } finally {
      this.#isSweeping = false;
    }
  }

  async #expire(partitions: readonly number[]): Promise<void> {
    const { groups, time, deleteDue } = this.#options;
    const now = String(time.now());
    const expire = async (name: string) => {
      const ref = refOf(name);
      const { deadlines } = groups.keys.of(ref);
      for (let more = true; more; ) {
        const items = listOf(await groups.redis.command('ZRANGEBYSCORE', deadlines, '-inf', now, 'LIMIT', '0', String(ITEMS_AT_ONCE)));
        await deleteDue(ref, items);
        more = items.length === ITEMS_AT_ONCE;
      }
    };
    await this.#each(await this.#overdue(partitions, 'due', now), expire);
  }

  /** Calls `work` for each, one after another. A failure skips one and does not stop the rest. Resolves to `false` after any failure. */
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

  /** Returns groups whose time in the index is at most `until`, up to GROUPS_AT_ONCE of each partition. */
  async #overdue(partitions: readonly number[], index: 'due' | 'gcIndex', until: string): Promise<readonly string[]> {
    const { keys, redis } = this.#options.groups;
    const limit = ['LIMIT', '0', String(GROUPS_AT_ONCE)];
    const found = await Promise.allSettled(
      partitions.map((partition) => redis.command('ZRANGEBYSCORE', keys.partition(partition)[index], '-inf', until, ...limit)),
    );
    return found.flatMap((each) => (each.status === 'fulfilled' ? listOf(each.value) : []));
  }

  /** Ends the leases of a dead node in all partitions. When a server is unavailable, the next heartbeat tries again. */
  async #endLeases(node: string): Promise<void> {
    const { groups, time, logger } = this.#options;
    if (!this.#deadNodes.has(node)) logger.info('redis_node_gone', { node });
    this.#deadNodes.add(node);
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => groups.keys.partition(partition));
    const isEverywhereDone = await this.#each(partitions, async ({ base, held, due, absent }) => {
      const keys = { heldByNode: `${held}${node}`, due, absent };
      while (Number(await groups.call(ORPHAN, keys, () => ({ base, steadyNow: time.now() }))) > 0);
    });
    if (!isEverywhereDone) return;
    await groups.redis.command('ZREM', groups.keys.nodes, node);
    this.#deadNodes.delete(node);
  }
}
