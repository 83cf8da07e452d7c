import type { JsonText, Position } from '@rivulet/protocol';
import type { BatchLimits } from '../shared/batch-limits.js';
import { effectOf } from '../shared/change-effect.js';
import { valueIdOf } from '../shared/value-id.js';
import { expiryOf, type ItemState, planInSteps as planWriteInSteps } from '../shared/write-plan.js';
import type { ApplyResult, Change, ChangeResult, Expiry, StoredItem, WithoutGroup, Write, WriteChange, WriteResult } from '../store.js';
import type { Told, ToldRecord } from './records.js';
import { CHANGE_FIELDS } from './scripts.js';

/** What waits to be written to one group. */
export type Asked =
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'write'; readonly write: Write }
  /** Items whose time may have come; without any, only the index of such groups is put right. */
  | { readonly kind: 'due'; readonly items: readonly string[] };

/** One change as the script takes it. */
export interface Op {
  readonly kind: 'set' | 'delete' | 'event' | 'external' | 'due' | 'touch';
  readonly item: string | undefined;
  readonly data: JsonText;
  /** Effect of an external change, type of an event; of others whose hold on the item keeps it from being done. */
  readonly extra: string;
  readonly expiry: Expiry | 'stay' | undefined;
  /** Ops of one batch have the same. */
  readonly batch: string;
}

export type Answer = ApplyResult | WriteResult | undefined;

/** What comes of one that was asked, as soon as the script has told what it did. */
export type Outcome =
  | { readonly kind: 'failed'; readonly error: unknown }
  /** `told`: its records, in the order of its ops. */
  | { readonly kind: 'planned'; readonly ops: readonly Op[]; readonly answer: (told: Told, own: readonly ToldRecord[]) => Answer };

export interface Plan {
  readonly outcomes: readonly Outcome[];
  /** Items that must not have changed since they were read, with the offset of their last change; 0: there was none. */
  readonly expected: ReadonlyMap<string, number>;
}

/** The group as it was read. */
export interface Ground {
  readonly position: Position;
  /** Of the items that `itemsToRead` names. */
  readonly items: ReadonlyMap<string, StoredItem>;
  /** Items that were left out because those before them are large. */
  readonly unread?: ReadonlySet<string>;
}

/** What must be read before it can be decided what to write; none: the script decides alone. */
export function itemsToRead(batch: readonly Asked[]): readonly string[] {
  if (!batch.some((asked) => asked.kind === 'write' || (asked.kind === 'change' && asked.change.kind === 'update'))) return [];
  return [...new Set(batch.flatMap(itemsOf))];
}

/** Decides what the script does. Pure; runs again with another ground when that has changed meanwhile. */
export function planOf(batch: readonly Asked[], ground: Ground | undefined): Plan {
  const steps = planInSteps(batch, ground);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * The same, one change at a time: the event loop may turn between two of them. Ends early when `limits` are reached, or with the first that needs
 * an item that was not read: the outcomes are those of the first ones.
 */
export function* planInSteps(batch: readonly Asked[], ground: Ground | undefined, limits?: BatchLimits): Generator<void, Plan> {
  const planning = new Planning(ground);
  const outcomes: Outcome[] = [];
  for (const [index, asked] of batch.entries()) {
    if (index > 0 && (limits?.reached === true || !isRead(asked, ground))) break;
    const outcome = yield* planning.plan(asked, String(index));
    outcomes.push(outcome);
    if (outcome.kind === 'planned') for (const { data } of outcome.ops) limits?.add(data.length);
    yield;
  }
  return { outcomes, expected: planning.expected };
}

function isRead(asked: Asked, ground: Ground | undefined): boolean {
  return ground?.unread === undefined || itemsOf(asked).every((item) => ground.unread?.has(item) !== true);
}

/** Items that an asked one may look at. */
export function itemsOf(asked: Asked): readonly string[] {
  if (asked.kind === 'due') return [];
  const changes: readonly WithoutGroup<Change>[] = asked.kind === 'change' ? [asked.change] : asked.write.changes;
  return changes.flatMap((change) => (change.kind === 'event' || change.kind === 'external' ? [] : [change.item]));
}

class Planning {
  readonly expected = new Map<string, number>();
  readonly #ground: Ground | undefined;
  /** What the ops so far make of items; `undefined`: gone. */
  readonly #ahead = new Map<string, ItemState | undefined>();
  #offset: number;

  constructor(ground: Ground | undefined) {
    this.#ground = ground;
    this.#offset = ground?.position.offset ?? 0;
  }

  *plan(asked: Asked, batch: string): Generator<void, Outcome> {
    try {
      if (asked.kind === 'due') return this.#due(asked.items);
      return asked.kind === 'change' ? this.#change(asked.change) : yield* this.#write(asked.write, batch);
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  #due(items: readonly string[]): Outcome {
    const ops = items.map((item): Op => ({ kind: 'due', item, data: '', extra: '', expiry: undefined, batch: '' }));
    return { kind: 'planned', ops, answer: () => undefined };
  }

  #change(change: Change): Outcome {
    // Whether it takes an offset decides where what is planned behind it stands.
    if (change.kind === 'delete' && this.#ground !== undefined) this.#look(change.item);
    const op = change.kind === 'update' ? this.#computed(change) : opOf(change);
    if ('kind' in op) this.#note(op);
    else return { kind: 'planned', ops: [], answer: () => ({ kind: 'unchanged', old: op.old }) };
    return { kind: 'planned', ops: [op], answer: ({ epoch }, [record]) => answerOf(epoch, record) };
  }

  #computed(change: Extract<Change, { kind: 'update' }>): Op | { readonly old: JsonText | undefined } {
    const old = this.#look(change.item)?.data;
    const effect = effectOf(change, old);
    return effect.kind === 'none' ? { old } : setOp(change.item, effect.data, undefined, '');
  }

  *#write(write: Write, batch: string): Generator<void, Outcome> {
    const ground = this.#ground as Ground;
    const before = this.#offset;
    const { result, steps } = yield* planWriteInSteps(write, {
      epoch: ground.position.epoch,
      offset: before,
      read: (item) => this.#look(item),
    });
    const ops: Op[] = [];
    for (const { change, effect } of steps) {
      const op = effect.kind === 'none' ? touchOp(change) : stepOp(change, effect, write.batch ? batch : '');
      if (op === undefined) continue;
      this.#note(op);
      ops.push(op);
    }
    return {
      kind: 'planned',
      ops,
      answer: ({ from }, own) =>
        movedBy(heldBack(write, own) ? this.#conflict(write) : result, from - ground.position.offset, ground.position.offset),
    };
  }

  #conflict({ changes: [change] }: Write): Exclude<WriteResult, { kind: 'replayed' }> {
    const { position, items } = this.#ground as Ground;
    const item = items.get(change?.item ?? '');
    return { kind: 'conflict', index: 0, value: item?.data, version: item && { epoch: position.epoch, offset: item.changed } };
  }

  /** The item as it will be when this op is done; what is relied on must not change meanwhile. */
  #look(item: string): ItemState | undefined {
    if (this.#ahead.has(item)) return this.#ahead.get(item);
    const known = this.#ground?.items.get(item);
    this.expected.set(item, known?.changed ?? 0);
    return known;
  }

  #note({ kind, item, data }: Op): void {
    if (kind === 'touch') return;
    const exists = item !== undefined && (this.#ahead.has(item) ? this.#ahead.get(item) !== undefined : this.#ground?.items.has(item));
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
      return { ...op, kind: 'delete', data: '', extra: '' };
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
  if (effect.kind === 'remove') return { kind: 'delete', item: change.item, data: '', extra, expiry: undefined, batch };
  return { ...setOp(change.item, effect.data, expiryOf(change) ?? (change.kind === 'set' ? 'stay' : undefined), batch), extra };
}

/** The script found that somebody holds the item; where that matters a write goes alone. */
function heldBack({ changes: [change] }: Write, [record]: readonly ToldRecord[]): boolean {
  return guardsHold(change) && record?.effect === 'none';
}

/** Whether the script has the last word about it. */
export function guardsHold(change: WriteChange | undefined): boolean {
  return change !== undefined && change.kind !== 'event' && change.unlessLeased !== undefined;
}

/** A change that leaves the value as it is may give it another time. */
function touchOp(change: WithoutGroup<WriteChange>): Op | undefined {
  const expiry = expiryOf(change as WriteChange);
  return expiry && { kind: 'touch', item: change.item, data: '', extra: '', expiry, batch: '' };
}

function setOp(item: string, data: JsonText, expiry: Op['expiry'], batch: string): Op {
  return { kind: 'set', item, data, extra: '', expiry, batch };
}

function answerOf(epoch: string, record: ToldRecord | undefined): ApplyResult {
  if (record === undefined || record.effect === 'none') return { kind: 'unchanged', old: record?.old };
  return {
    kind: 'applied',
    old: record.old,
    new: record.effect === 'create' || record.effect === 'update' ? (record.created === 0 ? undefined : record.data) : undefined,
    position: { epoch, offset: record.offset },
  };
}

/** Others wrote to the group between the read and the script: what was planned behind `base` came that much later. */
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

/** Returns the fields of one change in the order of CHANGE_FIELDS. `steadyNow`: monotonic wall clock, in milliseconds. */
export function encodeOp({ kind, item, data, extra, expiry, batch }: Op, steadyNow: number): string[] {
  const id = kind === 'set' ? (valueIdOf(data) ?? '') : kind === 'event' && item === undefined ? 'group' : '';
  const fields: Readonly<Record<(typeof CHANGE_FIELDS)[number], string>> = {
    kind,
    item: item ?? '',
    data,
    extra,
    id,
    ...encodeExpiry(expiry, steadyNow),
    batch,
  };
  return CHANGE_FIELDS.map((field) => fields[field]);
}

/** `time` is the deadline for `ttl`, and the grace time for `held`. */
function encodeExpiry(expiry: Op['expiry'], steadyNow: number): { readonly expiry: string; readonly time: string } {
  if (expiry === undefined) return { expiry: '', time: '0' };
  if (expiry === 'stay') return { expiry: 'stay', time: '0' };
  if (expiry.kind === 'ttl') return { expiry: 'ttl', time: String(steadyNow + expiry.ms) };
  return { expiry: 'held', time: String(expiry.graceMs) };
}
