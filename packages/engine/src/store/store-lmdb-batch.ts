import { type JsonText, LIMITS } from '@rivulet/protocol';
import type { Table } from '../storage/lmdb-environment.js';
import { PairMap } from '../structures/pair-map.js';
import { type Effect, effectOf, valueIdOf } from './change-effect.js';
import type { ApplyResult, Change, Commit, GroupRef } from './store.js';
import type { HeadCache } from './store-lmdb-heads.js';
import {
  decodeItem,
  decodeText,
  encodeHead,
  encodeItem,
  encodeText,
  encodeVersion,
  type Head,
  headKey,
  type ItemRecord,
  itemKey,
  numbersKey,
} from './store-lmdb-records.js';
import { costOf, storeFull } from './store-lmdb-room.js';

export interface Tables {
  readonly heads: Table;
  readonly items: Table;
  readonly order: Table;
  readonly versions: Table;
  readonly tombstones: Table;
  readonly meta: Table;
}

export const TABLES = ['heads', 'items', 'order', 'versions', 'tombstones', 'meta'] as const satisfies readonly (keyof Tables)[];

/** What the store keeps beside groups. */
export interface StoreState {
  epoch: string;
  nextGroup: number;
  /** Highest offset and stamp of heads that are gone. */
  removedOffset: number;
  removedTimestamp: number;
  /** A relaxed store that was not closed may have lost commits that were seen. */
  clean: boolean;
}

export type Planned = { readonly result: ApplyResult; readonly commit: Commit | undefined } | { readonly error: unknown };

interface StagedHead extends GroupRef {
  readonly head: Head;
  /** Must be written with this batch. */
  dirty: boolean;
}

/** Offsets that events of a group may take before its head is written again. */
const RESERVE = 2 ** 20;

/**
 * Carries out changes inside one write transaction, in order. Heads are staged, and written once for each group; nothing outside the
 * transaction changes until `adopt`, so a failed commit leaves no trace.
 */
export class Batch {
  readonly #tables: Tables;
  readonly #heads: HeadCache;
  readonly #state: StoreState;
  readonly #now: number;
  /** What may still be added to the data file, in bytes. */
  #room: number;
  readonly #staged = new PairMap<StagedHead>();
  #nextGroup: number;
  /** The change that is carried out has had effects in the transaction. */
  #begun = false;

  constructor(tables: Tables, heads: HeadCache, state: StoreState, now: number, room = Number.POSITIVE_INFINITY) {
    this.#tables = tables;
    this.#heads = heads;
    this.#state = state;
    this.#now = now;
    this.#room = room;
    this.#nextGroup = state.nextGroup;
  }

  /** A failure before anything was written, such as a `compute` that throws, concerns this change alone; a later one is thrown. */
  carryOut(change: Change): Planned {
    this.#begun = false;
    try {
      return this.#carryOut(change);
    } catch (error) {
      if (this.#begun) throw error;
      return { error };
    }
  }

  /** Writes the staged heads; the last thing inside the transaction. */
  seal(): void {
    for (const staged of this.#staged.values()) {
      if (!staged.dirty) continue;
      const key = headKey(staged.stream, staged.group);
      this.#tables.heads.put(key, encodeHead(key, staged.head));
    }
    if (this.#nextGroup !== this.#state.nextGroup) writeState(this.#tables.meta, { ...this.#state, nextGroup: this.#nextGroup });
  }

  /** The transaction is durable: the staged heads are the heads now. */
  adopt(): void {
    this.#state.nextGroup = this.#nextGroup;
    for (const staged of this.#staged.values()) this.#heads.set(staged, staged.head, staged.dirty);
  }

  #carryOut(change: Change): Planned {
    const stores = change.kind !== 'event' && change.kind !== 'external';
    const known = this.#known(change);
    const key = stores && known !== undefined ? itemKey(known.head.number, change.item) : undefined;
    const before = key === undefined ? undefined : this.#read(key);
    const old = before?.live === true ? before.data : undefined;
    const effect = effectOf(change, old);
    if (effect.kind === 'none') return { result: { kind: 'unchanged', old }, commit: undefined };
    if (effect.kind !== 'publish') this.#takeRoom(effect.kind === 'write' ? effect.data.length : 0);
    this.#begun = true;
    const staged = known ?? this.#create(change);
    const { head } = staged;
    const offset = head.offset + 1;
    head.offset = offset;
    head.timestamp = Math.max(this.#now, head.timestamp + 1);
    const created = this.#store(staged, change, effect, before, key, offset);
    const position = { epoch: this.#state.epoch, offset };
    const commit: Commit = {
      stream: change.stream,
      group: change.group,
      item: change.item,
      effect: effect.kind === 'remove' ? 'delete' : effect.effect,
      position,
      timestamp: head.timestamp,
      created,
      data: effect.data,
      old,
      eventType: change.kind === 'event' ? change.type : undefined,
    };
    return { result: { kind: 'applied', old, new: effect.kind === 'write' ? effect.data : undefined, position }, commit };
  }

  /** Answers the offset of creation; 0 for what is only published. */
  #store(
    staged: StagedHead,
    change: Change,
    effect: Exclude<Effect, { kind: 'none' }>,
    before: ItemRecord | undefined,
    knownKey: Buffer | undefined,
    offset: number,
  ): number {
    const { head } = staged;
    if (effect.kind === 'publish') {
      if (offset > head.reserved) {
        head.reserved = offset + RESERVE;
        staged.dirty = true;
      }
      return 0;
    }
    staged.dirty = true;
    head.reserved = Math.max(head.reserved, offset);
    const item = change.item as string;
    const key = knownKey ?? itemKey(head.number, item);
    if (before !== undefined) this.#tables.versions.remove(numbersKey(head.number, before.changed));
    if (effect.kind === 'remove') {
      const created = before?.created ?? offset;
      this.#bury(staged, key, { item, created, offset, data: effect.data });
      return created;
    }
    const created = before?.live === true ? before.created : offset;
    if (created === offset) {
      const place = numbersKey(head.number, created);
      this.#tables.order.put(place, encodeText(place, item));
      head.items++;
    }
    this.#tables.items.put(key, encodeItem(key, { live: true, created, changed: offset, data: effect.data }));
    const version = numbersKey(head.number, offset);
    this.#tables.versions.put(version, encodeVersion(version, { live: true, created, item, valueId: undefined }));
    return created;
  }

  #bury(staged: StagedHead, key: Buffer, gone: { item: string; created: number; offset: number; data: JsonText }): void {
    const { head } = staged;
    const { item, created, offset } = gone;
    this.#tables.order.remove(numbersKey(head.number, created));
    head.items--;
    this.#tables.items.put(key, encodeItem(key, { live: false, created, changed: offset, data: '' }));
    const version = numbersKey(head.number, offset);
    this.#tables.versions.put(version, encodeVersion(version, { live: false, created, item, valueId: valueIdOf(gone.data) }));
    const grave = numbersKey(this.#now, head.number, offset);
    this.#tables.tombstones.put(grave, encodeText(grave, `${staged.stream}\u0000${staged.group}`));
  }

  /** How large the value of an update is shows only here. */
  #takeRoom(characters: number): void {
    const cost = costOf(characters);
    if (cost > this.#room) throw storeFull();
    this.#room -= cost;
  }

  #read(key: Buffer): ItemRecord | undefined {
    const record = this.#tables.items.get(key);
    return record === undefined ? undefined : decodeItem(key, record);
  }

  #known(ref: GroupRef): StagedHead | undefined {
    const staged = this.#staged.get(ref.stream, ref.group);
    if (staged !== undefined) return staged;
    const head = this.#heads.get(ref);
    return head === undefined ? undefined : this.#stage(ref, { ...head });
  }

  #create(ref: GroupRef): StagedHead {
    const { removedOffset, removedTimestamp } = this.#state;
    const head: Head = {
      number: this.#nextGroup++,
      offset: removedOffset,
      timestamp: removedTimestamp,
      reserved: removedOffset,
      floor: removedOffset,
      items: 0,
    };
    const staged = this.#stage(ref, head);
    staged.dirty = true;
    return staged;
  }

  #stage(ref: GroupRef, head: Head): StagedHead {
    const staged = { stream: ref.stream, group: ref.group, head, dirty: false };
    this.#staged.set(ref.stream, ref.group, staged);
    return staged;
  }
}

const STATE_KEY = Buffer.from('state');

export function readState(meta: Table): StoreState | undefined {
  const record = meta.get(STATE_KEY);
  if (record === undefined) return undefined;
  return JSON.parse(decodeText(STATE_KEY, record)) as StoreState;
}

export function writeState(meta: Table, state: StoreState): void {
  meta.put(STATE_KEY, encodeText(STATE_KEY, JSON.stringify(state)));
}

/** Changes that one transaction carries. */
export const BATCH_CHANGES = Math.min(4_096, LIMITS.queuedWrites);
