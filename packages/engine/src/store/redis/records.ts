import { type JsonText, RivuletError, type StreamEffect } from '@rivulet/protocol';
import type { ChangeEntry, Commit, GroupRef, StoredItem } from '../store.js';

/** What one step of a group did, as the script told it: to its caller, to everybody who watches, and to the log. */
export interface Told {
  /** Who asked for it. */
  readonly node: string;
  readonly epoch: string;
  /** The group stood at `from` before it, and at `to` after. */
  readonly from: number;
  readonly to: number;
  readonly records: readonly ToldRecord[];
}

export interface ToldRecord {
  /** `none`: nothing was to be done. */
  readonly effect: StreamEffect | 'event' | 'none';
  /** The one before when there was no effect. */
  readonly offset: number;
  readonly created: number;
  readonly stamp: number;
  readonly through: number | undefined;
  readonly item: string | undefined;
  readonly data: JsonText;
  readonly old: JsonText | undefined;
  readonly type: string;
}

const LINE_FEED = 0x0a;
const EFFECTS: ReadonlySet<string> = new Set(['create', 'update', 'delete', 'event', 'none']);

/** Throws CORRUPT_ITEM when the bytes are not what the script writes. */
export function readTold(bytes: Buffer): Told {
  const end = bytes.indexOf(LINE_FEED);
  const [node = '', epoch = '', from, to, count] = bytes.toString('latin1', 0, Math.max(0, end)).split(' ');
  const told = { node, epoch, from: whole(from), to: whole(to) };
  const lines: string[][] = [];
  let at = end + 1;
  for (let line = 0; line < whole(count); line++) {
    const next = bytes.indexOf(LINE_FEED, at);
    if (next < 0) throw corrupt();
    lines.push(bytes.toString('latin1', at, next).split(' '));
    at = next + 1;
  }
  // An empty list of lines ends with a line feed all the same.
  if (lines.length === 0) at++;
  const take = (length: string | undefined): string => {
    const begin = at;
    at += whole(length);
    if (at > bytes.length) throw corrupt();
    return bytes.toString('utf8', begin, at);
  };
  const records = lines.map(([effect = '', offset, created, stamp, through, item, data, old, type]): ToldRecord => {
    if (!EFFECTS.has(effect)) throw corrupt();
    return {
      effect: effect as ToldRecord['effect'],
      offset: whole(offset),
      created: whole(created),
      stamp: whole(stamp),
      through: whole(through) || undefined,
      item: item === '-1' ? undefined : take(item),
      data: take(data),
      old: old === '-1' ? undefined : take(old),
      type: take(type),
    };
  });
  if (at !== bytes.length) throw corrupt();
  return { ...told, records };
}

/** Where a step stands, without what it did. */
export function placeOf(bytes: Buffer): Omit<Told, 'records'> {
  const end = bytes.indexOf(LINE_FEED);
  const [node = '', epoch = '', from, to] = bytes.toString('latin1', 0, Math.max(0, end)).split(' ');
  return { node, epoch, from: whole(from), to: whole(to) };
}

export function commitOf({ stream, group }: GroupRef, epoch: string, record: ToldRecord): Commit {
  const { effect, offset, created, stamp, through, item, data, old, type } = record;
  if (effect === 'none') throw new TypeError('no commit');
  return {
    stream,
    group,
    item,
    effect,
    position: { epoch, offset },
    timestamp: stamp,
    created,
    data,
    old,
    eventType: effect === 'event' ? type : undefined,
    through,
  };
}

/** `meta`: offsets of creation and last change. */
export function itemOf(item: string, value: Buffer, meta: Buffer | null | undefined): StoredItem {
  const [created, changed] = meta?.toString('latin1').split(' ', 2) ?? [];
  return { item, data: value.toString(), created: whole(created), changed: whole(changed) };
}

/** `meta`: offsets of creation and delete, the stamp of the delete, and the `id` of the value. */
export function tombstoneOf(item: string, meta: Buffer | null | undefined): Extract<ChangeEntry, { kind: 'tombstone' }> {
  const text = meta?.toString() ?? '';
  const [created, changed, stamp = ''] = text.split(' ', 3);
  const valueId = text.slice(`${created} ${changed} ${stamp} `.length);
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
