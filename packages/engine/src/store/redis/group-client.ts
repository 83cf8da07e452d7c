import { randomUUID } from 'node:crypto';
import { LIMITS, type Position, RivuletError } from '@rivulet/protocol';
import type { GroupRef } from '../store.js';
import type { RedisReply } from './connection/redis-client.js';
import type { RedisPool } from './connection/redis-pool.js';
import type { ServerFacts } from './connection/server-info.js';
import { type GroupKeys, LAYOUT, PARTITIONS, type RedisKeys } from './keys.js';
import {
  ACCEPT_RUN,
  type ArgsOf,
  type CallKeys,
  encodeArgs,
  encodeGroupKeys,
  encodeKeys,
  type GroupScript,
  type KeysOf,
  LOG,
  type NamedScript,
  PAGE,
  READ,
  RENEW,
} from './scripts.js';

/** The first values of a script's reply: the position of the group. `rest` has the other values. */
export interface GroupState {
  readonly position: Position;
  readonly timestamp: number;
  /** Lowest offset from which `changes` can answer: tombstones before it are removed. */
  readonly floor: number;
  /** Whether the group has no history. Its position is then the largest one of all deleted groups of its partition. */
  readonly unwritten: boolean;
  readonly rest: readonly (Buffer | null)[];
}

/** Bytes of values after which a script reads no items for further writes. */
const READ_BYTES = 4_194_304;
/** Bytes of values that one write may read. More bytes always exceed the characters that a batch may have. */
const MOST_READ_BYTES = 4 * LIMITS.batchChars;

/** Times that a script runs again because it found another run of the server. */
const MOST_FENCES = 5;

/** Runs the scripts of groups. After a restart of the server it decides whether the history of a partition goes on (accept-run.lua). */
export class GroupClient {
  readonly redis: RedisPool;
  readonly keys: RedisKeys;
  readonly #now: () => number;

  /** `now`: Unix milliseconds. */
  constructor(redis: RedisPool, keys: RedisKeys, now: () => number) {
    this.redis = redis;
    this.keys = keys;
    this.#now = now;
  }

  /** Runs a script that begins with opening.lua. `further` follows the named arguments. */
  async run<Arg extends string>(
    script: GroupScript<Arg>,
    keys: GroupKeys,
    callKeys: CallKeys,
    args: ArgsOf<Arg>,
    further: readonly string[] = [],
  ): Promise<readonly RedisReply[]> {
    const { partition } = keys.shared;
    const names = encodeGroupKeys(script, keys, callKeys);
    const encoded = encodeArgs(script, args, further);
    for (let tries = 0; tries < MOST_FENCES; tries++) {
      // In the order of OPENING_ARGS.
      const reply = await this.redis.run(script, names, ({ run }) => [run, randomUUID(), String(this.#now()), ...encoded]);
      if (!Array.isArray(reply)) throw unreadable();
      const list = reply as readonly RedisReply[];
      if (textOf(list[0]) !== 'fence') return list;
      // This node may have missed that the server got another history: read its facts first.
      if (tries === 0) await this.redis.refreshFacts(partition);
      else await this.#acceptRun(partition);
    }
    throw new RivuletError('STORE_UNAVAILABLE', 'Redis restarts again and again; find out what ends it');
  }

  /**
   * Reads items, and the answer remembered under the key `once`. `rest` begins with that answer, then value and meta of each item.
   *
   * The first `least` items are read up to MOST_READ_BYTES, the other ones up to READ_BYTES. Items beyond that are missing at the end.
   */
  read(ref: GroupRef, items: readonly string[], once?: string, least = items.length): Promise<GroupState> {
    const keys = this.keys.of(ref);
    const bounds = { least, mostBytes: READ_BYTES, mostBytesOfAll: MOST_READ_BYTES };
    return this.run(READ, keys, { once: once === undefined ? undefined : keys.once(once) }, bounds, items).then(groupStateOf);
  }

  /** Reads items that were created after an offset. `rest` has id, value and meta of each. */
  created(ref: GroupRef, after: number, page: Page): Promise<GroupState> {
    return this.#page(this.keys.of(ref), 'created', after, page);
  }

  /** Reads items that changed after an offset. `rest` has id, value and meta of each; a deleted item has no value and its tombstone. */
  changed(ref: GroupRef, after: number, page: Page): Promise<GroupState> {
    return this.#page(this.keys.of(ref), 'changed', after, page);
  }

  /** Reads the last steps of the group as they were published, the oldest first. */
  log(ref: GroupRef): Promise<GroupState> {
    const keys = this.keys.of(ref);
    return this.run(LOG, keys, {}, {}).then(groupStateOf);
  }

  /** Begins a new epoch in place of this one, because the server lost acknowledged writes. */
  async renew(ref: GroupRef, epoch: string): Promise<void> {
    const { partition } = this.keys.of(ref).shared;
    await this.call(RENEW, { partition }, () => ({ lostEpoch: epoch, freshEpoch: randomUUID() }));
  }

  /** Runs a script that does not begin with opening.lua. */
  call<Key extends string, Arg extends string>(
    script: NamedScript<Key, Arg>,
    keys: KeysOf<Key>,
    args: (server: ServerFacts) => ArgsOf<Arg>,
  ): Promise<RedisReply> {
    return this.redis.run(script, encodeKeys(script, keys), (server) => encodeArgs(script, args(server)));
  }

  async #page(keys: GroupKeys, index: 'created' | 'changed', after: number, { items, bytes }: Page): Promise<GroupState> {
    return groupStateOf(await this.run(PAGE, keys, { index: keys[index] }, { after, most: items, mostBytes: bytes }));
  }

  /** Rejects with STORE_UNAVAILABLE when the keys have the layout of another version, which this version cannot read. */
  async requireLayout(): Promise<void> {
    const { layout } = this.keys;
    let found = textOf(await this.redis.command('GET', layout));
    if (found === '') {
      await this.redis.command('SET', layout, LAYOUT, 'NX').catch(orFull);
      found = textOf(await this.redis.command('GET', layout));
    }
    if (found === LAYOUT || found === '') return;
    const advice = 'start the version of that layout, or set another key_prefix';
    throw new RivuletError('STORE_UNAVAILABLE', `the keys in Redis have the layout ${found}, and this version knows ${LAYOUT}; ${advice}`);
  }

  /** Begins an epoch in every partition now. Later the server may have no memory for it. */
  async begin(): Promise<void> {
    await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => this.#acceptRun(this.keys.partition(partition).partition)));
  }

  /** Goes on with the history of a partition if the server is durable, and otherwise begins a new epoch. */
  async #acceptRun(partition: string): Promise<void> {
    await this.call(ACCEPT_RUN, { partition }, ({ run, durable }) => ({ run, freshEpoch: randomUUID(), isDurable: durable ? 1 : 0 }));
  }
}

/** Bounds of one script that reads a page. */
export interface Page {
  readonly items: number;
  readonly bytes: number;
}

function groupStateOf([, epoch, offset, timestamp, floor, unwritten, ...rest]: readonly RedisReply[]): GroupState {
  return {
    position: { epoch: textOf(epoch), offset: Number(textOf(offset)) },
    timestamp: Number(textOf(timestamp)),
    floor: Number(textOf(floor)),
    unwritten: textOf(unwritten) === '1',
    rest: rest as readonly (Buffer | null)[],
  };
}

/** Returns a value of a reply as text; empty when it is missing. */
export function textOf(reply: RedisReply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString() : typeof reply === 'string' ? reply : '';
}

/** Returns a list of a reply as texts; empty when it is none. */
export function listOf(reply: RedisReply): string[] {
  return Array.isArray(reply) ? (reply as readonly RedisReply[]).map(textOf) : [];
}

/** Ignores STORE_FULL: a Redis without memory can still be read. */
function orFull(error: unknown): void {
  if (!(error instanceof RivuletError) || error.code !== 'STORE_FULL') throw error;
}

function unreadable(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the reply of Redis is not one of this script');
}
