import { formatPosition, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import type { Change, ChangeResult, Condition, Expiry, Once, WithoutGroup, Write, WriteChange, WriteResult } from '../store.js';
import { type Effect, effectOf } from './change-effect.js';
import { requireId } from './ids.js';

/** An item as far as conditions and changes look at it. */
export interface ItemState {
  readonly data: JsonText;
  /** Offset of its last change. */
  readonly changed: number;
}

/** The group before the write. */
export interface GroupRead {
  readonly epoch: string;
  readonly offset: number;
  /** `change`: why the value is read. Throws what `requireSize` of an update throws. */
  read(item: string, change?: WriteChange): ItemState | undefined;
}

/** What one change does, decided and not done. */
export interface Step {
  readonly change: WriteChange;
  readonly effect: Effect;
  /** Value before. */
  readonly old: JsonText | undefined;
  /** The offset that it takes; that of the step before when it has no effect. */
  readonly offset: number;
}

export interface WritePlan {
  readonly result: Exclude<WriteResult, { readonly kind: 'replayed' }>;
  /** None when there is a conflict. */
  readonly steps: readonly Step[];
  /** Offset of the last of them, for the commits of a batch. */
  readonly through: number | undefined;
}

/**
 * Decides all of a write before anything of it is done, the same in every store: conditions, computations and offsets, each change on top
 * of those before it. Throws what a `compute` throws, and VALUE_TOO_LARGE when the values of a batch are more than an answer may hold.
 */
export function planWrite(write: Write, group: GroupRead): WritePlan {
  const planning = planInSteps(write, group);
  for (;;) {
    const step = planning.next();
    if (step.done === true) return step.value;
  }
}

/** The same, one change at a time: the event loop may turn between two of them while nothing else changes the group. */
export function* planInSteps(write: Write, group: GroupRead): Generator<void, WritePlan> {
  const steps: Step[] = [];
  const results: ChangeResult[] = [];
  /** What the steps so far have made of items; `undefined`: gone. */
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
    if (write.batch && characters > LIMITS.batchChars) throw tooLarge();
    steps.push({ change, effect, old, offset });
    yield;
  }
  return { result: { kind: 'written', results }, steps, through: write.batch ? offset : undefined };
}

/** A conflict is found before a value is refused for its size. */
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

export function tooLarge(): RivuletError {
  return new RivuletError(
    'VALUE_TOO_LARGE',
    `the values before and after a batch may have ${LIMITS.batchChars} characters together; write it in parts`,
  );
}

/** The time that a change gives its item; `undefined`: it says none. */
export function expiryOf(change: WriteChange | WithoutGroup<Extract<Change, { kind: 'external' }>>): Expiry | undefined {
  return change.kind === 'set' || change.kind === 'update' ? change.expiry : undefined;
}

/** Throws INVALID_ID. */
export function requireIds(write: Write): void {
  requireId(write.stream, 'stream_name');
  requireId(write.group, 'group_id');
  for (const { item } of write.changes) if (item !== undefined) requireId(item, 'item_id');
}

/** Throws INVALID_ARGUMENTS when the key stands for another write. */
export function requireSame(once: Once, fingerprint: string): void {
  if (once.fingerprint === fingerprint) return;
  throw new RivuletError(
    'INVALID_ARGUMENTS',
    'this idempotency_key was used in this group for another function or item; use a new key for each write',
  );
}

/** Throws OVERLOADED when a store that remembers `keys` keys of `bytes` bytes has no room for one more. */
export function requireCapacity(keys: number, bytes: number, more: number): void {
  if (keys < LIMITS.idempotencyKeys && bytes + more <= LIMITS.idempotencyBytes) return;
  throw new RivuletError(
    'OVERLOADED',
    `the store remembers ${keys} idempotency keys with answers of ${bytes} bytes and takes no more; write without a key, or try again later`,
  );
}
