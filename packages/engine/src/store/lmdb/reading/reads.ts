import { type Position, RivuletError } from '@rivulet/protocol';
import { chunked, MOST_WEIGHT } from '../../../structures/chunked.js';
import type { NamesPage, PageBounds } from '../../../structures/sorted-names.js';
import type { TurnBudget } from '../../../structures/turn-budget.js';
import { charsOf } from '../../shared/chars-of.js';
import type { ChangeEntry, Changes, GroupRef, ItemRead, ReadPace, Snapshot, StoredItem } from '../../store.js';
import type { LmdbEnvironment, View } from '../env/environment.js';
import type { HeadCache } from '../tables/head-cache.js';
import {
  decodeHead,
  decodeItem,
  decodeText,
  decodeVersion,
  type Head,
  headKey,
  itemKey,
  LAST_NUMBER,
  numberAt,
  numbersKey,
} from '../tables/records.js';
import type { StoreState } from '../tables/store-meta.js';
import type { Tables } from '../tables/tables.js';
import { readNames } from './name-pages.js';
import { type Pin, PinnedViews, type ViewLimits } from './read-views.js';

const CHUNK_ITEMS = 256;

interface Sources {
  readonly environment: LmdbEnvironment;
  readonly tables: Tables;
  readonly heads: HeadCache;
  readonly state: StoreState;
  readonly now: () => number;
  readonly turns: TurnBudget;
  /** The first of the reads that wait for a view begins to. */
  readonly onWait: () => void;
  /** Reads were ended because a limit of their view was reached. */
  readonly onEnd: (reads: number) => void;
  readonly limits: ViewLimits;
  readonly monotonic: () => number;
}

/** Either all of the answer, or how it is read from a view that is kept. */
type Looked<T> = { readonly whole: T } | { readonly from: (pin: Pin) => T };

/**
 * Reads of the LMDB store. Each looks at one consistent view; a snapshot holds its view until it is closed or read to the end, so it
 * must not be kept open longer than it takes to send it: old pages can't be reused meanwhile and the file grows. Groups of few items are
 * read at once and hold nothing.
 */
export class LmdbReads {
  readonly #from: Sources;
  readonly #views: PinnedViews;

  constructor(sources: Sources) {
    this.#from = sources;
    const { environment, onWait, onEnd, limits, monotonic } = sources;
    this.#views = new PinnedViews({
      onWait,
      onEnd,
      limits,
      monotonic,
      written: () => environment.writtenBytes,
      live: () => environment.liveBytes(),
    });
  }

  get(ref: GroupRef, item: string): ItemRead {
    return this.#viewing((view) => {
      const { head, position, timestamp } = this.#stateOf(ref, view);
      if (head === undefined) return { value: undefined, position, timestamp };
      const key = itemKey(head.number, item);
      const record = this.#from.tables.items.get(key, { transaction: view });
      const stored = record === undefined ? undefined : decodeItem(key, record);
      if (stored !== undefined) this.#from.turns.charge(stored.data.length);
      const value = stored?.live === true ? { item, data: stored.data, created: stored.created, changed: stored.changed } : undefined;
      return { value, position, timestamp };
    });
  }

  snapshot(ref: GroupRef, pace: ReadPace): Promise<Snapshot> {
    return this.#streaming(pace, (view) => this.#snapshot(this.#stateOf(ref, view), 0, view));
  }

  /** The items created after this one; `undefined` when there is no such item. */
  snapshotAfter(ref: GroupRef, item: string): Promise<Snapshot | undefined> {
    return this.#streaming<Snapshot | undefined>('engine', (view) => {
      const standing = this.#stateOf(ref, view);
      const key = standing.head && itemKey(standing.head.number, item);
      const record = key && this.#from.tables.items.get(key, { transaction: view });
      const stored = key && record && decodeItem(key, record);
      return stored?.live === true ? this.#snapshot(standing, stored.created + 1, view) : { whole: undefined };
    });
  }

  #snapshot({ head, position, timestamp }: GroupState, from: number, view: View): Looked<Snapshot> {
    // What is small is read at once.
    const whole = head === undefined ? [] : upTo(CHUNK_ITEMS, this.#itemsOf(head, view, from), charsOf);
    if (head === undefined || whole !== undefined) {
      return { whole: { position, timestamp, chunks: () => chunked(whole ?? [], CHUNK_ITEMS, () => {}), close: () => {} } };
    }
    return {
      from: (pin) => {
        const close = () => pin.close();
        const chunks = () => chunked(pin.read(this.#itemsOf(head, view, from), head.items), CHUNK_ITEMS, close, charsOf);
        return { position, timestamp, chunks, close };
      },
    };
  }

  async changes(ref: GroupRef, since: Position, pace: ReadPace): Promise<Changes> {
    if (since.epoch !== this.#from.state.epoch) return { kind: 'stale', reason: 'epoch' };
    return this.#streaming<Changes>(pace, (view) => {
      const { head, position, timestamp } = this.#stateOf(ref, view);
      if (since.offset < (head?.floor ?? this.#from.state.removedOffset)) return { whole: { kind: 'stale', reason: 'floor' } };
      const first = head === undefined ? [] : upTo(CHUNK_ITEMS, this.#changesOf(head, since.offset, view), charsOf);
      if (head === undefined || first !== undefined) {
        const chunks = () => chunked(first ?? [], CHUNK_ITEMS, () => {});
        return { whole: { kind: 'changes', position, timestamp, chunks, close: () => {} } };
      }
      return {
        from: (pin) => {
          const close = () => pin.close();
          const chunks = () => chunked(pin.read(this.#changesOf(head, since.offset, view), head.items), CHUNK_ITEMS, close, charsOf);
          return { kind: 'changes', position, timestamp, chunks, close };
        },
      };
    });
  }

  /** Groups of a stream; `undefined`: the streams. */
  names(stream: string | undefined, bounds: PageBounds): Promise<NamesPage> {
    const { tables, turns } = this.#from;
    return readNames({ heads: tables.heads, turns, view: () => this.#view() }, stream, bounds);
  }

  /** The writer waits here before a transaction, until reads that hold a view have kept up with what is written. */
  keepPace(): Promise<void> {
    return this.#views.keepPace();
  }

  /** Ends the reads that are under way or wait. */
  close(): void {
    this.#views.close();
  }

  /** Answers what is whole at once; for the rest it keeps the view, as soon as one more may be kept. */
  async #streaming<T>(pace: ReadPace, look: (view: View) => Looked<T>): Promise<T> {
    let place = false;
    for (;;) {
      let view: View | undefined;
      try {
        view = this.#view();
        const looked = look(view);
        if ('whole' in looked) return looked.whole;
        const pin = this.#views.pin(view, place, pace);
        if (pin !== undefined) {
          place = false;
          return looked.from(pin);
        }
      } finally {
        view?.done();
        if (place) this.#views.giveBack();
      }
      await this.#views.turn();
      place = true;
    }
  }

  #view(): View {
    try {
      return this.#from.environment.readView();
    } catch (error) {
      throw new RivuletError('STORE_UNAVAILABLE', 'the store can take no more reads now; try again later', { cause: error });
    }
  }

  #viewing<T>(read: (view: View) => T): T {
    const view = this.#view();
    try {
      return read(view);
    } finally {
      view.done();
    }
  }

  /**
   * Where a group stands in this view. The heads in memory know events, which the disk does not; the disk may know a commit whose
   * `onCommit` has not run yet, and then its word counts, since the view shows that commit.
   */
  #stateOf(ref: GroupRef, view: View): GroupState {
    const { state, heads, tables } = this.#from;
    const cached = heads.get(ref, view);
    const key = headKey(ref.stream, ref.group);
    const record = tables.heads.get(key, { transaction: view });
    const stored = record === undefined ? undefined : decodeHead(key, record);
    if (cached === undefined || stored === undefined) {
      return { head: stored, position: { epoch: state.epoch, offset: state.removedOffset }, timestamp: this.#from.now() - 1 };
    }
    const offset = Math.max(cached.offset, stored.offset);
    return { head: stored, position: { epoch: state.epoch, offset }, timestamp: Math.max(cached.timestamp, stored.timestamp) };
  }

  /** `from`: the least offset of creation. */
  *#itemsOf(head: Head, view: View, from: number): IterableIterator<StoredItem> {
    const { order, items } = this.#from.tables;
    const range = { start: numbersKey(head.number, from), end: numbersKey(head.number, LAST_NUMBER), transaction: view };
    for (const { key, value } of order.getRange(range)) {
      const item = decodeText(key, value);
      const place = itemKey(head.number, item);
      const record = items.get(place, { transaction: view });
      if (record === undefined) continue;
      const stored = decodeItem(place, record);
      yield { item, data: stored.data, created: stored.created, changed: stored.changed };
    }
  }

  *#changesOf(head: Head, since: number, view: View): IterableIterator<ChangeEntry> {
    const { versions, items } = this.#from.tables;
    const range = { start: numbersKey(head.number, since + 1), end: numbersKey(head.number, LAST_NUMBER), transaction: view };
    for (const { key, value } of versions.getRange(range)) {
      const changed = numberAt(key, 1);
      const version = decodeVersion(key, value);
      if (!version.live) {
        yield { kind: 'tombstone', item: version.item, changed, created: version.created, valueId: version.valueId };
        continue;
      }
      const place = itemKey(head.number, version.item);
      const record = items.get(place, { transaction: view });
      if (record !== undefined)
        yield { kind: 'item', item: version.item, data: decodeItem(place, record).data, created: version.created, changed };
    }
  }
}

interface GroupState {
  readonly head: Head | undefined;
  readonly position: Position;
  readonly timestamp: number;
}

/** All entries, if there are no more than `limit` and they weigh no more than one chunk. */
function upTo<T>(limit: number, source: Iterable<T>, weigh: (entry: T) => number): T[] | undefined {
  const entries: T[] = [];
  let weight = 0;
  for (const entry of source) {
    weight += weigh(entry);
    if (entries.length === limit || (entries.length > 0 && weight > MOST_WEIGHT)) return undefined;
    entries.push(entry);
  }
  return entries;
}
