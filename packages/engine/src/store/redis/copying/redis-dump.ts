import { chunksOf, type DumpedExpiry, type DumpedGroup, type DumpedItem, type DumpedStore, type DumpSource } from '../../shared/dump.js';
import type { GroupRef, StoredItem } from '../../store.js';
import type { RedisReply } from '../connection/redis-client.js';
import { type GroupClient, listOf, textOf } from '../group-client.js';
import { PARTITIONS } from '../keys.js';
import { itemOf } from '../records.js';

const SCAN_MEMBERS = '1000';
/** One read of a group. */
const PAGE = { items: 256, bytes: 1_048_576 };

/**
 * Reads the store of a Redis, for an export. Engines may run meanwhile. Then each item is as it was when its page was read, and not all
 * items are of the same moment.
 */
export class RedisDump implements DumpSource {
  readonly #groups: GroupClient;
  /** Epochs of a Redis belong to its partitions, so an export has none. */
  readonly store: DumpedStore = { epoch: 'redis', removedOffset: 0, removedTimestamp: 0 };

  constructor(groups: GroupClient) {
    this.#groups = groups;
  }

  async *groups(): AsyncIterable<DumpedGroup> {
    const { keys } = this.#groups;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for await (const stream of this.#members(keys.partition(partition).streams)) {
        for await (const group of this.#members(keys.groups(partition, stream))) {
          const ref = { stream, group };
          const { position, timestamp } = await this.#groups.created(ref, 0, { items: 1, bytes: 1 });
          yield { ...ref, offset: position.offset, timestamp, chunks: () => this.#chunks(ref) };
        }
      }
    }
  }

  async close(): Promise<void> {
    this.#groups.redis.close();
  }

  /** Yields the members of a set. SSCAN may return a member twice, so a page is remembered. */
  async *#members(key: string): AsyncIterable<string> {
    const seen = new Set<string>();
    for (let cursor = ''; cursor !== '0'; ) {
      const reply = await this.#groups.redis.command('SSCAN', key, cursor || '0', 'COUNT', SCAN_MEMBERS);
      const [next, members = []] = Array.isArray(reply) ? (reply as readonly RedisReply[]) : [];
      for (const member of listOf(members)) {
        if (seen.has(member)) continue;
        seen.add(member);
        yield member;
      }
      cursor = textOf(next) || '0';
    }
  }

  async *#chunks(ref: GroupRef): AsyncIterable<readonly DumpedItem[]> {
    for (let after = 0; ; ) {
      const { rest } = await this.#groups.created(ref, after, PAGE);
      const items: StoredItem[] = [];
      for (let at = 0; at < rest.length; at += 3) {
        const [item, value, meta] = [rest[at], rest[at + 1], rest[at + 2]];
        if (item && value) items.push(itemOf(item.toString(), value, meta));
      }
      const last = items.at(-1);
      if (last === undefined) return;
      after = last.created;
      const expiries = await this.#expiriesOf(ref, items);
      yield* chunksOf(items.map((item, index) => ({ ...item, expiry: expiries[index] })));
    }
  }

  async #expiriesOf(ref: GroupRef, items: readonly StoredItem[]): Promise<readonly (DumpedExpiry | undefined)[]> {
    const { redis, keys } = this.#groups;
    const { deadlines, holders, shared, name } = keys.of(ref);
    const ids = items.map(({ item }) => item);
    const times = (await redis.command('ZMSCORE', deadlines, ...ids)) as readonly (RedisReply | undefined)[];
    const nodes = (await redis.command('HMGET', holders, ...ids)) as readonly (RedisReply | undefined)[];
    return await Promise.all(
      ids.map(async (id, index): Promise<DumpedExpiry | undefined> => {
        const at = scoreOf(times[index]);
        if (at !== undefined) return { kind: 'ttl', at };
        const node = textOf(nodes[index] ?? undefined);
        if (node === '') return undefined;
        const graceMs = scoreOf(await redis.command('ZSCORE', `${shared.held}${node}`, `${name}\n${id}`));
        return { kind: 'leased', graceMs: graceMs ?? 0 };
      }),
    );
  }
}

/** Returns the score of a member; `undefined` when the set does not have it. Servers send it as a number or as text. */
function scoreOf(reply: RedisReply | undefined): number | undefined {
  if (reply === undefined || reply === null) return undefined;
  return Math.floor(typeof reply === 'number' ? reply : Number(textOf(reply)));
}
