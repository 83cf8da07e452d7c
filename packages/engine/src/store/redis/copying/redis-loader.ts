import { RivuletError } from '@rivulet/protocol';
import type { DumpedHead, DumpedItem, DumpSink } from '../../shared/dump.js';
import { valueIdOf } from '../../shared/value-id.js';
import type { GroupClient } from '../group-client.js';
import { type GroupKeys, PARTITIONS } from '../keys.js';

interface Loading extends DumpedHead {
  readonly keys: GroupKeys;
  items: number;
  /** The highest offset so far: items may have changed while they were exported. */
  last: number;
  /** The earliest time at which an item ends. */
  due: number;
}

/**
 * Fills a Redis that has no streams under its prefix. A group becomes visible when all its items are there. No engine should run meanwhile,
 * because it gets no commits.
 */
export class RedisLoader implements DumpSink {
  readonly #groups: GroupClient;
  readonly #now: () => number;
  #group: Loading | undefined;

  private constructor(groups: GroupClient, now: () => number) {
    this.#groups = groups;
    this.#now = now;
  }

  /** Rejects with DIRECTORY_NOT_EMPTY when there are streams already. `now` returns Unix milliseconds. */
  static async open(groups: GroupClient, prefix: string, now: () => number): Promise<RedisLoader> {
    try {
      await groups.begin();
      for (let partition = 0; partition < PARTITIONS; partition++) {
        if ((await groups.redis.command('SCARD', groups.keys.partition(partition).streams)) === 0) continue;
        throw new RivuletError(
          'DIRECTORY_NOT_EMPTY',
          `the Redis has streams under ${prefix} already; choose another key_prefix, or delete them`,
        );
      }
      return new RedisLoader(groups, now);
    } catch (error) {
      groups.redis.close();
      throw error;
    }
  }

  async beginGroup(head: DumpedHead): Promise<void> {
    const keys = this.#groups.keys.of(head);
    this.#group = { ...head, keys, items: 0, last: head.offset, due: Number.POSITIVE_INFINITY };
  }

  async add(items: readonly DumpedItem[]): Promise<void> {
    if (items.length === 0) return;
    const group = this.#require();
    const { keys } = group;
    const words: Record<'values' | 'metas' | 'created' | 'changed' | 'deadlines', string[]> = {
      values: [],
      metas: [],
      created: [],
      changed: [],
      deadlines: [],
    };
    for (const { item, data, created, changed, expiry } of items) {
      words.values.push(item, data);
      words.metas.push(item, `${created} ${changed} ${valueIdOf(data) ?? ''}`);
      words.created.push(String(created), item);
      words.changed.push(String(changed), item);
      group.last = Math.max(group.last, changed);
      if (expiry === undefined) continue;
      const at = expiry.kind === 'ttl' ? expiry.at : this.#now() + expiry.graceMs;
      group.due = Math.min(group.due, at);
      words.deadlines.push(String(at), item);
    }
    group.items += items.length;
    const { redis } = this.#groups;
    await Promise.all([
      redis.command('HSET', keys.values, ...words.values),
      redis.command('HSET', keys.metas, ...words.metas),
      redis.command('ZADD', keys.created, ...words.created),
      redis.command('ZADD', keys.changed, ...words.changed),
      ...(words.deadlines.length > 0 ? [redis.command('ZADD', keys.deadlines, ...words.deadlines)] : []),
    ]);
  }

  async endGroup(): Promise<void> {
    const { stream, group, keys, last, timestamp, items, due } = this.#require();
    this.#group = undefined;
    const { redis } = this.#groups;
    const offset = String(last);
    await redis.command('HSET', keys.head, 'offset', offset, 'stamp', String(timestamp), 'floor', offset);
    if (due !== Number.POSITIVE_INFINITY) await redis.command('ZADD', keys.shared.due, String(due), keys.name);
    await redis.command('ZADD', keys.shared.gcIndex, 'NX', String(timestamp), keys.name);
    if (items === 0) return;
    await redis.command('SADD', keys.groups, group);
    await redis.command('SADD', keys.shared.streams, stream);
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {
    this.#groups.redis.close();
  }

  #require(): Loading {
    if (this.#group === undefined) throw new Error('no group was begun');
    return this.#group;
  }
}
