import { percentDecode, percentEncode } from '@rivulet/protocol';
import { PairMap } from '../../structures/pair-map.js';
import type { GroupRef } from '../store.js';

/**
 * All keys of a partition share a hash tag, so that one script may touch a group and the indexes that it is in, also in a Cluster. The number
 * is part of the layout: another one finds nothing.
 */
export const PARTITIONS = 256;
/** Grows when an earlier version can't read any more what this one writes. */
export const LAYOUT = '1';
/** Groups whose keys are kept. */
const MOST_KNOWN = 16_384;

/** Names of the keys of one group, and of what it shares with the others of its partition. */
export interface GroupKeys {
  /** Of the group, unique within its partition; `refOf` reads it. */
  readonly name: string;
  /** Where its commits are published. */
  readonly channel: string;
  /** Where they are published in a Cluster for who follows its stream, and for who follows all streams. */
  readonly followed: readonly [string, string];
  /** Position, stamp and floor. */
  readonly head: string;
  /** Value of each item. */
  readonly values: string;
  /** Offsets of creation and last change of each item, and the `id` of its value. */
  readonly metas: string;
  /** Items by the offset of their creation. */
  readonly created: string;
  /** Items and tombstones by the offset of their last change. */
  readonly changed: string;
  readonly tombstones: string;
  /** Tombstones by the stamp of the delete. */
  readonly tombstonesByTime: string;
  /** Items by when they go. */
  readonly deadlines: string;
  /** Items that a node holds. */
  readonly holders: string;
  /** The last commits, as they were published. */
  readonly log: string;
  /** What an idempotency key stands for. */
  once(key: string): string;
  /** Groups of the stream, of this partition, that have items. */
  readonly groups: string;
  readonly shared: PartitionKeys;
}

export interface PartitionKeys {
  /** Epoch, the run of the server that it belongs to, and where a group begins that has no head. */
  readonly partition: string;
  /** Streams that have groups with items. */
  readonly streams: string;
  /** Groups by when the first of their items goes. */
  readonly due: string;
  /** Groups by when something of them may be forgotten. */
  readonly gcIndex: string;
  /** Never there: while its slot moves to another server, nothing that needs what is not there is begun, and nothing ends half-way. */
  readonly absent: string;
  /** Prefix of what a node holds. */
  readonly held: string;
  /** Prefix of the keys of a group by kind and name. */
  readonly base: string;
}

export class RedisKeys {
  readonly #prefix: string;
  /** Of channels, which all databases of a server share. */
  readonly #channels: string;
  /** Made once for a group: they are many, and long. */
  #known = new PairMap<GroupKeys>();

  /** `prefix` holds neither braces nor `@`. */
  constructor(prefix: string, database: string) {
    this.#prefix = prefix;
    this.#channels = database === '0' ? prefix : `${prefix}@${database}`;
  }

  /** Which layout of keys and values this is. */
  get layout(): string {
    return `${this.#prefix}:layout`;
  }

  /** Nodes by when they were last heard of. */
  get nodes(): string {
    return `${this.#prefix}:nodes`;
  }

  /** Channel of one engine alone; `tag` decides in a Cluster which server has it. */
  canary(tag: string, node: string): string {
    return `${this.#prefix}:{${tag}}:canary:${node}`;
  }

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

  groups(partition: number, stream: string): string {
    return `${this.partition(partition).base}groups:${percentEncode(stream)}`;
  }

  /** What matches the channels of all groups of a stream, or of all streams. */
  channelsOf(stream: string | undefined): string {
    // Of what stands for something in a pattern the encoding leaves only this.
    const name = stream === undefined ? '*' : percentEncode(stream).replaceAll('*', '\\*');
    return `${this.#channels}:{*}:commits:${name}:*`;
  }

  /** In a Cluster channels have no patterns: where the commits of a partition are published for who follows a stream, or all. */
  followed(partition: number, stream: string | undefined): string {
    const base = `${this.#channels}:{${partition}}:followed`;
    return stream === undefined ? base : `${base}:${percentEncode(stream)}`;
  }

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

/** Ids are well-formed, so each has an encoding of its own, without a colon. */
function nameOf({ stream, group }: GroupRef): string {
  return `${percentEncode(stream)}:${percentEncode(group)}`;
}

/** The group whose commits are published there. */
export function refOfChannel(channel: string): GroupRef {
  return refOf(channel.slice(channel.indexOf('}:commits:') + '}:commits:'.length));
}

export function refOf(name: string): GroupRef {
  const at = name.indexOf(':');
  return { stream: decoded(name.slice(0, at)), group: decoded(name.slice(at + 1)) };
}

/** Another program may publish on such a channel; its name then names a group that nobody watches. */
function decoded(text: string): string {
  return percentDecode(text) ?? text;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
