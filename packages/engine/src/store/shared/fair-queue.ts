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
  readonly lane: Lane<T>;
  /** `undefined` while its origin is alone: the order of the origin is that of the group then. */
  line: Line<T> | undefined;
  nextInLane: Place<T> | undefined;
  nextInLine: Place<T> | undefined;
}

/** The waiting writes of one origin, oldest first. */
interface Lane<T> {
  readonly key: string;
  first: Place<T> | undefined;
  last: Place<T> | undefined;
  /** The first write waits for a write of another origin to the same group, so the lane has no turn. */
  isBlocked: boolean;
}

/** The waiting writes to one group, oldest first. */
interface Line<T> {
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
  readonly #lanes = new Map<string, Lane<T>>();
  readonly #lines = new PairMap<Line<T>>();
  /** Lanes in the order of their turns, from `#turn` on. Blocked lanes are absent. */
  #turns: Lane<T>[] = [];
  #turn = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a write behind all others of its origin and of its group. */
  add(value: T): void {
    const key = laneKey(value);
    const lane = this.#lanes.get(key) ?? this.#open(key);
    const place: Place<T> = { value, lane, line: undefined, nextInLane: undefined, nextInLine: undefined };
    if (this.#lanes.size > 1) this.#appendToLine(place);
    if (lane.last === undefined) {
      lane.first = place;
      this.#turns.push(lane);
    } else lane.last.nextInLane = place;
    lane.last = place;
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
    const { lane } = place;
    this.#length--;
    lane.first = place.nextInLane;
    if (lane.first === undefined) {
      this.#lanes.delete(lane.key);
      this.#turn++;
    } else if (this.#lanes.size > 1) {
      this.#turn++;
      this.#turns.push(lane);
    }
    this.#leaveLine(place);
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
    const keys = values.map(laneKey);
    for (const key of keys) if (!this.#lanes.has(key)) this.#open(key);
    const hasLines = this.#lanes.size > 1 || this.#lines.size > 0;
    for (const value of values.toReversed()) {
      const lane = this.#lanes.get(laneKey(value)) as Lane<T>;
      const place: Place<T> = { value, lane, line: undefined, nextInLane: lane.first, nextInLine: undefined };
      if (hasLines) this.#prependToLine(place);
      lane.first = place;
      lane.last ??= place;
      this.#length++;
    }
    const first = new Set(keys.map((key) => this.#lanes.get(key) as Lane<T>));
    const others = Array.from(this.#lanes.values()).filter((lane) => !first.has(lane));
    this.#turns = [...first, ...others];
    this.#turn = 0;
    for (const lane of this.#turns) lane.isBlocked = false;
  }

  #next(): Place<T> | undefined {
    for (;;) {
      const lane = this.#turns[this.#turn];
      const place = lane?.first;
      if (lane === undefined || place === undefined) return undefined;
      if (place.line === undefined || place.line.first === place) return place;
      lane.isBlocked = true;
      this.#turn++;
    }
  }

  #open(key: string): Lane<T> {
    if (this.#lanes.size === 1) for (const { first } of this.#lanes.values()) this.#buildLines(first);
    const lane: Lane<T> = { key, first: undefined, last: undefined, isBlocked: false };
    this.#lanes.set(key, lane);
    return lane;
  }

  /** Gives each place of the only lane a line. Places that have one already are older than the others. */
  #buildLines(first: Place<T> | undefined): void {
    for (let place = first; place !== undefined; place = place.nextInLane) if (place.line === undefined) this.#appendToLine(place);
  }

  #appendToLine(place: Place<T>): void {
    const line = this.#lineOf(place);
    if (line.last === undefined) line.first = place;
    else line.last.nextInLine = place;
    line.last = place;
  }

  #prependToLine(place: Place<T>): void {
    const line = this.#lineOf(place);
    place.nextInLine = line.first;
    line.first = place;
    line.last ??= place;
  }

  #lineOf(place: Place<T>): Line<T> {
    const { stream, group } = place.value.ref;
    let line = this.#lines.get(stream, group);
    if (line === undefined) {
      line = { first: undefined, last: undefined };
      this.#lines.set(stream, group, line);
    }
    place.line = line;
    return line;
  }

  #leaveLine({ line, value, nextInLine: next }: Place<T>): void {
    if (line === undefined) return;
    line.first = next;
    if (next === undefined) {
      this.#lines.delete(value.ref.stream, value.ref.group);
      return;
    }
    if (!next.lane.isBlocked || next.lane.first !== next) return;
    next.lane.isBlocked = false;
    this.#turns.push(next.lane);
  }
}

/** Ids of sessions and of groups have no control characters. */
function laneKey({ origin, ref }: Queued): string {
  return origin ?? `${ref.stream}\u0000${ref.group}`;
}
