import type { Position, SyncReason } from '@rivulet/protocol';
import type { Commit, GroupRef } from '../../store/store.js';
import type { FlushRing } from '../../why/flush-ring.js';
import { GroupLog } from './group-log.js';
import { newStreamCounts, type StreamCounts } from './stream-counts.js';

/** Bytes that are written to a socket at once, unless a single frame is larger. */
export const SEGMENT_BYTES = 65_536;

/** The cursor of one reader as the fan-out sees it. `Subscription` is the only class that implements it. */
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
 * The fan-out of one group: its log, and the readers at the head of the log. All of them get the same segments, so a flush encodes nothing
 * and allocates nothing for a single reader. A reader that is not at the start of the batch, or whose socket is full, catches up on its
 * own.
 */
export class GroupFanout<Reader extends LiveReader = LiveReader> implements GroupRef {
  readonly stream: string;
  readonly group: string;
  readonly log = new GroupLog();
  /** Figures in which the group counts. */
  readonly counts: StreamCounts;
  /** Live subscriptions of the whole group. */
  readonly #live = new Set<Reader>();
  /** Live subscriptions of single items; absent until there is one. */
  #itemLive: Map<string, Set<Reader>> | undefined;
  #flushed = 0;
  #members = 0;
  /** Resolvers of the catch-ups that wait for an append; absent when there is none. */
  #waiting: Set<() => void> | undefined;
  /** Number of the history. It grows when the history breaks: cursors of an earlier history mean nothing. */
  history = 0;
  /** The reason of the last break. */
  brokenBy: SyncReason | undefined;
  /** Epoch of the history; `undefined` until a position is known. */
  epoch: string | undefined;
  /** Whether the hub flushes this group at the end of the turn. */
  dirty = false;
  /** Monotonic milliseconds of the first change since the last flush. */
  dirtySince = 0;
  /** Monotonic milliseconds of the last log line about a failed read. */
  warnedAt = Number.NEGATIVE_INFINITY;
  /** Monotonic milliseconds since which the store reports the group as unavailable; `undefined` while it is available. */
  unavailableSince: number | undefined;
  /** The last flushes; absent until the first one, and where nobody can ask for them. */
  flushes: FlushRing | undefined;
  readonly #watch: () => Promise<void>;
  #watching: Promise<void> | undefined;
  #watched = false;

  /**
   * @param watch Begins to watch this group at the store.
   * @param counts Figures that the group shares with others. @default figures of its own
   */
  constructor(ref: GroupRef, watch: () => Promise<void>, counts = newStreamCounts()) {
    this.stream = ref.stream;
    this.group = ref.group;
    this.counts = counts;
    this.#watch = watch;
    // Each join awaits `watched` itself, and then gets the failure. Nobody awaits this call.
    this.watched().catch(() => {});
  }

  /**
   * Resolves when the store reports every commit of the group. Must be awaited before the first read. A call after a failure tries again.
   */
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

  /** Whether the store reports the commits of the group, and whether the group is available. */
  get isWatched(): boolean {
    return this.#watched;
  }

  /** Calls `unwatch` when the store watches the group. */
  unwatch(unwatch: () => void): void {
    this.#watching?.then(unwatch, () => {});
  }

  /** The newest known position of the group; `undefined` before the first one is known. */
  get position(): Position | undefined {
    return this.epoch === undefined || !this.log.begun ? undefined : { epoch: this.epoch, offset: this.log.head };
  }

  /** Offset up to which every live reader has its changes. */
  get flushed(): number {
    return this.#flushed;
  }

  /** Number of changes since the last flush. */
  get unflushed(): number {
    return this.log.head - this.#flushed;
  }

  /** Number of subscriptions, live or not. */
  get size(): number {
    return this.#members;
  }

  enter(): void {
    this.#members++;
  }

  exit(subscription: Reader): void {
    this.#members--;
    if (subscription.state === 'live') this.counts.live--;
    this.#unlink(subscription);
  }

  /** Sets the position of the group, unless it is known already. */
  begin(position: Position): void {
    this.epoch ??= position.epoch;
    if (this.log.begun) return;
    this.log.begin(position.offset);
    this.#flushed = position.offset;
  }

  /** Appends a change. Returns false, and changes nothing, when the log has it already. */
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

  /** Number of catch-ups that wait for the next append. */
  get waiting(): number {
    return this.#waiting?.size ?? 0;
  }

  /** Wakes every catch-up that waits for an append. */
  wake(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    for (const wake of waiting) wake();
  }

  /** Lets a reader share the batch from now on. Its cursor must be at the head. */
  goLive(subscription: Reader): void {
    if (subscription.state !== 'live') this.counts.live++;
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

  /** Takes a live reader out of the batch, with an exact cursor. The caller must start its catch-up afterwards. */
  leaveLive(subscription: Reader): void {
    if (subscription.state !== 'live') return;
    // The cursor of a live reader of items does not move at changes of other items.
    if (!subscription.watchesGroup) subscription.cursor = Math.max(subscription.cursor, this.#flushed);
    this.#unlink(subscription);
    subscription.state = 'catching_up';
    this.counts.live--;
  }

  /** Writes the changes since the last flush to all live readers. Returns the number of readers that it visited. */
  flush(catchUp: StartCatchUp<Reader>): number {
    const from = this.#flushed;
    const head = this.log.head;
    if (from >= head) return 0;
    const lost = this.log.base > from;
    const segments = lost || this.#live.size === 0 ? [] : this.#segments(from);
    let visited = this.#live.size;
    const delivered = this.#deliverAll(from, head, lost ? undefined : segments, catchUp);
    this.counts.bytes += bytesOf(segments) * delivered;
    if (this.#itemLive !== undefined) visited += this.#flushItems(from, head, lost, catchUp);
    this.#flushed = head;
    return visited;
  }

  /**
   * Writes the changes to all live readers of the whole group, and returns how many got all of them. Without `segments` each catches up.
   * The loop is a method of its own, because V8 then compiles it together with `deliver`.
   */
  #deliverAll(from: number, head: number, segments: readonly Segment[] | undefined, catchUp: StartCatchUp<Reader>): number {
    let delivered = 0;
    for (const subscription of this.#live) {
      if (subscription.cursor >= head) continue;
      if (segments !== undefined && deliver(subscription, from, segments)) delivered++;
      else this.lag(subscription, catchUp);
    }
    return delivered;
  }

  /**
   * Begins a new history, at `position` when that is known. Every cursor means nothing from now on: live readers start to catch up, and
   * other pumps compare their history with `history`.
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

  /**
   * Begins the log anew at `position`, because commits were missed. Cursors stay valid: readers before `position` catch up from the store.
   */
  skipTo(position: Position, catchUp: StartCatchUp<Reader>): void {
    this.log.restart(position.offset);
    this.#wakeAll(catchUp);
    this.#flushed = position.offset;
  }

  /** Returns all live readers, each once. */
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
      let delivered = 0;
      for (const subscription of subscriptions) {
        visited++;
        if (subscription.cursor >= head) continue;
        const simple = !lost && subscription.onlyItem === item && subscription.cursor <= from;
        if (simple) subscription.cursor = from;
        if (simple && deliver(subscription, from, segments)) delivered++;
        else this.lag(subscription, catchUp);
      }
      this.counts.bytes += bytesOf(segments) * delivered;
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

  /** Takes a reader out of the batch and starts its catch-up. */
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
  /** The cursor after this segment. */
  readonly cursor: number;
}

function bytesOf(segments: readonly Segment[]): number {
  let bytes = 0;
  for (const { frames } of segments) bytes += frames.length;
  return bytes;
}

const WHOLE = { maxBytes: SEGMENT_BYTES } as const;

/** Writes a batch. Returns false when the reader could not take all of it; its cursor then is behind the last segment that it got. */
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
