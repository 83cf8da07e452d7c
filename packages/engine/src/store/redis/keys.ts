import { percentDecode, percentEncode } from '@rivulet/protocol';
import { PairMap } from '../../structures/pair-map.js';
import type { GroupRef } from '../store.js';

/**
 * Number of partitions. All keys of a partition share a hash tag, so that one script may use a group and its indexes in a Cluster too. The
 * number is part of the layout: with another number the store would not find its groups.
 */
export const PARTITIONS = 256;
/** Version of keys and values. It changes when an older version can no longer read what this version writes. */
export const LAYOUT = '1';
/** Groups whose key names are cached. */
const MOST_KNOWN = 16_384;

/** The keys of one group. `shared` has the keys that it shares with the other groups of its partition. */
export interface GroupKeys {
  /** Name of the group, unique within its partition. `refOf` decodes it. */
  readonly name: string;
  /** Channel on which write.lua publishes the steps of the group. */
  readonly channel: string;
  /** Channels of a Cluster for engines that follow the stream, and for engines that follow all streams. */
  readonly followed: readonly [string, string];
  /** Hash with offset, timestamp and floor; with `maxBytes` also the bytes of all items, and the offset for which they are counted. */
  readonly head: string;
  /** Hash with the value of each item. */
  readonly values: string;
  /** Hash with `<offset of creation> <offset of last change> <id of the value>` of each item. */
  readonly metas: string;
  /** Sorted set of items by the offset of their creation. */
  readonly created: string;
  /** Sorted set of items and tombstones by the offset of their last change. */
  readonly changed: string;
  /** Hash with the tombstone of each deleted item. */
  readonly tombstones: string;
  /** Sorted set of tombstones by the timestamp of the delete. */
  readonly tombstonesByTime: string;
  /** Sorted set of items by their deadline. */
  readonly deadlines: string;
  /** Hash with the node of each leased item. */
  readonly holders: string;
  /** List of the last steps, as they were published. */
  readonly log: string;
  /** Returns the key of the answer that is remembered under an idempotency key. */
  once(key: string): string;
  /** Set of the groups of the stream in this partition that have items. */
  readonly groups: string;
  readonly shared: PartitionKeys;
}

export interface PartitionKeys {
  /** Hash with the epoch, the run of the server that it belongs to, and the position at which a group without head begins. */
  readonly partition: string;
  /** Set of the streams that have groups with items. */
  readonly streams: string;
  /** Sorted set of groups by their earliest deadline. */
  readonly due: string;
  /** Sorted set of groups by the timestamp of their oldest tombstone, or of their last change. */
  readonly gcIndex: string;
  /**
   * A key that never exists. While a slot moves to another server, Redis refuses a script whose keys do not all exist on the old one. A
   * script that names this key therefore never runs on a part of its keys.
   */
  readonly absent: string;
  /** Prefix of the sorted sets of leased items, one for each node. */
  readonly held: string;
  /** Prefix of the keys of a group. Kind and name follow it. */
  readonly base: string;
}

export class RedisKeys {
  readonly #prefix: string;
  /** Prefix of channels. It names the database, because all databases of a server share the channels. */
  readonly #channels: string;
  /** The keys of recent groups. */
  #known = new PairMap<GroupKeys>();

  /** `prefix` must contain no braces and no `@`. */
  constructor(prefix: string, database: string) {
    this.#prefix = prefix;
    this.#channels = database === '0' ? prefix : `${prefix}@${database}`;
  }

  /** Key with the version of the layout. */
  get layout(): string {
    return `${this.#prefix}:layout`;
  }

  /** Sorted set of nodes by the time of their last heartbeat. */
  get nodes(): string {
    return `${this.#prefix}:nodes`;
  }

  /** Returns the canary channel of one engine. In a Cluster, `tag` decides which server has it. */
  canary(tag: string, node: string): string {
    return `${this.#prefix}:{${tag}}:canary:${node}`;
  }

  /** Returns the keys that all groups of a partition share. */
  partition(partition: number): PartitionKeys {
    const base = `${this.#prefix}:{${partition}}:`;
    return {
      base,
      partition: `${base}partition`,
      streams: `${base}streams`,
      due: `${base}due`,
      gcIndex: `${base}fading`,
      absent: `${base}absent`,
      held: `${base}held:`,
    };
  }

  /** Returns the key of the groups of a stream in one partition. */
  groups(partition: number, stream: string): string {
    return `${this.partition(partition).base}groups:${percentEncode(stream)}`;
  }

  /** Returns the pattern of the channels of all groups of a stream, or of all streams. */
  channelsOf(stream: string | undefined): string {
    // `*` is the only special character of patterns that percent encoding leaves as it is.
    const name = stream === undefined ? '*' : percentEncode(stream).replaceAll('*', '\\*');
    return `${this.#channels}:{*}:commits:${name}:*`;
  }

  /** Returns the channel of a Cluster with the steps of all groups of a stream, or of all streams, in one partition. */
  followed(partition: number, stream: string | undefined): string {
    const base = `${this.#channels}:{${partition}}:followed`;
    return stream === undefined ? base : `${base}:${percentEncode(stream)}`;
  }

  /** Returns the keys of a group. */
  of(ref: GroupRef): GroupKeys {
    const known = this.#known.get(ref.stream, ref.group);
    if (known !== undefined) return known;
    if (this.#known.size >= MOST_KNOWN) this.#known = new PairMap();
    const keys = this.#keysOf(ref);
    this.#known.set(ref.stream, ref.group, keys);
    return keys;
  }

  #keysOf(ref: GroupRef): GroupKeys {
    const name = nameOf(ref);
    const partition = hashOf(name) % PARTITIONS;
    const shared = this.partition(partition);
    const key = (kind: string) => `${shared.base}${kind}:${name}`;
    return {
      name,
      channel: `${this.#channels}:{${partition}}:commits:${name}`,
      followed: [this.followed(partition, ref.stream), this.followed(partition, undefined)],
      head: key('head'),
      values: key('values'),
      metas: key('metas'),
      created: key('created'),
      changed: key('changed'),
      tombstones: key('tombstones'),
      tombstonesByTime: key('buried'),
      deadlines: key('deadlines'),
      holders: key('holders'),
      log: key('log'),
      once: (text) => key(`once:${percentEncode(text)}`),
      groups: this.groups(partition, ref.stream),
      shared,
    };
  }
}

/** Returns the name of a group. Two groups never share one, because ids are well-formed and their encoding has no colon. */
function nameOf({ stream, group }: GroupRef): string {
  return `${percentEncode(stream)}:${percentEncode(group)}`;
}

/** Returns the group of a channel. */
export function refOfChannel(channel: string): GroupRef {
  return refOf(channel.slice(channel.indexOf('}:commits:') + '}:commits:'.length));
}

/** Returns the group with this name. */
export function refOf(name: string): GroupRef {
  const at = name.indexOf(':');
  return { stream: decoded(name.slice(0, at)), group: decoded(name.slice(at + 1)) };
}

/** Decodes a part of a name. Another program may publish on such a channel: a malformed part stays as it is, and nobody watches it. */
function decoded(text: string): string {
  return percentDecode(text) ?? text;
}

/** Returns the FNV-1a hash of the UTF-16 code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
