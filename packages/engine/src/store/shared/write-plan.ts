import { formatPosition, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import type { Change, ChangeResult, Condition, Expiry, Once, WithoutGroup, Write, WriteChange, WriteResult } from '../store.js';
import { type Effect, effectOf } from './change-effect.js';
import { requireId } from './ids.js';

/** The state of an item that conditions and changes read. */
export interface ItemState {
  readonly data: JsonText;
  /** The offset of its last change. */
  readonly changed: number;
}

/** The group before the write, as a store reads it. */
export interface GroupRead {
  readonly epoch: string;
  readonly offset: number;
  /** `change`: why the value is read. Throws what `requireSize` of an update throws. */
  read(item: string, change?: WriteChange): ItemState | undefined;
}

/** The decided effect of one change. Nothing is written yet. */
export interface Step {
  readonly change: WriteChange;
  readonly effect: Effect;
  /** The value before. */
  readonly old: JsonText | undefined;
  /** The offset that the change takes; the offset of the step before when the change has no effect. */
  readonly offset: number;
}

export interface WritePlan {
  readonly result: Exclude<WriteResult, { readonly kind: 'replayed' }>;
  /** The steps to execute, in order; empty when there is a conflict. */
  readonly steps: readonly Step[];
  /** The offset of the last step, for the commits of a batch; `undefined` for other writes. */
  readonly through: number | undefined;
}

/**
 * Decides a whole write before any of it is executed: conditions, computations and offsets. Each change sees the effects of the changes
 * before it. Every store decides with this function. Throws the errors of a `compute`, and VALUE_TOO_LARGE when the values of a batch do
 * not fit an answer.
 */
export function planWrite(write: Write, group: GroupRead): WritePlan {
  const planning = planInSteps(write, group);
  for (;;) {
    const step = planning.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Decides as `planWrite` does, one change at a time. The event loop may turn between two steps, if nothing else changes the group
 * meanwhile.
 */
export function* planInSteps(write: Write, group: GroupRead): Generator<void, WritePlan> {
  const steps: Step[] = [];
  const results: ChangeResult[] = [];
  /** Items as the steps so far have changed them; `undefined` for a deleted item. */
  const ahead = new Map<string, ItemState | undefined>();
  let { offset } = group;
  let characters = 0;
  for (const [index, change] of write.changes.entries()) {
    const before = change.kind === 'event' ? undefined : ahead.has(change.item) ? ahead.get(change.item) : readFor(change, group);
    if (change.kind !== 'event' && change.condition !== undefined && !holds(change.condition, before, group.epoch)) {
      return { result: conflictAt(index, group, group.read(change.item)), steps: [], through: undefined };
    }
    const old = before?.data;
    const effect = effectOf(change, old);
    if (effect.kind === 'none') {
      const version = before && { epoch: group.epoch, offset: before.changed };
      results.push({ kind: 'unchanged', old, version });
    } else {
      offset++;
      const after = effect.kind === 'write' ? effect.data : undefined;
      results.push({ kind: 'applied', old, new: after, position: { epoch: group.epoch, offset } });
      if (change.kind !== 'event') ahead.set(change.item, after === undefined ? undefined : { data: after, changed: offset });
    }
    characters += (old?.length ?? 0) + (effect.kind === 'write' ? effect.data.length : 0);
    if (write.changes.length > 1 && characters > LIMITS.batchChars) throw tooLarge();
    steps.push({ change, effect, old, offset });
    yield;
  }
  return { result: { kind: 'written', results }, steps, through: write.batch ? offset : undefined };
}

/** A change with a condition reads the whole value, because a conflict has precedence over a value that is too large. */
function readFor(change: Exclude<WriteChange, { kind: 'event' }>, group: GroupRead): ItemState | undefined {
  return group.read(change.item, change.condition === undefined ? change : undefined);
}

function holds(condition: Condition, before: ItemState | undefined, epoch: string): boolean {
  if (condition.kind === 'absent') return before === undefined;
  return before !== undefined && condition.version === formatPosition({ epoch, offset: before.changed });
}

function conflictAt(index: number, { epoch }: GroupRead, item: ItemState | undefined): WritePlan['result'] {
  return { kind: 'conflict', index, value: item?.data, version: item && { epoch, offset: item.changed } };
}

/** The error for a batch whose values do not fit an answer. */
export function tooLarge(): RivuletError {
  return new RivuletError(
    'VALUE_TOO_LARGE',
    `the values before and after a batch may have ${LIMITS.batchChars} characters together; write it in parts`,
  );
}

/** Returns the expiry that a change names; `undefined` when it names none. */
export function expiryOf(change: WriteChange | WithoutGroup<Extract<Change, { kind: 'external' }>>): Expiry | undefined {
  return change.kind === 'set' || change.kind === 'update' ? change.expiry : undefined;
}

/** Throws INVALID_ID when a name of the write is not a valid id. */
export function requireIds(write: Write): void {
  requireId(write.stream, 'stream_name');
  requireId(write.group, 'group_id');
  for (const { item } of write.changes) if (item !== undefined) requireId(item, 'item_id');
}

/** Throws INVALID_ARGUMENTS when the key was used for another write. */
export function requireSame(once: Once, fingerprint: string): void {
  if (once.fingerprint === fingerprint) return;
  throw new RivuletError(
    'INVALID_ARGUMENTS',
    'this idempotency_key was used in this group for another function or item; use a new key for each write',
  );
}

/** Throws OVERLOADED when a store with `keys` keys of `bytes` bytes together has no room for one of `more` bytes. */
export function requireCapacity(keys: number, bytes: number, more: number): void {
  if (keys < LIMITS.idempotencyKeys && bytes + more <= LIMITS.idempotencyBytes) return;
  throw new RivuletError(
    'OVERLOADED',
    `the store remembers ${keys} idempotency keys with answers of ${bytes} bytes and takes no more; write without a key, or try again later`,
  );
}
