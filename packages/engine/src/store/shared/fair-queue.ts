import { PairMap } from '../../structures/pair-map.js';
import type { GroupRef } from '../store.js';

/** Turns that have passed are dropped from the list when there are this many. */
const SPENT_TURNS = 1_024;

/** A write that waits in a `FairQueue`. */
export interface Queued {
  /** The group that the write changes. */
  readonly ref: GroupRef;
  /**
   * The session that wants the write. `undefined` for the engine itself: its writes to one group count as an origin of their own, so that a
   * busy group delays none of its other writes.
   */
  readonly origin: string | undefined;
}

/** One place in the queue. It is a member of two lists: that of its origin and, when there are several origins, that of its group. */
interface Place<T> {
  readonly value: T;
  readonly originList: OriginList<T>;
  /** `undefined` while its origin is alone: the order of the origin is that of the group then. */
  groupList: GroupList<T> | undefined;
  nextOfOrigin: Place<T> | undefined;
  nextOfGroup: Place<T> | undefined;
}

/** The waiting writes of one origin, oldest first. */
interface OriginList<T> {
  readonly key: string;
  first: Place<T> | undefined;
  last: Place<T> | undefined;
  /** The first write waits for a write of another origin to the same group, so this origin has no turn. */
  isBlocked: boolean;
}

/** The waiting writes to one group, oldest first. */
interface GroupList<T> {
  first: Place<T> | undefined;
  last: Place<T> | undefined;
}

/**
 * A queue of writes in which origins take turns: after one write of an origin, the next origin has its turn. A session whose writes are
 * expensive therefore delays the writes of others by one write, not by all of its writes.
 *
 * Two orders stay as they were when the writes were added: that of the writes to one group, and that of the writes of one origin. A write
 * is next only when it is the first one in both orders. The oldest write of all is always the first one in both, so the queue never blocks.
 *
 * The list of a group costs time and memory, so there are such lists only while several origins wait. They are built when the second origin
 * arrives. Except for that moment and for `putBack`, each operation takes constant time.
 */
export class FairQueue<T extends Queued> {
  readonly #origins = new Map<string, OriginList<T>>();
  readonly #groups = new PairMap<GroupList<T>>();
  /** Origins in the order of their turns, from `#turn` on. Blocked origins are absent. */
  #turns: OriginList<T>[] = [];
  #turn = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a write behind all others of its origin and of its group. */
  add(value: T): void {
    const key = originKey(value);
    const originList = this.#origins.get(key) ?? this.#open(key);
    const place: Place<T> = { value, originList, groupList: undefined, nextOfOrigin: undefined, nextOfGroup: undefined };
    if (this.#origins.size > 1) this.#appendToGroup(place);
    if (originList.last === undefined) {
      originList.first = place;
      this.#turns.push(originList);
    } else originList.last.nextOfOrigin = place;
    originList.last = place;
    this.#length++;
  }

  /** Returns the write whose turn it is and leaves it in the queue; `undefined` when the queue is empty. */
  peek(): T | undefined {
    return this.#next()?.value;
  }

  /** Removes the write that `peek` returns. The next origin has its turn then. */
  shift(): T | undefined {
    const place = this.#next();
    if (place === undefined) return undefined;
    const { originList } = place;
    this.#length--;
    originList.first = place.nextOfOrigin;
    if (originList.first === undefined) {
      this.#origins.delete(originList.key);
      this.#turn++;
    } else if (this.#origins.size > 1) {
      this.#turn++;
      this.#turns.push(originList);
    }
    this.#leaveGroup(place);
    if (this.#turn === this.#turns.length || this.#turn >= SPENT_TURNS) {
      this.#turns = this.#turns.slice(this.#turn);
      this.#turn = 0;
    }
    return place.value;
  }

  /**
   * Puts writes before all others: the ones that `shift` returned last, in that order. Their origins have the next turns. Takes time in
   * proportion to the writes and to the origins in the queue.
   */
  putBack(values: readonly T[]): void {
    const keys = values.map(originKey);
    for (const key of keys) if (!this.#origins.has(key)) this.#open(key);
    const hasGroupLists = this.#origins.size > 1 || this.#groups.size > 0;
    for (const value of values.toReversed()) {
      const originList = this.#origins.get(originKey(value)) as OriginList<T>;
      const place: Place<T> = { value, originList, groupList: undefined, nextOfOrigin: originList.first, nextOfGroup: undefined };
      if (hasGroupLists) this.#prependToGroup(place);
      originList.first = place;
      originList.last ??= place;
      this.#length++;
    }
    const first = new Set(keys.map((key) => this.#origins.get(key) as OriginList<T>));
    const others = Array.from(this.#origins.values()).filter((originList) => !first.has(originList));
    this.#turns = [...first, ...others];
    this.#turn = 0;
    for (const originList of this.#turns) originList.isBlocked = false;
  }

  #next(): Place<T> | undefined {
    for (;;) {
      const originList = this.#turns[this.#turn];
      const place = originList?.first;
      if (originList === undefined || place === undefined) return undefined;
      if (place.groupList === undefined || place.groupList.first === place) return place;
      originList.isBlocked = true;
      this.#turn++;
    }
  }

  #open(key: string): OriginList<T> {
    if (this.#origins.size === 1) for (const { first } of this.#origins.values()) this.#buildGroupLists(first);
    const originList: OriginList<T> = { key, first: undefined, last: undefined, isBlocked: false };
    this.#origins.set(key, originList);
    return originList;
  }

  /** Adds each place of the only origin to the list of its group. Places that are in one already are older than the others. */
  #buildGroupLists(first: Place<T> | undefined): void {
    for (let place = first; place !== undefined; place = place.nextOfOrigin) if (place.groupList === undefined) this.#appendToGroup(place);
  }

  #appendToGroup(place: Place<T>): void {
    const groupList = this.#groupListOf(place);
    if (groupList.last === undefined) groupList.first = place;
    else groupList.last.nextOfGroup = place;
    groupList.last = place;
  }

  #prependToGroup(place: Place<T>): void {
    const groupList = this.#groupListOf(place);
    place.nextOfGroup = groupList.first;
    groupList.first = place;
    groupList.last ??= place;
  }

  #groupListOf(place: Place<T>): GroupList<T> {
    const { stream, group } = place.value.ref;
    let groupList = this.#groups.get(stream, group);
    if (groupList === undefined) {
      groupList = { first: undefined, last: undefined };
      this.#groups.set(stream, group, groupList);
    }
    place.groupList = groupList;
    return groupList;
  }

  #leaveGroup({ groupList, value, nextOfGroup: next }: Place<T>): void {
    if (groupList === undefined) return;
    groupList.first = next;
    if (next === undefined) {
      this.#groups.delete(value.ref.stream, value.ref.group);
      return;
    }
    if (!next.originList.isBlocked || next.originList.first !== next) return;
    next.originList.isBlocked = false;
    this.#turns.push(next.originList);
  }
}

/** Ids of sessions and of groups have no control characters. */
function originKey({ origin, ref }: Queued): string {
  return origin ?? `${ref.stream}\u0000${ref.group}`;
}
