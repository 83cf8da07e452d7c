import { PairMap } from '../../structures/pair-map.js';
import type { GroupRef } from '../store.js';

/** Turns that have passed are dropped from the list when there are this many. */
const SPENT_TURNS = 1_024;

/** A write that waits in a `FairQueue`. */
export interface Queued {
  /** The group that the write changes. */
  readonly ref: GroupRef;
  /** The session that wants the write; the engine's own writes share `undefined`. */
  readonly origin: string | undefined;
}

/** One place in the queue. It is a member of two lists: that of its origin and that of its group. */
interface Place<T> {
  readonly value: T;
  readonly lane: Lane<T>;
  readonly line: Line<T>;
  nextInLane: Place<T> | undefined;
  nextInLine: Place<T> | undefined;
}

/** The waiting writes of one origin, oldest first. */
interface Lane<T> {
  readonly origin: string | undefined;
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
 * Each operation takes constant time, except `putBack`.
 */
export class FairQueue<T extends Queued> {
  readonly #lanes = new Map<string | undefined, Lane<T>>();
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
    const lane = this.#laneOf(value.origin);
    const line = this.#lineOf(value.ref);
    const place: Place<T> = { value, lane, line, nextInLane: undefined, nextInLine: undefined };
    if (line.last === undefined) line.first = place;
    else line.last.nextInLine = place;
    line.last = place;
    if (lane.last === undefined) {
      lane.first = place;
      this.#turns.push(lane);
    } else lane.last.nextInLane = place;
    lane.last = place;
    this.#length++;
  }

  /** Returns the write whose turn it is and leaves it in the queue; `undefined` when the queue is empty. */
  peek(): T | undefined {
    for (;;) {
      const lane = this.#turns[this.#turn];
      const place = lane?.first;
      if (lane === undefined || place === undefined) return undefined;
      if (place.line.first === place) return place.value;
      lane.isBlocked = true;
      this.#turn++;
    }
  }

  /** Removes the write that `peek` returns. The next origin has its turn then. */
  shift(): T | undefined {
    if (this.peek() === undefined) return undefined;
    const lane = this.#turns[this.#turn++] as Lane<T>;
    const place = lane.first as Place<T>;
    this.#length--;
    lane.first = place.nextInLane;
    if (lane.first === undefined) this.#lanes.delete(lane.origin);
    else this.#turns.push(lane);
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
    const first = new Set<Lane<T>>();
    for (const value of values.toReversed()) {
      const lane = this.#laneOf(value.origin);
      const line = this.#lineOf(value.ref);
      const place: Place<T> = { value, lane, line, nextInLane: lane.first, nextInLine: line.first };
      line.first = place;
      line.last ??= place;
      lane.first = place;
      lane.last ??= place;
      this.#length++;
    }
    for (const value of values) first.add(this.#laneOf(value.origin));
    const others = Array.from(this.#lanes.values()).filter((lane) => !first.has(lane));
    this.#turns = [...first, ...others];
    this.#turn = 0;
    for (const lane of this.#turns) lane.isBlocked = false;
  }

  #leaveLine(place: Place<T>): void {
    const { line, value } = place;
    line.first = place.nextInLine;
    const next = line.first;
    if (next === undefined) {
      this.#lines.delete(value.ref.stream, value.ref.group);
      return;
    }
    if (!next.lane.isBlocked || next.lane.first !== next) return;
    next.lane.isBlocked = false;
    this.#turns.push(next.lane);
  }

  #laneOf(origin: string | undefined): Lane<T> {
    let lane = this.#lanes.get(origin);
    if (lane === undefined) {
      lane = { origin, first: undefined, last: undefined, isBlocked: false };
      this.#lanes.set(origin, lane);
    }
    return lane;
  }

  #lineOf({ stream, group }: GroupRef): Line<T> {
    let line = this.#lines.get(stream, group);
    if (line === undefined) {
      line = { first: undefined, last: undefined };
      this.#lines.set(stream, group, line);
    }
    return line;
  }
}
