import type { JsonText, Position } from '@rivulet/protocol';
import type { BatchLimits } from '../shared/batch-limits.js';
import { effectOf } from '../shared/change-effect.js';
import { valueIdOf } from '../shared/value-id.js';
import { expiryOf, type ItemState, planInSteps as planWriteInSteps } from '../shared/write-plan.js';
import type { ApplyResult, Change, ChangeResult, Expiry, StoredItem, WithoutGroup, Write, WriteChange, WriteResult } from '../store.js';
import type { GroupStep, StepRecord } from './records.js';
import { CHANGE_FIELDS } from './scripts.js';

/** One call that waits in the queue of a group. */
export type PendingWrite =
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'write'; readonly write: Write }
  /** Deletes those of the items that are due. Without items, the script only repairs the entry of the group in the index `due`. */
  | { readonly kind: 'due'; readonly items: readonly string[] };

/** One change as write.lua takes it. */
export interface Op {
  readonly kind: 'set' | 'delete' | 'event' | 'external' | 'due' | 'touch';
  readonly item: string | undefined;
  readonly data: JsonText;
  /** The effect of an external change, the type of an event, or the guard `unlessLeased` of another change. */
  readonly extra: string;
  readonly expiry: Expiry | 'stay' | undefined;
  /** Names the batch of the change. Empty: it belongs to none. */
  readonly batch: string;
}

export type Answer = ApplyResult | WriteResult | undefined;

/** The plan of one pending write. */
export type Outcome =
  | { readonly kind: 'failed'; readonly error: unknown }
  /** `answer` makes the answer from the step of the script; `own` has the records of these ops, in their order. */
  | { readonly kind: 'planned'; readonly ops: readonly Op[]; readonly answer: (step: GroupStep, own: readonly StepRecord[]) => Answer };

export interface Plan {
  readonly outcomes: readonly Outcome[];
  /** Items that the plan relies on, with the offset of their last change. 0: the item did not exist. The script checks them. */
  readonly expected: ReadonlyMap<string, number>;
}

/** Position and items of the group, as one read returned them. */
export interface GroupItems {
  readonly position: Position;
  /** The existing ones of the items that `itemsToRead` names. */
  readonly items: ReadonlyMap<string, StoredItem>;
  /** Items that the read left out, because the values before them are large. */
  readonly unread?: ReadonlySet<string>;
}

/** Returns the items that must be read before the batch can be planned. Empty: the script decides everything. */
export function itemsToRead(batch: readonly PendingWrite[]): readonly string[] {
  if (!batch.some((pending) => pending.kind === 'write' || (pending.kind === 'change' && pending.change.kind === 'update'))) return [];
  return [...new Set(batch.flatMap(itemsOf))];
}

/** Decides what the script does. Pure: when the group has changed meanwhile, it runs again with a newer read. */
export function planOf(batch: readonly PendingWrite[], read: GroupItems | undefined): Plan {
  const steps = planInSteps(batch, read);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Does the same as `planOf`, one change at a time, so that the event loop may run in between. Ends early when `limits` are reached, or
 * before the first write that needs an unread item: the plan then covers only the first writes.
 */
export function* planInSteps(batch: readonly PendingWrite[], read: GroupItems | undefined, limits?: BatchLimits): Generator<void, Plan> {
  const planning = new Planning(read);
  const outcomes: Outcome[] = [];
  for (const [index, pending] of batch.entries()) {
    if (index > 0 && (limits?.reached === true || !isRead(pending, read))) break;
    const outcome = yield* planning.plan(pending, String(index));
    outcomes.push(outcome);
    if (outcome.kind === 'planned') for (const { data } of outcome.ops) limits?.add(data.length);
    yield;
  }
  return { outcomes, expected: planning.expected };
}

function isRead(pending: PendingWrite, read: GroupItems | undefined): boolean {
  return read?.unread === undefined || itemsOf(pending).every((item) => read.unread?.has(item) !== true);
}

/** Returns the items that a pending write may look at. */
export function itemsOf(pending: PendingWrite): readonly string[] {
  if (pending.kind === 'due') return [];
  const changes: readonly WithoutGroup<Change>[] = pending.kind === 'change' ? [pending.change] : pending.write.changes;
  return changes.flatMap((change) => (change.kind === 'event' || change.kind === 'external' ? [] : [change.item]));
}

/** Plans the writes of one batch. Each write sees the items and the offset as the writes before it leave them. */
class Planning {
  readonly expected = new Map<string, number>();
  readonly #read: GroupItems | undefined;
  /** Items as the ops so far leave them. `undefined`: deleted. */
  readonly #ahead = new Map<string, ItemState | undefined>();
  #offset: number;

  constructor(read: GroupItems | undefined) {
    this.#read = read;
    this.#offset = read?.position.offset ?? 0;
  }

  *plan(pending: PendingWrite, batch: string): Generator<void, Outcome> {
    try {
      if (pending.kind === 'due') return this.#due(pending.items);
      return pending.kind === 'change' ? this.#change(pending.change) : yield* this.#write(pending.write, batch);
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  #due(items: readonly string[]): Outcome {
    const ops = items.map((item): Op => ({ kind: 'due', item, data: '', extra: '', expiry: undefined, batch: '' }));
    return { kind: 'planned', ops, answer: () => undefined };
  }

  #change(change: Change): Outcome {
    // A delete takes an offset only if the item exists, and the offsets of later writes depend on that.
    if (change.kind === 'delete' && this.#read !== undefined) this.#readItem(change.item);
    const op = change.kind === 'update' ? this.#computed(change) : opOf(change);
    if ('kind' in op) this.#addOp(op);
    else return { kind: 'planned', ops: [], answer: () => ({ kind: 'unchanged', old: op.old }) };
    return { kind: 'planned', ops: [op], answer: ({ epoch }, [record]) => answerOf(epoch, record) };
  }

  #computed(change: Extract<Change, { kind: 'update' }>): Op | { readonly old: JsonText | undefined } {
    const old = this.#readItem(change.item)?.data;
    const effect = effectOf(change, old);
    return effect.kind === 'none' ? { old } : setOp(change.item, effect.data, undefined, '');
  }

  *#write(write: Write, batch: string): Generator<void, Outcome> {
    const { position } = this.#read as GroupItems;
    const before = this.#offset;
    const { result, steps } = yield* planWriteInSteps(write, {
      epoch: position.epoch,
      offset: before,
      read: (item) => this.#readItem(item),
    });
    const ops: Op[] = [];
    for (const { change, effect } of steps) {
      const op = effect.kind === 'none' ? touchOp(change) : stepOp(change, effect, write.batch ? batch : '');
      if (op === undefined) continue;
      this.#addOp(op);
      ops.push(op);
    }
    return {
      kind: 'planned',
      ops,
      answer: ({ from }, own) => movedBy(isBlocked(write, own) ? this.#conflict(write) : result, from - position.offset, position.offset),
    };
  }

  #conflict({ changes: [change] }: Write): Exclude<WriteResult, { kind: 'replayed' }> {
    const { position, items } = this.#read as GroupItems;
    const item = items.get(change?.item ?? '');
    return { kind: 'conflict', index: 0, value: item?.data, version: item && { epoch: position.epoch, offset: item.changed } };
  }

  /** Returns the item as the ops so far leave it. The plan then relies on the read item, so the script must find it unchanged. */
  #readItem(item: string): ItemState | undefined {
    if (this.#ahead.has(item)) return this.#ahead.get(item);
    const known = this.#read?.items.get(item);
    this.expected.set(item, known?.changed ?? 0);
    return known;
  }

  /** Adds the effect of an op to the items and the offset, for the writes planned after it. */
  #addOp({ kind, item, data }: Op): void {
    if (kind === 'touch') return;
    const exists = item !== undefined && (this.#ahead.has(item) ? this.#ahead.get(item) !== undefined : this.#read?.items.has(item));
    if (kind !== 'delete' || exists === true) this.#offset++;
    if (item === undefined || (kind !== 'set' && kind !== 'delete')) return;
    this.#ahead.set(item, kind === 'set' ? { data, changed: this.#offset } : undefined);
  }
}

function opOf(change: Exclude<Change, { kind: 'update' }>): Op {
  const op = { item: change.item, expiry: undefined, batch: '' };
  switch (change.kind) {
    case 'set':
      return setOp(change.item, change.data, 'stay', '');
    case 'delete':
      return { ...op, kind: 'delete', data: change.by ?? '', extra: '' };
    case 'event':
      return { ...op, kind: 'event', data: change.data, extra: change.type };
    case 'external':
      return { ...op, kind: 'external', data: change.data, extra: change.effect };
    default:
      return change satisfies never;
  }
}

function stepOp(change: WriteChange, effect: { readonly kind: string; readonly data: JsonText }, batch: string): Op {
  if (change.kind === 'event') return { kind: 'event', item: change.item, data: change.data, extra: change.type, expiry: undefined, batch };
  const extra = change.unlessLeased ?? '';
  const by = (change.kind === 'delete' ? change.by : undefined) ?? '';
  if (effect.kind === 'remove') return { kind: 'delete', item: change.item, data: by, extra, expiry: undefined, batch };
  return { ...setOp(change.item, effect.data, expiryOf(change) ?? (change.kind === 'set' ? 'stay' : undefined), batch), extra };
}

/** Whether a lease stopped the change. A guarded write goes alone, so its record is the only one. */
function isBlocked({ changes: [change] }: Write, [record]: readonly StepRecord[]): boolean {
  return isGuarded(change) && record?.effect === 'none';
}

/** Whether the change has a guard, which only the script can check. */
export function isGuarded(change: WriteChange | undefined): boolean {
  return change !== undefined && change.kind !== 'event' && change.unlessLeased !== undefined;
}

/** Returns an op for a change that keeps the value and renews the expiry, or `undefined` when it does not even do that. */
function touchOp(change: WithoutGroup<WriteChange>): Op | undefined {
  const expiry = expiryOf(change as WriteChange);
  return expiry && { kind: 'touch', item: change.item, data: '', extra: '', expiry, batch: '' };
}

function setOp(item: string, data: JsonText, expiry: Op['expiry'], batch: string): Op {
  return { kind: 'set', item, data, extra: '', expiry, batch };
}

function answerOf(epoch: string, record: StepRecord | undefined): ApplyResult {
  if (record === undefined || record.effect === 'none') return { kind: 'unchanged', old: record?.old };
  return {
    kind: 'applied',
    old: record.old,
    new: record.effect === 'create' || record.effect === 'update' ? (record.created === 0 ? undefined : record.data) : undefined,
    position: { epoch, offset: record.offset },
  };
}

/** Moves every position behind `base` by as many offsets as other engines took between the read and the script. */
function movedBy(result: Exclude<WriteResult, { kind: 'replayed' }>, by: number, base: number): WriteResult {
  if (by === 0) return result;
  const move = <P extends Position | undefined>(position: P): P =>
    position === undefined || position.offset <= base ? position : { ...position, offset: position.offset + by };
  if (result.kind === 'conflict') return { ...result, version: move(result.version) };
  const results = result.results.map(
    (each): ChangeResult =>
      each.kind === 'applied' ? { ...each, position: move(each.position) } : { ...each, version: move(each.version) },
  );
  return { ...result, results };
}

/**
 * Returns the fields of one change in the order of CHANGE_FIELDS. `steadyNow`: monotonic wall clock, in milliseconds. `maxAgeMs`: the bound
 * of the age of an item; `undefined` for none.
 */
export function encodeOp(op: Op, steadyNow: number, maxAgeMs?: number): string[] {
  const { kind, item, data, extra, batch } = op;
  const expiry = encodeExpiry(op, steadyNow, maxAgeMs);
  const id = kind === 'set' ? (valueIdOf(data) ?? '') : kind === 'event' && item === undefined ? 'group' : '';
  const fields: Readonly<Record<(typeof CHANGE_FIELDS)[number], string>> = {
    kind,
    item: item ?? '',
    data,
    extra,
    id,
    expiry: expiry.kind,
    time: String(expiry.time),
    batch,
  };
  return CHANGE_FIELDS.map((field) => fields[field]);
}

interface EncodedExpiry {
  /** `age`: the item keeps what an earlier write gave it. Otherwise its deadline is `time`, or it has none if that is 0. */
  readonly kind: '' | 'stay' | 'ttl' | 'held' | 'age';
  /** The deadline, the grace time for `held`, or 0. A deadline by age ends in a half, every other one is a whole number. */
  readonly time: number;
}

/** Returns the expiry that an op gives its item. It decides as `lifetimeOf` does, but only the script knows the expiry before. */
function encodeExpiry({ kind, expiry }: Op, steadyNow: number, maxAgeMs: number | undefined): EncodedExpiry {
  if (kind !== 'set' && kind !== 'touch') return { kind: '', time: 0 };
  const byAge = maxAgeMs === undefined ? 0 : Math.ceil(steadyNow + maxAgeMs) - 0.5;
  if (expiry === undefined) return { kind: 'age', time: byAge };
  if (expiry === 'stay') return maxAgeMs === undefined ? { kind: 'stay', time: 0 } : { kind: 'ttl', time: byAge };
  if (expiry.kind === 'held') return { kind: 'held', time: expiry.graceMs };
  return { kind: 'ttl', time: Math.ceil(steadyNow + Math.min(expiry.ms, maxAgeMs ?? expiry.ms)) };
}
