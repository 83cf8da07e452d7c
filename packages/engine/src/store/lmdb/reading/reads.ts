import { type Position, RivuletError } from '@rivulet/protocol';
import { chunked, MOST_WEIGHT } from '../../../structures/chunked.js';
import type { NamesPage, PageBounds } from '../../../structures/sorted-names.js';
import type { TurnBudget } from '../../../structures/turn-budget.js';
import { charsOf } from '../../shared/chars-of.js';
import type { ChangeEntry, Changes, GroupRef, ItemRead, ReadPace, Snapshot, StoredItem } from '../../store.js';
import type { LmdbEnvironment, View } from '../env/environment.js';
import type { HeadCache } from '../tables/head-cache.js';
import {
  damagedRecord,
  decodeHead,
  decodeItem,
  decodeText,
  decodeVersion,
  type Head,
  headKey,
  type ItemRecord,
  isDamage,
  isSound,
  itemKey,
  LAST_NUMBER,
  numberAt,
  numbersKey,
} from '../tables/records.js';
import type { StoreState } from '../tables/store-meta.js';
import type { Tables } from '../tables/tables.js';
import type { DamagedPlace } from './damage-log.js';
import { readNames } from './name-pages.js';
import { type Pin, PinnedViews, type ViewLimits } from './read-views.js';

const CHUNK_ITEMS = 256;

interface ReadsContext {
  readonly environment: LmdbEnvironment;
  readonly tables: Tables;
  readonly heads: HeadCache;
  readonly state: StoreState;
  /** Returns Unix milliseconds. */
  readonly now: () => number;
  readonly turns: TurnBudget;
  /** Called when a read must wait for a view and no other one waits. */
  readonly onWait: () => void;
  /** Called when reads ended because their view reached a limit. */
  readonly onEnd: (reads: number) => void;
  /** Called for damage that costs a read less than its whole answer. */
  readonly onDamage: (place: DamagedPlace) => void;
  readonly limits: ViewLimits;
  readonly monotonic: () => number;
}

/** The result of a small read, or the function that reads a large one from a view that stays open. */
type Reading<T> = { readonly whole: T } | { readonly from: (pin: Pin) => T };

/**
 * Reads of the LMDB store. Each read sees one consistent view. Small groups are read at once. The snapshot of a large group keeps its view
 * open until it is closed or read to its end. Close it soon, because LMDB cannot reuse old pages meanwhile, and the file grows.
 */
export class LmdbReads {
  readonly #context: ReadsContext;
  readonly #views: PinnedViews;

  constructor(context: ReadsContext) {
    this.#context = context;
    const { environment, onWait, onEnd, limits, monotonic } = context;
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
      const record = this.#context.tables.items.get(key, { transaction: view });
      const stored = record === undefined ? undefined : this.#decoded(ref, item, key, record);
      if (stored === 'damaged') throw damagedRecord();
      if (stored !== undefined) this.#context.turns.charge(stored.data.length);
      const value = stored?.live === true ? { item, data: stored.data, created: stored.created, changed: stored.changed } : undefined;
      return { value, position, timestamp };
    });
  }

  snapshot(ref: GroupRef, pace: ReadPace): Promise<Snapshot> {
    return this.#streaming(pace, (view) => this.#snapshot(ref, this.#stateOf(ref, view), 0, view));
  }

  /** Resolves with the items that were created after this one; `undefined` when the item does not exist. */
  snapshotAfter(ref: GroupRef, item: string): Promise<Snapshot | undefined> {
    return this.#streaming<Snapshot | undefined>('engine', (view) => {
      const state = this.#stateOf(ref, view);
      const key = state.head && itemKey(state.head.number, item);
      const record = key && this.#context.tables.items.get(key, { transaction: view });
      const stored = key && record && decodeItem(key, record);
      return stored?.live === true ? this.#snapshot(ref, state, stored.created + 1, view) : { whole: undefined };
    });
  }

  #snapshot(ref: GroupRef, { head, position, timestamp }: GroupState, from: number, view: View): Reading<Snapshot> {
    // A small group is read at once and needs no open view.
    const whole = head === undefined ? [] : upTo(CHUNK_ITEMS, this.#itemsOf(ref, head, view, from), charsOf);
    if (head === undefined || whole !== undefined) {
      return { whole: { position, timestamp, chunks: () => chunked(whole ?? [], CHUNK_ITEMS, () => {}), close: () => {} } };
    }
    return {
      from: (pin) => {
        const close = () => pin.close();
        const chunks = () => chunked(pin.read(this.#itemsOf(ref, head, view, from), head.items), CHUNK_ITEMS, close, charsOf);
        return { position, timestamp, chunks, close };
      },
    };
  }

  async changes(ref: GroupRef, since: Position, pace: ReadPace): Promise<Changes> {
    if (since.epoch !== this.#context.state.epoch) return { kind: 'stale', reason: 'epoch' };
    return this.#streaming<Changes>(pace, (view) => {
      const { head, position, timestamp } = this.#stateOf(ref, view);
      if (since.offset < (head?.floor ?? this.#context.state.removedOffset)) return { whole: { kind: 'stale', reason: 'floor' } };
      const first = head === undefined ? [] : upTo(CHUNK_ITEMS, this.#changesOf(ref, head, since.offset, view), charsOf);
      if (head === undefined || first !== undefined) {
        const chunks = () => chunked(first ?? [], CHUNK_ITEMS, () => {});
        return { whole: { kind: 'changes', position, timestamp, chunks, close: () => {} } };
      }
      return {
        from: (pin) => {
          const close = () => pin.close();
          const chunks = () => chunked(pin.read(this.#changesOf(ref, head, since.offset, view), head.items), CHUNK_ITEMS, close, charsOf);
          return { kind: 'changes', position, timestamp, chunks, close };
        },
      };
    });
  }

  /** Returns a page of the groups of a stream; without `stream` a page of the streams. */
  names(stream: string | undefined, bounds: PageBounds): Promise<NamesPage> {
    const { tables, turns, onDamage } = this.#context;
    return readNames({ heads: tables.heads, turns, onDamage, view: () => this.#view() }, stream, bounds);
  }

  /** The writer waits here before a transaction until reads with an open view have kept up with the writes. */
  keepPace(): Promise<void> {
    return this.#views.keepPace();
  }

  /** Ends all reads, also waiting ones. */
  close(): void {
    this.#views.close();
  }

  /** Resolves with the result of a small read at once, and with that of a large read when one more view may stay open. */
  async #streaming<T>(pace: ReadPace, begin: (view: View) => Reading<T>): Promise<T> {
    let place = false;
    for (;;) {
      let view: View | undefined;
      try {
        view = this.#view();
        const reading = begin(view);
        if ('whole' in reading) return reading.whole;
        const pin = this.#views.pin(view, place, pace);
        if (pin !== undefined) {
          place = false;
          return reading.from(pin);
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
      return this.#context.environment.readView();
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
   * Returns the state of a group in this view. The head in memory includes events, the record on the disk does not. The view may show a
   * commit whose `onCommit` has not run yet; then the record is newer than the head in memory.
   */
  #stateOf(ref: GroupRef, view: View): GroupState {
    const { state, heads, tables } = this.#context;
    const cached = heads.get(ref, view);
    const key = headKey(ref.stream, ref.group);
    const record = tables.heads.get(key, { transaction: view });
    const stored = record === undefined ? undefined : decodeHead(key, record);
    if (cached === undefined || stored === undefined) {
      return { head: stored, position: { epoch: state.epoch, offset: state.removedOffset }, timestamp: this.#context.now() - 1 };
    }
    const offset = Math.max(cached.offset, stored.offset);
    return { head: stored, position: { epoch: state.epoch, offset }, timestamp: Math.max(cached.timestamp, stored.timestamp) };
  }

  /** Yields the items that were created at offset `from` or later. Leaves damaged and missing ones out, and reports them. */
  *#itemsOf(ref: GroupRef, head: Head, view: View, from: number): IterableIterator<StoredItem> {
    const { order } = this.#context.tables;
    const range = { start: numbersKey(head.number, from), end: numbersKey(head.number, LAST_NUMBER), transaction: view };
    let found = 0;
    for (const { key, value } of order.getRange(range)) {
      found++;
      const item = this.#sound(ref, () => decodeText(key, value));
      if (item === undefined) continue;
      const stored = this.#itemOf(ref, head, item, view);
      if (stored === undefined || !this.#isOf(ref, item, stored.created, numberAt(key, 1))) continue;
      yield { item, data: stored.data, created: stored.created, changed: stored.changed };
    }
    if (from === 0 && found !== head.items)
      this.#context.onDamage({ ...ref, problem: `the group counts ${head.items} items and has ${found}` });
  }

  *#changesOf(ref: GroupRef, head: Head, since: number, view: View): IterableIterator<ChangeEntry> {
    const { versions } = this.#context.tables;
    const range = { start: numbersKey(head.number, since + 1), end: numbersKey(head.number, LAST_NUMBER), transaction: view };
    for (const { key, value } of versions.getRange(range)) {
      const changed = numberAt(key, 1);
      const version = this.#sound(ref, () => decodeVersion(key, value));
      if (version === undefined) continue;
      if (!version.live) {
        yield { kind: 'tombstone', item: version.item, changed, created: version.created, valueId: version.valueId };
        continue;
      }
      const stored = this.#itemOf(ref, head, version.item, view);
      if (stored === undefined || !this.#isOf(ref, version.item, stored.changed, changed)) continue;
      yield { kind: 'item', item: version.item, data: stored.data, created: version.created, changed };
    }
  }

  /** Returns whether a record has the offset for which another table names it. Reports one that has not: it is older or newer. */
  #isOf(ref: GroupRef, item: string, offset: number, named: number): boolean {
    if (offset === named) return true;
    this.#context.onDamage({ ...ref, item, problem: `the record of the item is of offset ${offset} and not of ${named}` });
    return false;
  }

  /** Returns a live item that another table names. Reports one that is damaged or missing. */
  #itemOf(ref: GroupRef, head: Head, item: string, view: View): ItemRecord | undefined {
    const place = itemKey(head.number, item);
    const record = this.#context.tables.items.get(place, { transaction: view });
    if (record === undefined) {
      this.#context.onDamage({ ...ref, item, problem: 'the record of the item is missing' });
      return undefined;
    }
    const stored = this.#decoded(ref, item, place, record);
    return stored === 'damaged' ? undefined : stored;
  }

  #decoded(ref: GroupRef, item: string, key: Buffer, record: Buffer): ItemRecord | 'damaged' {
    if (isSound(key, record)) return decodeItem(key, record);
    this.#context.onDamage({ ...ref, item, problem: 'the record of the item fails its checksum' });
    return 'damaged';
  }

  /** Returns the result of `decode`. Reports a record that fails its checksum. */
  #sound<T>(ref: GroupRef, decode: () => T): T | undefined {
    try {
      return decode();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#context.onDamage({ ...ref, problem: 'a record of the group fails its checksum' });
      return undefined;
    }
  }
}

interface GroupState {
  readonly head: Head | undefined;
  readonly position: Position;
  readonly timestamp: number;
}

/** Returns all entries; `undefined` when they are more than `limit`, or weigh more than one chunk. */
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
