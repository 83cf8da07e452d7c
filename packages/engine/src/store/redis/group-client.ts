import { randomUUID } from 'node:crypto';
import { LIMITS, type Position, RivuletError } from '@rivulet/protocol';
import type { GroupRef } from '../store.js';
import type { RedisReply } from './connection/redis-client.js';
import type { Redis } from './connection/redis-pool.js';
import type { RedisScript } from './connection/server-connection.js';
import { type GroupKeys, LAYOUT, PARTITIONS, type RedisKeys } from './keys.js';
import { ADOPT, LOG, PAGE, READ, RENEW } from './scripts.js';

/** Where a group stands, and the rest of what a script answers. */
export interface Standing {
  readonly position: Position;
  readonly timestamp: number;
  /** `changes` can't answer below it. */
  readonly floor: number;
  /** It has no history, and stands where the last group that was forgotten stood. */
  readonly unwritten: boolean;
  readonly rest: readonly (Buffer | null)[];
}

/** Bytes of values after which a script reads no further item for other writes. */
const READ_BYTES = 4_194_304;
/** Bytes of the values of one write: more than these have more characters than a batch may have. */
const MOST_READ_BYTES = 4 * LIMITS.batchChars;

/** So often a script is asked again that found another run of the server. */
const MOST_FENCES = 5;

/** Runs the scripts of groups, and decides whether a history goes on after the server began anew. */
export class RedisGroups {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly #now: () => number;

  /** `now`: Unix milliseconds. */
  constructor(redis: Redis, keys: RedisKeys, now: () => number) {
    this.redis = redis;
    this.keys = keys;
    this.#now = now;
  }

  /** Runs a script that begins with a look at the run of the server. */
  async run(
    script: RedisScript,
    keys: GroupKeys,
    names: readonly string[],
    args: readonly (string | Buffer)[],
  ): Promise<readonly RedisReply[]> {
    const all = [keys.shared.partition, keys.head, ...names];
    for (let tries = 0; tries < MOST_FENCES; tries++) {
      const reply = await this.redis.run(script, all, ({ run }) => [run, randomUUID(), String(this.#now()), ...args]);
      if (!Array.isArray(reply)) throw unreadable();
      const list = reply as readonly RedisReply[];
      if (textOf(list[0]) !== 'fence') return list;
      // It may be this node that does not know what the server has become meanwhile.
      if (tries === 0) await this.redis.askAgain(keys.shared.partition);
      else await this.#adopt(keys.shared.partition);
    }
    throw new RivuletError('STORE_UNAVAILABLE', 'Redis begins anew over and over again; find out what ends it');
  }

  /**
   * Items of a group, and under `once` what that key stands for. The first `least` items are read, and others while the values are few bytes: those
   * at the end may be missing. Of the first ones too, when they are more than any write may have.
   */
  read(ref: GroupRef, items: readonly string[], once?: string, least = items.length): Promise<Standing> {
    const keys = this.keys.of(ref);
    const bounds = [least, READ_BYTES, MOST_READ_BYTES].map(String);
    return this.#standing(READ, keys, [keys.values, keys.metas, ...(once === undefined ? [] : [keys.once(once)])], [...bounds, ...items]);
  }

  /** Items created after an offset: id, value and meta of each. */
  created(ref: GroupRef, after: number, page: Page): Promise<Standing> {
    return this.#page(this.keys.of(ref), 'created', after, page);
  }

  /** What changed after an offset: id, value and meta of each; of what is gone no value, and the tombstone. */
  changed(ref: GroupRef, after: number, page: Page): Promise<Standing> {
    return this.#page(this.keys.of(ref), 'changed', after, page);
  }

  /** The last commits as they were published. */
  log(ref: GroupRef): Promise<Standing> {
    const keys = this.keys.of(ref);
    return this.#standing(LOG, keys, [keys.log], []);
  }

  /** Ends the history that has this epoch: the server has less than it had. */
  async renew(ref: GroupRef, epoch: string): Promise<void> {
    await this.redis.run(RENEW, [this.keys.of(ref).shared.partition], () => [epoch, randomUUID()]);
  }

  #page(keys: GroupKeys, index: 'created' | 'changed', after: number, { items, bytes }: Page): Promise<Standing> {
    return this.#standing(PAGE, keys, [keys.values, keys.metas, keys[index], keys.tombstones], [after, items, bytes].map(String));
  }

  async #standing(script: RedisScript, keys: GroupKeys, names: readonly string[], args: readonly string[]): Promise<Standing> {
    const [, epoch, offset, stamp, floor, unwritten, ...rest] = await this.run(script, keys, names, args);
    return {
      position: { epoch: textOf(epoch), offset: Number(textOf(offset)) },
      timestamp: Number(textOf(stamp)),
      floor: Number(textOf(floor)),
      unwritten: textOf(unwritten) === '1',
      rest: rest as readonly (Buffer | null)[],
    };
  }

  /** Rejects when another version of this software shares the keys that writes them in a way that this one can't read. */
  async requireLayout(): Promise<void> {
    const { layout } = this.keys;
    let found = textOf(await this.redis.command('GET', layout));
    if (found === '') {
      await this.redis.command('SET', layout, LAYOUT, 'NX').catch(orFull);
      found = textOf(await this.redis.command('GET', layout));
    }
    if (found === LAYOUT || found === '') return;
    const advice = 'start the version that wrote it, or give another key_prefix';
    throw new RivuletError('STORE_UNAVAILABLE', `the keys in Redis have the layout ${found}, and this version knows ${LAYOUT}; ${advice}`);
  }

  /** Every partition has a history from now on, so that none has to begin when there is no room. */
  async begin(): Promise<void> {
    await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => this.#adopt(this.keys.partition(partition).partition)));
  }

  /** Another run has what it acknowledged only if it was written through to its disk each time. */
  async #adopt(partition: string): Promise<void> {
    await this.redis.run(ADOPT, [partition], ({ run, durable }) => [run, randomUUID(), durable ? '1' : '0']);
  }
}

/** How much one script reads at most. */
export interface Page {
  readonly items: number;
  readonly bytes: number;
}

export function textOf(reply: RedisReply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString() : typeof reply === 'string' ? reply : '';
}

export function listOf(reply: RedisReply): string[] {
  return Array.isArray(reply) ? (reply as readonly RedisReply[]).map(textOf) : [];
}

/** Without memory for a key the engine can read all the same. */
function orFull(error: unknown): void {
  if (!(error instanceof RivuletError) || error.code !== 'STORE_FULL') throw error;
}

function unreadable(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'Redis answered something else than the script says');
}
