import type { JsonText } from '@rivulet/protocol';
import { PairMap } from '../../../structures/pair-map.js';
import type { BatchLimits } from '../../shared/batch-limits.js';
import { type Effect, effectOf } from '../../shared/change-effect.js';
import { valueIdOf } from '../../shared/value-id.js';
import { expiryOf, type GroupRead, planInSteps, type WritePlan } from '../../shared/write-plan.js';
import type { ApplyResult, Change, Commit, Expiry, GroupRef, WithoutGroup, Write, WriteChange, WriteResult } from '../../store.js';
import type { Table, View } from '../env/environment.js';
import type { HeadCache } from '../tables/head-cache.js';
import { KeyLedger } from '../tables/idempotency-keys.js';
import {
  decodeItem,
  encodeHead,
  encodeItem,
  encodeText,
  encodeVersion,
  expiryKey,
  type Head,
  headKey,
  type ItemRecord,
  itemKey,
  LAST_NUMBER,
  numbersKey,
  type RecordedExpiry,
} from '../tables/records.js';
import { type StoreState, writeState } from '../tables/store-meta.js';
import { costOf, storeFull } from './disk-space.js';

export interface Tables {
  readonly heads: Table;
  readonly items: Table;
  readonly order: Table;
  readonly versions: Table;
  readonly tombstones: Table;
  readonly expiries: Table;
  readonly keys: Table;
  readonly key_ages: Table;
  readonly meta: Table;
}

export const TABLES = [
  'heads',
  'items',
  'order',
  'versions',
  'tombstones',
  'expiries',
  'keys',
  'key_ages',
  'meta',
] as const satisfies readonly (keyof Tables)[];

export type Planned = { readonly result: ApplyResult; readonly commit: Commit | undefined } | { readonly error: unknown };
export type PlannedWrite = { readonly result: WriteResult; readonly commits: readonly Commit[] } | { readonly error: unknown };

/** A write that is decided before its transaction, because that takes long. */
export type PlanAhead =
  | { readonly kind: 'wanted' }
  | { readonly kind: 'planned'; readonly plan: WritePlan }
  | { readonly kind: 'failed'; readonly error: unknown };

/** When a batch is written. */
export interface Moment {
  /** For timestamps and tombstones, in Unix milliseconds. */
  readonly now: number;
  /** For what has a time to live: the same, but for jumps of the wall clock. */
  readonly steady: number;
}

/** What is carried out, without its place. */
type AnyChange = WriteChange | WithoutGroup<Extract<Change, { kind: 'external' }>>;

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
  readonly #moment: Moment;
  readonly #keys: KeyLedger;
  /** What may still be added to the data file, in bytes. */
  #room: number;
  readonly #staged = new PairMap<StagedHead>();
  #nextGroup: number;
  /** When the first of the items goes that got a time in this batch. */
  firstExpiry = Number.POSITIVE_INFINITY;
  /** The change that is carried out has had effects in the transaction. */
  #begun = false;
  /** Something is held from now on. */
  #holds = false;

  readonly #limits: BatchLimits;

  /** `room`: what may be added to the data file, in bytes. */
  constructor(tables: Tables, heads: HeadCache, state: StoreState, moment: Moment, limits: BatchLimits, room: number) {
    this.#tables = tables;
    this.#heads = heads;
    this.#state = state;
    this.#moment = moment;
    this.#keys = new KeyLedger(tables, state);
    this.#limits = limits;
    this.#room = room;
    this.#nextGroup = state.nextGroup;
  }

  /** Time of its changes, in Unix milliseconds. */
  get now(): number {
    return this.#moment.now;
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

  /**
   * The same for a write of several changes, of which nothing is done before all is decided. `postponed`: that takes longer than a
   * transaction may, and nothing was done; `planAhead` decides it.
   */
  carryOutWrite(write: Write, ahead?: PlanAhead): PlannedWrite | 'postponed' {
    this.#begun = false;
    try {
      return this.#carryOutWrite(write, ahead);
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
    if (this.#nextGroup !== this.#state.nextGroup || this.#keys.changed || (this.#holds && !this.#state.runSaved))
      writeState(this.#tables.meta, { ...this.#state, ...this.#keys.totals, nextGroup: this.#nextGroup });
  }

  /** The transaction is durable: the staged heads are the heads now. */
  adopt(): void {
    this.#state.nextGroup = this.#nextGroup;
    if (this.#holds) this.#state.runSaved = true;
    if (this.#keys.changed) Object.assign(this.#state, this.#keys.totals);
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
    this.#takeRooms(charactersOf(effect));
    if (effect.kind !== 'remove') this.#limits.add(effect.data.length);
    this.#begun = true;
    const staged = known ?? this.#create(change);
    const commit = this.#perform(staged, change, effect, before, key, undefined);
    const after = effect.kind === 'write' ? effect.data : undefined;
    return { result: { kind: 'applied', old, new: after, position: commit.position }, commit };
  }

  /** Before a transaction, whose first write this one is: decides what the write does, while the event loop turns. */
  async planAhead(write: Write, view: View, turn: () => Promise<void>): Promise<PlanAhead> {
    const head = this.#heads.get(write, view);
    try {
      const planning = planInSteps(write, this.#groupRead(head, view));
      for (let step = planning.next(); ; step = planning.next()) {
        if (step.done === true) return { kind: 'planned', plan: step.value };
        await turn();
      }
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  #groupRead(head: Head | undefined, view?: View): GroupRead {
    const read = (item: string) => {
      const record = head === undefined ? undefined : this.#read(itemKey(head.number, item), view);
      return record?.live === true ? record : undefined;
    };
    return { epoch: this.#state.epoch, offset: head?.offset ?? this.#state.removedOffset, read };
  }

  /** `undefined`: it takes too long to decide it within a transaction. */
  #decide(write: Write, head: Head | undefined, ahead: PlanAhead | undefined): WritePlan | undefined {
    if (ahead?.kind === 'failed') throw ahead.error;
    if (ahead?.kind === 'planned') return ahead.plan;
    const planning = planInSteps(write, this.#groupRead(head));
    for (;;) {
      const step = planning.next();
      if (step.done === true) return step.value;
      if (write.changes.length > 1 && this.#limits.late) return undefined;
    }
  }

  #carryOutWrite(write: Write, ahead: PlanAhead | undefined): PlannedWrite | 'postponed' {
    const { once } = write;
    const answer = once && this.#keys.find(write, once, this.#moment.steady);
    if (answer !== undefined) return { result: { kind: 'replayed', answer }, commits: [] };
    const known = this.#known(write);
    const plan = this.#decide(write, known?.head, ahead);
    if (plan === undefined) return 'postponed';
    const answered = once && once.answer(plan.result);
    const key = once && answered !== undefined ? this.#keys.prepare(write, once, answered, this.#moment.steady) : undefined;
    this.#takeRooms([...plan.steps.flatMap(({ effect }) => charactersOf(effect)), ...(answered === undefined ? [] : [answered.length])]);
    this.#begun = true;
    const commits: Commit[] = [];
    let staged = known;
    for (const { change, effect } of plan.steps) {
      if (effect.kind !== 'none') this.#limits.add(effect.data.length);
      if (effect.kind === 'none') {
        if (staged !== undefined) this.#renew(staged, change);
        continue;
      }
      staged ??= this.#create(write);
      const place = change.kind === 'event' ? undefined : itemKey(staged.head.number, change.item);
      const before = place === undefined ? undefined : this.#read(place);
      commits.push(this.#perform(staged, change, effect, before, place, plan.through));
    }
    key?.remember();
    return { result: plan.result, commits };
  }

  /** Takes the next offset and stores what there is to store. `before` may be a tombstone. */
  #perform(
    staged: StagedHead,
    change: AnyChange,
    effect: Exclude<Effect, { kind: 'none' }>,
    before: ItemRecord | undefined,
    key: Buffer | undefined,
    through: number | undefined,
  ): Commit {
    const { head } = staged;
    const offset = head.offset + 1;
    head.offset = offset;
    head.timestamp = Math.max(this.#moment.now, head.timestamp + 1);
    const created = this.#store(staged, change, effect, before, key, offset);
    return {
      stream: staged.stream,
      group: staged.group,
      item: change.item,
      effect: effect.kind === 'remove' ? 'delete' : effect.effect,
      position: { epoch: this.#state.epoch, offset },
      timestamp: head.timestamp,
      created,
      data: effect.data,
      old: before?.live === true ? before.data : undefined,
      eventType: change.kind === 'event' ? change.type : undefined,
      through,
    };
  }

  /** Answers the offset of creation; 0 for what is only published. */
  #store(
    staged: StagedHead,
    change: AnyChange,
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
      if (before?.expiry !== undefined) this.#tables.expiries.remove(expiryKey(before.expiry, head.number, created));
      this.#bury(staged, key, { item, created, offset, data: effect.data });
      return created;
    }
    const created = before?.live === true ? before.created : offset;
    if (created === offset) {
      const place = numbersKey(head.number, created);
      this.#tables.order.put(place, encodeText(place, item));
      head.items++;
    }
    const expiry = this.#expiry(change, before);
    if (before?.expiry !== undefined || expiry !== undefined) this.#index(staged, item, created, before?.expiry, expiry);
    this.#tables.items.put(key, encodeItem(key, { live: true, created, changed: offset, expiry, data: effect.data }));
    const version = numbersKey(head.number, offset);
    this.#tables.versions.put(version, encodeVersion(version, { live: true, created, item, valueId: undefined }));
    return created;
  }

  /** An `update` without one leaves the time as it is. */
  #expiry(change: AnyChange, before: ItemRecord | undefined): RecordedExpiry | undefined {
    const said = expiryOf(change);
    if (said === undefined) return change.kind === 'update' ? before?.expiry : undefined;
    return this.#recorded(said);
  }

  #recorded(expiry: Expiry): RecordedExpiry {
    if (expiry.kind === 'held') {
      this.#holds = true;
      return { kind: 'held', run: this.#state.run, graceMs: expiry.graceMs };
    }
    const at = Math.min(this.#moment.steady + expiry.ms, LAST_NUMBER - 1);
    this.firstExpiry = Math.min(this.firstExpiry, at);
    return { kind: 'ttl', at };
  }

  /** Another time for an item that stays as it is: no offset, no commit. */
  #renew(staged: StagedHead, change: AnyChange): void {
    const said = expiryOf(change);
    if (said === undefined || change.item === undefined) return;
    const key = itemKey(staged.head.number, change.item);
    const before = this.#read(key);
    if (before?.live !== true) return;
    const expiry = this.#recorded(said);
    this.#index(staged, change.item, before.created, before.expiry, expiry);
    this.#tables.items.put(key, encodeItem(key, { ...before, expiry }));
  }

  #index(
    { stream, group, head }: StagedHead,
    item: string,
    created: number,
    before: RecordedExpiry | undefined,
    after: RecordedExpiry | undefined,
  ): void {
    if (before === after) return;
    if (before !== undefined) this.#tables.expiries.remove(expiryKey(before, head.number, created));
    if (after === undefined) return;
    const place = expiryKey(after, head.number, created);
    this.#tables.expiries.put(place, encodeText(place, `${stream}\u0000${group}\u0000${item}`));
  }

  #bury(staged: StagedHead, key: Buffer, gone: { item: string; created: number; offset: number; data: JsonText }): void {
    const { head } = staged;
    const { item, created, offset } = gone;
    this.#tables.order.remove(numbersKey(head.number, created));
    head.items--;
    this.#tables.items.put(key, encodeItem(key, { live: false, created, changed: offset, expiry: undefined, data: '' }));
    const version = numbersKey(head.number, offset);
    this.#tables.versions.put(version, encodeVersion(version, { live: false, created, item, valueId: valueIdOf(gone.data) }));
    const grave = numbersKey(this.#moment.now, head.number, offset);
    this.#tables.tombstones.put(grave, encodeText(grave, `${staged.stream}\u0000${staged.group}`));
  }

  /** How large the values of updates are shows only here. All of them, or STORE_FULL. */
  #takeRooms(characters: readonly number[]): void {
    const cost = characters.reduce((sum, each) => sum + costOf(each), 0);
    if (cost > this.#room) throw storeFull();
    this.#room -= cost;
  }

  #read(key: Buffer, view?: View): ItemRecord | undefined {
    const record = view === undefined ? this.#tables.items.get(key) : this.#tables.items.get(key, { transaction: view });
    if (record === undefined) return undefined;
    this.#limits.add(record.length);
    return decodeItem(key, record);
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

/** UTF-16 code units of the value that an effect writes; none when it touches no item. */
function charactersOf(effect: Effect): readonly number[] {
  if (effect.kind === 'write') return [effect.data.length];
  return effect.kind === 'remove' ? [0] : [];
}
