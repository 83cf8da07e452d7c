import type { Position, SyncReason } from '@rivulet/protocol';
import type { Commit, GroupRef } from '../../store/store.js';
import { GroupLog } from './group-log.js';

/** Largest piece that is written to a socket at once, unless a single frame is larger. */
export const SEGMENT_BYTES = 65_536;

/** The cursor of one reader, as the fan-out needs it. `Subscription` is the only class that implements it. */
export interface LiveReader {
  state: 'live' | 'catching_up' | 'closed';
  cursor: number;
  readonly watchesGroup: boolean;
  readonly items: Iterable<string>;
  readonly onlyItem: string | undefined;
  readonly subscriber: { readonly ready: boolean; write(frames: Buffer): void };
}

/** Takes over a reader that a flush can't serve with a shared batch. */
export type StartCatchUp<Reader> = (reader: Reader) => void;

/**
 * The fan-out of one group: its log, and the subscriptions that stand at its head. A flush encodes nothing and allocates nothing
 * for a subscriber: all of them get the same segments. Whoever is not exactly at the start of the batch, or can't take it now,
 * catches up on its own.
 */
export class GroupFanout<Reader extends LiveReader = LiveReader> implements GroupRef {
  readonly stream: string;
  readonly group: string;
  readonly log = new GroupLog();
  /** Live subscriptions of the whole group. */
  readonly #live = new Set<Reader>();
  /** Live subscriptions of single items; absent until there is one. */
  #itemLive: Map<string, Set<Reader>> | undefined;
  #flushed = 0;
  #members = 0;
  /** Resolvers of those who wait for an append; absent when nobody does. */
  #waiting: Set<() => void> | undefined;
  /** Grows when the history breaks: cursors of an earlier one mean nothing. */
  history = 0;
  /** Why it broke last. */
  brokenBy: SyncReason | undefined;
  /** Epoch of the history; `undefined` until a position is known. */
  epoch: string | undefined;
  /** Waits in the hub's list for the end of the turn. */
  dirty = false;
  /** Monotonic milliseconds of the last line about a failed read; none was written yet. */
  warnedAt = Number.NEGATIVE_INFINITY;
  /** Monotonic milliseconds since which the store can't reach the group, as it has said. */
  unavailableSince: number | undefined;
  readonly #watch: () => Promise<void>;
  #watching: Promise<void> | undefined;
  #watched = false;

  /** `watch`: the store's, for this group. */
  constructor(ref: GroupRef, watch: () => Promise<void>) {
    this.stream = ref.stream;
    this.group = ref.group;
    this.#watch = watch;
    // Whoever joins awaits it and hears of a failure; without a joiner nobody would.
    this.watched().catch(() => {});
  }

  /** Resolves when the store reports every commit of the group, before the first read. After a failure the next who asks tries again. */
  watched(): Promise<void> {
    if (this.#watching !== undefined) return this.#watching;
    const watching = this.#watch();
    this.#watching = watching;
    watching.then(
      () => (this.#watched = true),
      () => {
        if (this.#watching === watching) this.#watching = undefined;
      },
    );
    return watching;
  }

  /** The store reports what happens to it, and whether it can be reached. */
  get isWatched(): boolean {
    return this.#watched;
  }

  /** Ends what `watched` began, if it did. */
  unwatch(unwatch: () => void): void {
    this.#watching?.then(unwatch, () => {});
  }

  /** Where the group stands as far as it is known here. */
  get position(): Position | undefined {
    return this.epoch === undefined || !this.log.begun ? undefined : { epoch: this.epoch, offset: this.log.head };
  }

  /** Subscriptions, live or not. */
  get size(): number {
    return this.#members;
  }

  enter(): void {
    this.#members++;
  }

  exit(subscription: Reader): void {
    this.#members--;
    this.#unlink(subscription);
  }

  /** States where the group stands when nothing was appended yet. */
  begin(position: Position): void {
    this.epoch ??= position.epoch;
    if (this.log.begun) return;
    this.log.begin(position.offset);
    this.#flushed = position.offset;
  }

  /** Answers whether the change was new. */
  append({ position, item, effect }: Commit, frame: Buffer, time: number): boolean {
    const { epoch, offset } = position;
    if (!this.log.begun) this.begin({ epoch, offset: offset - 1 });
    if (!this.log.append(offset, item, frame, time, effect === 'event')) return false;
    this.wake();
    return true;
  }

  /** Resolves with true at the next append or `wake`, and with false after `milliseconds` without one. */
  whenAppended(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiting = this.#waiting ?? new Set();
      this.#waiting = waiting;
      const wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        waiting.delete(wake);
        if (waiting.size === 0 && this.#waiting === waiting) this.#waiting = undefined;
        resolve(false);
      }, milliseconds).unref();
      waiting.add(wake);
    });
  }

  /** Catch-ups that wait for the next append. */
  get waiting(): number {
    return this.#waiting?.size ?? 0;
  }

  wake(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    for (const wake of waiting) wake();
  }

  /** The cursor is at the head: from now on it shares the batch. */
  goLive(subscription: Reader): void {
    subscription.state = 'live';
    if (subscription.watchesGroup) {
      this.#live.add(subscription);
      return;
    }
    this.#itemLive ??= new Map();
    for (const item of subscription.items) {
      let set = this.#itemLive.get(item);
      if (set === undefined) {
        set = new Set();
        this.#itemLive.set(item, set);
      }
      set.add(subscription);
    }
  }

  /** Takes a live subscription out of the batch, its cursor stating exactly what it has. Call `catchUp` for it afterwards. */
  leaveLive(subscription: Reader): void {
    if (subscription.state !== 'live') return;
    // A live item subscription does not move its cursor for changes of other items.
    if (!subscription.watchesGroup) subscription.cursor = Math.max(subscription.cursor, this.#flushed);
    this.#unlink(subscription);
    subscription.state = 'catching_up';
  }

  /** Writes what was appended since the last flush to everyone who is live. Answers how many subscriptions it looked at. */
  flush(catchUp: StartCatchUp<Reader>): number {
    const from = this.#flushed;
    const head = this.log.head;
    if (from >= head) return 0;
    const lost = this.log.base > from;
    const segments = lost || this.#live.size === 0 ? [] : this.#segments(from);
    let visited = 0;
    for (const subscription of this.#live) {
      visited++;
      if (subscription.cursor >= head) continue;
      if (lost || !deliver(subscription, from, segments)) this.lag(subscription, catchUp);
    }
    if (this.#itemLive !== undefined) visited += this.#flushItems(from, head, lost, catchUp);
    this.#flushed = head;
    return visited;
  }

  /**
   * The history broke, and goes on at `position` where that is known: nobody's cursor means anything now. Those that lag or join find out
   * by `history`.
   */
  restart(position: Position | undefined, reason: SyncReason, catchUp: StartCatchUp<Reader>): void {
    this.history++;
    this.brokenBy = reason;
    if (position !== undefined) {
      this.epoch = position.epoch;
      this.log.restart(position.offset);
    }
    this.#wakeAll(catchUp);
    if (position !== undefined) this.#flushed = position.offset;
  }

  /** Commits were missed: the log goes on at `position`, and those who stand before it catch up from the store. */
  skipTo(position: Position, catchUp: StartCatchUp<Reader>): void {
    this.log.restart(position.offset);
    this.#wakeAll(catchUp);
    this.#flushed = position.offset;
  }

  /** Those who stand at the head, each once. */
  live(): ReadonlySet<Reader> {
    const live = new Set(this.#live);
    for (const set of this.#itemLive?.values() ?? []) for (const subscription of set) live.add(subscription);
    return live;
  }

  #wakeAll(catchUp: StartCatchUp<Reader>): void {
    for (const subscription of this.live()) this.lag(subscription, catchUp);
    this.wake();
  }

  #flushItems(from: number, head: number, lost: boolean, catchUp: StartCatchUp<Reader>): number {
    const itemLive = this.#itemLive as Map<string, Set<Reader>>;
    let visited = 0;
    for (const item of lost ? [...itemLive.keys()] : this.log.changedItems(from)) {
      const subscriptions = itemLive.get(item);
      if (subscriptions === undefined) continue;
      const segments = lost ? [] : this.#segments(from, { wants: (changed) => changed === item });
      for (const subscription of subscriptions) {
        visited++;
        if (subscription.cursor >= head) continue;
        const simple = !lost && subscription.onlyItem === item && subscription.cursor <= from;
        if (simple) subscription.cursor = from;
        if (!simple || !deliver(subscription, from, segments)) this.lag(subscription, catchUp);
      }
    }
    return visited;
  }

  #segments(from: number, filter?: { wants(item: string | undefined): boolean }): readonly Segment[] {
    const segments: Segment[] = [];
    let at = from;
    while (at < this.log.head) {
      const { frames, cursor } = this.log.stretch(at, filter === undefined ? WHOLE : { ...WHOLE, filter });
      at = cursor;
      if (frames !== undefined) segments.push({ frames, cursor });
    }
    return segments;
  }

  /** It goes on by itself, as soon as its socket takes something. */
  lag(subscription: Reader, catchUp: StartCatchUp<Reader>): void {
    this.leaveLive(subscription);
    catchUp(subscription);
  }

  #unlink(subscription: Reader): void {
    this.#live.delete(subscription);
    if (this.#itemLive === undefined) return;
    for (const item of subscription.items) {
      const set = this.#itemLive.get(item);
      set?.delete(subscription);
      if (set?.size === 0) this.#itemLive.delete(item);
    }
    if (this.#itemLive.size === 0) this.#itemLive = undefined;
  }
}

interface Segment {
  readonly frames: Buffer;
  /** Cursor of whoever has got this segment. */
  readonly cursor: number;
}

const WHOLE = { maxBytes: SEGMENT_BYTES } as const;

/** False when the subscription can't take the whole batch; its cursor then says how far it got. */
function deliver(subscription: LiveReader, from: number, segments: readonly Segment[]): boolean {
  if (subscription.cursor !== from) return false;
  const { subscriber } = subscription;
  for (const segment of segments) {
    if (!subscriber.ready) return false;
    subscriber.write(segment.frames);
    subscription.cursor = segment.cursor;
  }
  return true;
}
