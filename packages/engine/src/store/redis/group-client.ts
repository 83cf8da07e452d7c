import { randomUUID } from 'node:crypto';
import { LIMITS, type Position, RivuletError } from '@rivulet/protocol';
import type { GroupRef } from '../store.js';
import type { RedisReply } from './connection/redis-client.js';
import type { Redis } from './connection/redis-pool.js';
import type { ServerFacts } from './connection/server-info.js';
import { type GroupKeys, LAYOUT, PARTITIONS, type RedisKeys } from './keys.js';
import { ADOPT, type ArgsOf, encodeArgs, encodeKeys, type KeysOf, LOG, type NamedScript, PAGE, READ, RENEW } from './scripts.js';

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

type OpeningArg = 'run' | 'freshEpoch' | 'now';

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

  /** Runs a script that begins with opening.lua. `further` follows the named arguments. */
  async run<Key extends string, Arg extends string>(
    script: NamedScript<Key, Arg>,
    keys: KeysOf<Key> & { readonly partition: string },
    args: Omit<ArgsOf<Arg>, OpeningArg>,
    further: readonly string[] = [],
  ): Promise<readonly RedisReply[]> {
    const { partition } = keys;
    const names = encodeKeys(script, keys);
    for (let tries = 0; tries < MOST_FENCES; tries++) {
      const reply = await this.redis.run(script, names, ({ run }) => {
        const all = { ...args, run, freshEpoch: randomUUID(), now: this.#now() } as unknown as ArgsOf<Arg>;
        return encodeArgs(script, all, further);
      });
      if (!Array.isArray(reply)) throw unreadable();
      const list = reply as readonly RedisReply[];
      if (textOf(list[0]) !== 'fence') return list;
      // This node may have missed that the server got another history: read its facts first.
      if (tries === 0) await this.redis.askAgain(partition);
      else await this.#adopt(partition);
    }
    throw new RivuletError('STORE_UNAVAILABLE', 'Redis begins anew over and over again; find out what ends it');
  }

  /**
   * Items of a group, and under `once` what that key stands for. The first `least` items are read, and others while the values are few bytes: those
   * at the end may be missing. Of the first ones too, when they are more than any write may have.
   */
  read(ref: GroupRef, items: readonly string[], once?: string, least = items.length): Promise<Standing> {
    const keys = this.keys.of(ref);
    const bounds = { least, mostBytes: READ_BYTES, mostBytesOfAll: MOST_READ_BYTES };
    const names = { ...keys, ...keys.shared, once: once === undefined ? undefined : keys.once(once) };
    return this.run(READ, names, bounds, items).then(standingOf);
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
    return this.run(LOG, { ...keys, ...keys.shared }, {}).then(standingOf);
  }

  /** Ends the history that has this epoch: the server has less than it had. */
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

  async #page(keys: GroupKeys, index: 'created' | 'changed', after: number, { items, bytes }: Page): Promise<Standing> {
    const names = { ...keys, ...keys.shared, index: keys[index] };
    return standingOf(await this.run(PAGE, names, { after, most: items, mostBytes: bytes }));
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
    await this.call(ADOPT, { partition }, ({ run, durable }) => ({ run, freshEpoch: randomUUID(), isDurable: durable ? 1 : 0 }));
  }
}

/** How much one script reads at most. */
export interface Page {
  readonly items: number;
  readonly bytes: number;
}

function standingOf([, epoch, offset, timestamp, floor, unwritten, ...rest]: readonly RedisReply[]): Standing {
  return {
    position: { epoch: textOf(epoch), offset: Number(textOf(offset)) },
    timestamp: Number(textOf(timestamp)),
    floor: Number(textOf(floor)),
    unwritten: textOf(unwritten) === '1',
    rest: rest as readonly (Buffer | null)[],
  };
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
