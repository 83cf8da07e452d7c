import { type JsonText, RivuletError, type StreamEffect } from '@rivulet/protocol';
import type { ChangeEntry, Commit, DeleteReason, GroupRef, StoredItem } from '../store.js';

/**
 * The changes that one run of write.lua made to a group. The script returns them as text, publishes that text, and keeps it in the log.
 *
 * The text begins with the line `<node> <epoch> <from> <to> <count>`. One line for each record follows, with its numbers and the lengths of
 * its texts in bytes. Then come all texts without separators. An event of the whole group has an item of length -1.
 */
export interface GroupStep {
  /** Names the engine of the write. */
  readonly node: string;
  readonly epoch: string;
  /** Offsets of the group before and after the step. */
  readonly from: number;
  readonly to: number;
  readonly records: readonly StepRecord[];
}

export interface StepRecord {
  /** `none`: the change had no effect and took no offset. */
  readonly effect: StreamEffect | 'event' | 'none';
  /** Offset of the change; of the change before it when there was no effect. */
  readonly offset: number;
  readonly created: number;
  readonly timestamp: number;
  readonly through: number | undefined;
  readonly item: string | undefined;
  readonly data: JsonText;
  readonly old: JsonText | undefined;
  readonly type: string;
}

const LINE_FEED = 0x0a;
const EFFECTS: ReadonlySet<string> = new Set(['create', 'update', 'delete', 'event', 'none']);

/** Decodes a step. Throws CORRUPT_ITEM when write.lua did not make these bytes. */
export function readStep(bytes: Buffer): GroupStep {
  const end = bytes.indexOf(LINE_FEED);
  const [node = '', epoch = '', from, to, count] = bytes.toString('latin1', 0, Math.max(0, end)).split(' ');
  const step = { node, epoch, from: whole(from), to: whole(to) };
  const lines: string[][] = [];
  let at = end + 1;
  for (let line = 0; line < whole(count); line++) {
    const next = bytes.indexOf(LINE_FEED, at);
    if (next < 0) throw corrupt();
    lines.push(bytes.toString('latin1', at, next).split(' '));
    at = next + 1;
  }
  // Without records there is still the line feed that ends the list.
  if (lines.length === 0) at++;
  const take = (length: string | undefined): string => {
    const begin = at;
    at += whole(length);
    if (at > bytes.length) throw corrupt();
    return bytes.toString('utf8', begin, at);
  };
  const records = lines.map(([effect = '', offset, created, timestamp, through, item, data, old, type]): StepRecord => {
    if (!EFFECTS.has(effect)) throw corrupt();
    return {
      effect: effect as StepRecord['effect'],
      offset: whole(offset),
      created: whole(created),
      timestamp: whole(timestamp),
      through: whole(through) || undefined,
      item: item === '-1' ? undefined : take(item),
      data: take(data),
      old: old === '-1' ? undefined : take(old),
      type: take(type),
    };
  });
  if (at !== bytes.length) throw corrupt();
  return { ...step, records };
}

/** Decodes the first line of a step, without its records. */
export function readSpan(bytes: Buffer): Omit<GroupStep, 'records'> {
  const end = bytes.indexOf(LINE_FEED);
  const [node = '', epoch = '', from, to] = bytes.toString('latin1', 0, Math.max(0, end)).split(' ');
  return { node, epoch, from: whole(from), to: whole(to) };
}

/** Returns the record as a commit. Throws TypeError for a record without effect. */
export function commitOf({ stream, group }: GroupRef, epoch: string, record: StepRecord): Commit {
  const { effect, offset, created, timestamp, through, item, data, old, type } = record;
  if (effect === 'none') throw new TypeError('no commit');
  return {
    stream,
    group,
    item,
    effect,
    position: { epoch, offset },
    timestamp,
    created,
    data,
    old,
    eventType: effect === 'event' ? type : undefined,
    through,
    deletedBy: effect === 'delete' ? DELETED_BY.get(type) : undefined,
  };
}

/** Why an item was deleted, by the type of its record. A call gives no type. */
const DELETED_BY: ReadonlyMap<string, DeleteReason> = new Map([
  ['ttl', 'ttl'],
  ['lease', 'lease'],
  ['age', 'bound'],
  ['bound', 'bound'],
]);

/** `meta` is `<offset of creation> <offset of last change> <id of the value>`. */
export function itemOf(item: string, value: Buffer, meta: Buffer | null | undefined): StoredItem {
  const [created, changed] = meta?.toString('latin1').split(' ', 2) ?? [];
  return { item, data: value.toString(), created: whole(created), changed: whole(changed) };
}

/** `meta` is `<offset of creation> <offset of delete> <timestamp of delete> <id of the value>`. */
export function tombstoneOf(item: string, meta: Buffer | null | undefined): Extract<ChangeEntry, { kind: 'tombstone' }> {
  const text = meta?.toString() ?? '';
  const [created, changed, timestamp = ''] = text.split(' ', 3);
  const valueId = text.slice(`${created} ${changed} ${timestamp} `.length);
  return { kind: 'tombstone', item, created: whole(created), changed: whole(changed), valueId: valueId === '' ? undefined : valueId };
}

function whole(text: string | undefined): number {
  const number = Number(text);
  if (text === undefined || text === '' || !Number.isSafeInteger(number) || number < 0) throw corrupt();
  return number;
}

function corrupt(): RivuletError {
  return new RivuletError('CORRUPT_ITEM', 'Redis holds something under the keys of a group that this version did not write');
}
