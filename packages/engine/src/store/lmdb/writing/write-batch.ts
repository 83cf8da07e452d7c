import { LIMITS } from '@rivulet/protocol';
import type { BoundsOf, GroupBounds } from '../../bounds.js';
import type { BatchLimits } from '../../shared/batch-limits.js';
import { type Effect, effectOf } from '../../shared/change-effect.js';
import { type Effected, evictedBy, growthOf } from '../../shared/group-bounds.js';
import { lifetimeOf } from '../../shared/lifetime.js';
import { expiryOf, type GroupRead, planInSteps, type WritePlan } from '../../shared/write-plan.js';
import type { ApplyResult, Change, Commit, GroupRef, WithoutGroup, Write, WriteChange, WriteResult } from '../../store.js';
import type { View } from '../env/environment.js';
import type { HeadCache } from '../tables/head-cache.js';
import { KeyLedger } from '../tables/idempotency-keys.js';
import type { RecentItems } from '../tables/recent-items.js';
import { dataBytesIn, decodeItem, type Head, type ItemRecord, isSound, itemKey, type RecordedExpiry } from '../tables/records.js';
import { type StoreState, writeState } from '../tables/store-meta.js';
import type { Tables } from '../tables/tables.js';
import { CHANGE_BYTES, costOf, storeFull } from './disk-space.js';
import { causeOf, itemsInOrder, type OldItem, storedBytes } from './group-contents.js';
import { ItemWriter, type Moment } from './item-writer.js';
import { lostItem } from './lost-item.js';
import { type StagedHead, StagedHeads } from './staged-heads.js';

/** The outcome of a change in its transaction: its result and commits, or the error of its caller. */
export type Planned = { readonly result: ApplyResult; readonly commits: readonly Commit[] } | { readonly error: unknown };
/** The same for a write of several changes. */
export type PlannedWrite = { readonly result: WriteResult; readonly commits: readonly Commit[] } | { readonly error: unknown };

/** The decision about a write that takes too long for a transaction; the store makes it before the transaction. */
export type PlanAhead =
  | { readonly kind: 'wanted' }
  | { readonly kind: 'planned'; readonly plan: WritePlan }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Any change, without the names of its group. */
type AnyChange = WriteChange | WithoutGroup<Extract<Change, { kind: 'external' }>>;
type RealEffect = Exclude<Effect, { kind: 'none' }>;

/** The items that leave a group within its bounds. */
const NOTHING: readonly OldItem[] = [];

/** Offsets that events of a group may take before the head of the group is written again. */
const RESERVE = 2 ** 20;

export interface BatchOptions {
  readonly tables: Tables;
  readonly heads: HeadCache;
  readonly recent: RecentItems;
  readonly state: StoreState;
  readonly moment: Moment;
  readonly limits: BatchLimits;
  /** Bytes that the batch may add to the data file. */
  readonly budget: number;
  readonly boundsOf: BoundsOf;
}

/**
 * The changes of one write transaction. Use it in this order:
 *
 * 1. `execute` and `executeWrite` inside the transaction, once for each change or write, in their order.
 * 2. `seal` as the last step inside the transaction.
 * 3. `commit` when the transaction is durable. Nothing outside the transaction changes before, so a failed commit leaves no trace.
 */
export class Batch {
  readonly #options: BatchOptions;
  readonly #keys: KeyLedger;
  readonly #staged: StagedHeads;
  readonly #items: ItemWriter;
  /** Bytes that may still be added to the data file. */
  #budget: number;
  /** The current change has written to the transaction. */
  #begun = false;

  constructor(options: BatchOptions) {
    this.#options = options;
    const { tables, heads, recent, state, moment, budget, boundsOf } = options;
    this.#keys = new KeyLedger(tables, state);
    this.#staged = new StagedHeads(heads, state, boundsOf);
    this.#items = new ItemWriter(tables, moment, state.run, recent);
    this.#budget = budget;
  }

  /** Wall clock of its changes, in Unix milliseconds. */
  get now(): number {
    return this.#options.moment.now;
  }

  /** The earliest time at which an item of this batch expires, in Unix milliseconds; infinite when none does. */
  get firstExpiry(): number {
    return this.#items.firstExpiry;
  }

  /**
   * Executes one change. A failure before the change has written anything, such as a `compute` that throws, concerns this change alone and
   * is returned. Any later failure is thrown and must abort the transaction.
   */
  execute(change: Change): Planned {
    return this.#guarded(() => this.#execute(change));
  }

  /**
   * Executes a write of several changes. All of it is decided before anything of it is written; failures are as for `execute`. Returns
   * `postponed`, and does nothing, when the decision takes longer than a transaction may: call `planAhead` and pass its result next time.
   */
  executeWrite(write: Write, ahead?: PlanAhead): PlannedWrite | 'postponed' {
    return this.#guarded(() => this.#executeWrite(write, ahead));
  }

  /** Decides a write before the transaction of which it is the first write. The event loop may turn in `turn` meanwhile. */
  async planAhead(write: Write, view: View, turn: () => Promise<void>): Promise<PlanAhead> {
    const head = this.#options.heads.get(write, view);
    try {
      const planning = planInSteps(write, this.#groupRead(head, head && ((item, change) => this.#readTable(head, item, change, view))));
      for (let step = planning.next(); ; step = planning.next()) {
        if (step.done === true) return { kind: 'planned', plan: step.value };
        await turn();
      }
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  /** Writes what the whole batch changed once: heads, and the state of the store. */
  seal(): void {
    const { tables, state } = this.#options;
    this.#items.flush();
    this.#staged.write(tables.heads);
    const { nextGroup } = this.#staged;
    if (nextGroup !== state.nextGroup || this.#keys.changed || (this.#items.hasLeases && !state.runSaved))
      writeState(tables.meta, { ...state, ...this.#keys.totals, nextGroup });
  }

  /** Takes over into memory what the transaction made durable. */
  commit(): void {
    const { state } = this.#options;
    if (this.#items.hasLeases) state.runSaved = true;
    if (this.#keys.changed) Object.assign(state, this.#keys.totals);
    this.#staged.commitHeads();
    this.#items.commitItems();
  }

  #guarded<T>(run: () => T): T | { readonly error: unknown } {
    this.#begun = false;
    try {
      return run();
    } catch (error) {
      if (this.#begun) throw error;
      return { error };
    }
  }

  #execute(change: Change): Planned {
    const known = this.#staged.get(change);
    const isStored = change.kind !== 'event' && change.kind !== 'external';
    const before = isStored && known !== undefined ? this.#read(known, change.item, change) : undefined;
    const old = before?.live === true ? before.data : undefined;
    const effect = effectOf(change, old);
    if (effect.kind === 'none') return { result: { kind: 'unchanged', old }, commits: [] };
    const bounds = effect.kind === 'write' ? this.#boundsOf(change, known) : undefined;
    const evicted = bounds === undefined ? NOTHING : this.#evictedBy(bounds, known, [{ change, effect, old }]);
    this.#spend(costOfEffect(effect) + evicted.length * CHANGE_BYTES);
    if (effect.kind !== 'remove') this.#options.limits.add(effect.data.length);
    this.#begun = true;
    const staged = known ?? this.#staged.create(change);
    const through = evicted.length === 0 ? undefined : staged.head.offset + 1 + evicted.length;
    const commit = this.#perform(staged, change, effect, before, through);
    const after = effect.kind === 'write' ? effect.data : undefined;
    return {
      result: { kind: 'applied', old, new: after, position: commit.position },
      commits: evicted.length === 0 ? [commit] : [commit, ...this.#evict(staged, evicted, through)],
    };
  }

  #executeWrite(write: Write, ahead: PlanAhead | undefined): PlannedWrite | 'postponed' {
    const { steady } = this.#options.moment;
    const { once } = write;
    const answer = once && this.#keys.find(write, once, steady);
    if (answer !== undefined) return { result: { kind: 'replayed', answer }, commits: [] };
    const known = this.#staged.get(write);
    const plan = this.#decide(write, known, ahead);
    if (plan === undefined) return 'postponed';
    const answered = once && once.answer(plan.result);
    const key = once && answered !== undefined ? this.#keys.prepare(write, once, answered, steady) : undefined;
    const bounds = this.#boundsOf(write, known);
    const evicted = bounds === undefined ? NOTHING : this.#evictedBy(bounds, known, plan.steps);
    const remembered = answered === undefined ? 0 : costOf(answered.length);
    const deletes = evicted.length * CHANGE_BYTES;
    this.#spend(plan.steps.reduce((sum, { effect }) => sum + costOfEffect(effect), remembered + deletes));
    this.#begun = true;
    const commits: Commit[] = [];
    let staged = known;
    const through = evicted.length === 0 ? plan.through : (plan.steps.at(-1)?.offset ?? 0) + evicted.length;
    for (const { change, effect } of plan.steps) {
      if (effect.kind === 'none') {
        if (staged !== undefined) this.#renew(staged, change);
        continue;
      }
      this.#options.limits.add(effect.data.length);
      staged ??= this.#staged.create(write);
      const before = change.kind === 'event' ? undefined : this.#read(staged, change.item);
      commits.push(this.#perform(staged, change, effect, before, through));
    }
    if (staged !== undefined) commits.push(...this.#evict(staged, evicted, through));
    key?.remember();
    return { result: plan.result, commits };
  }

  /** Returns the plan of a write; `undefined` when the decision takes too long for a transaction. */
  #decide(write: Write, staged: StagedHead | undefined, ahead: PlanAhead | undefined): WritePlan | undefined {
    if (ahead?.kind === 'failed') throw ahead.error;
    if (ahead?.kind === 'planned') return ahead.plan;
    const planning = planInSteps(write, this.#groupRead(staged?.head, staged && ((item, change) => this.#read(staged, item, change))));
    for (;;) {
      const step = planning.next();
      if (step.done === true) return step.value;
      if (write.changes.length > 1 && this.#options.limits.late) return undefined;
    }
  }

  /** `read` reads an item of the group; `undefined` when the group does not exist. */
  #groupRead(head: Head | undefined, read: ((item: string, change?: WriteChange) => ItemRecord | undefined) | undefined): GroupRead {
    const { state } = this.#options;
    const readLive = (item: string, change?: WriteChange) => {
      const record = read?.(item, change);
      return record?.live === true ? record : undefined;
    };
    return { epoch: state.epoch, offset: head?.offset ?? state.removedOffset, read: readLive };
  }

  /** Takes the next offset and stores the effect. `before` may be a tombstone. */
  #perform(staged: StagedHead, change: AnyChange, effect: RealEffect, before: ItemRecord | undefined, through: number | undefined): Commit {
    const { head } = staged;
    head.offset++;
    head.timestamp = Math.max(this.now, head.timestamp + 1);
    const created = this.#store(staged, change, effect, before);
    return {
      stream: staged.stream,
      group: staged.group,
      item: change.item,
      effect: effect.kind === 'remove' ? 'delete' : effect.effect,
      position: { epoch: this.#options.state.epoch, offset: head.offset },
      timestamp: head.timestamp,
      created,
      data: effect.data,
      old: before?.live === true ? before.data : undefined,
      eventType: change.kind === 'event' ? change.type : undefined,
      through,
      deletedBy: change.kind === 'delete' ? change.by : undefined,
    };
  }

  /** Returns the offset at which the item was created; 0 for an effect that is only published. */
  #store(staged: StagedHead, change: AnyChange, effect: RealEffect, before: ItemRecord | undefined): number {
    const { head } = staged;
    const { offset } = head;
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
    const { data } = effect;
    if (effect.kind === 'remove') return this.#items.writeTombstone(staged, { item, data, offset, before });
    return this.#items.write(staged, { item, data, offset, expiry: this.#expiry(change, before, staged.bounds), before });
  }

  #expiry(change: AnyChange, before: ItemRecord | undefined, bounds: GroupBounds | undefined): RecordedExpiry | undefined {
    const lifetime = lifetimeOf(change, causeOf(before?.expiry), bounds);
    if (lifetime.kind === 'kept') return before?.expiry;
    return lifetime.kind === 'permanent' ? undefined : this.#items.recorded(lifetime);
  }

  #boundsOf({ stream }: GroupRef, staged: StagedHead | undefined): GroupBounds | undefined {
    return staged === undefined ? this.#options.boundsOf(stream) : staged.bounds;
  }

  /** Returns the items that leave with a write, by the bounds of its group. Throws GROUP_FULL. */
  #evictedBy(bounds: GroupBounds, staged: StagedHead | undefined, steps: readonly Effected[]): readonly OldItem[] {
    const size = staged === undefined ? { items: 0, bytes: 0 } : { items: staged.head.items, bytes: this.#bytesIn(staged) };
    // Half of the disk budget is for the deletes, so that a group which is far too large does not exceed it.
    const most = Math.max(1, Math.min(LIMITS.evictedItems, Math.floor(this.#budget / 2 / CHANGE_BYTES)));
    return evictedBy(bounds, size, growthOf(steps), () => (staged === undefined ? [] : this.#oldestItems(staged)), most);
  }

  #evict(staged: StagedHead, evicted: readonly OldItem[], through: number | undefined): readonly Commit[] {
    return evicted.map(({ item, data, record }) =>
      this.#perform(staged, { kind: 'delete', item, by: 'bound' }, { kind: 'remove', data }, record, through),
    );
  }

  /** Returns the bytes of a group that has a bound of bytes, and counts them if they are not known. */
  #bytesIn(staged: StagedHead): number {
    if (staged.bounds?.maxBytes === undefined) return 0;
    if (staged.head.bytes === undefined) {
      // A failure here concerns earlier changes too, because it may leave them half written.
      this.#begun = true;
      this.#items.flush();
      staged.head.bytes = storedBytes(this.#options.tables, staged.head.number);
      staged.dirty = true;
      this.#begun = false;
    }
    return staged.head.bytes;
  }

  *#oldestItems(staged: StagedHead): Generator<OldItem, void> {
    for (const item of itemsInOrder(this.#options.tables, staged.head.number)) {
      const record = this.#read(staged, item);
      if (record?.live === true) yield { item, data: record.data, record };
    }
  }

  /** An update that leaves the value as it is may still renew the time to live. */
  #renew(staged: StagedHead, change: AnyChange): void {
    if (expiryOf(change) === undefined || change.item === undefined) return;
    const before = this.#read(staged, change.item);
    if (before?.live !== true) return;
    this.#items.renew(staged, change.item, before, this.#expiry(change, before, staged.bounds));
  }

  /** Spends these bytes of the disk, or throws STORE_FULL and spends nothing. The sizes of computed values are known only here. */
  #spend(cost: number): void {
    if (cost > this.#budget) throw storeFull();
    this.#budget -= cost;
  }

  /** `change`: the update for which the value is read. If it does not take a value of this size, the value is not decoded. */
  #read(staged: StagedHead, item: string, change?: WithoutGroup<Change>): ItemRecord | undefined {
    const known = this.#items.inMemory(staged, item);
    if (known === undefined) return this.#readTable(staged.head, item, change);
    if (change?.kind === 'update') change.requireSize?.(Buffer.byteLength(known.data));
    this.#options.limits.add(known.data.length);
    return known;
  }

  #readTable({ number }: Head, item: string, change: WithoutGroup<Change> | undefined, view?: View): ItemRecord | undefined {
    const { tables, limits } = this.#options;
    const key = itemKey(number, item);
    const record = view === undefined ? tables.items.get(key) : tables.items.get(key, { transaction: view });
    if (record === undefined) return undefined;
    if (change?.kind === 'update') change.requireSize?.(dataBytesIn(record));
    limits.add(record.length);
    // An update needs the old value. Every other change replaces a damaged record.
    if (change?.kind === 'update' || isSound(key, record)) return decodeItem(key, record);
    return lostItem(tables, key, view);
  }
}

/** Returns the bytes that an effect may add to the data file; 0 when it touches no item. */
function costOfEffect(effect: Effect): number {
  if (effect.kind === 'write') return costOf(effect.data.length);
  return effect.kind === 'remove' ? costOf(0) : 0;
}
