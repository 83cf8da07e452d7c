import { field, isJsonObject, type JsonObject, optionalField, stringField } from '@rivulet/protocol';
import type { Effect } from '../history/op.js';

/** An item of a `sync`, with the fields that the frame has. */
export interface SyncItem {
  readonly id: string | undefined;
  readonly value: string | undefined;
  readonly created: number | undefined;
}

/**
 * A frame of the engine to a stream client, as the checker reads it. The type follows the rules of the protocol and shares no code with the
 * engine.
 */
export type WireFrame =
  | {
      readonly kind: 'change';
      readonly group: string;
      readonly item: string | undefined;
      readonly effect: Effect;
      readonly value: string | undefined;
      readonly ts: number;
      readonly offset: number | undefined;
      readonly created: number | undefined;
      readonly through: number | undefined;
    }
  | {
      readonly kind: 'sync';
      readonly group: string;
      readonly item: string | undefined;
      readonly items: readonly SyncItem[];
      /** A snapshot of plain HTTP has no timestamp. */
      readonly ts: number | undefined;
      readonly offset: number | undefined;
      readonly epoch: string | undefined;
      readonly reason: string | undefined;
      readonly part: number | undefined;
      readonly last: boolean;
    }
  | { readonly kind: 'syncing' | 'stale'; readonly subscription: string }
  | {
      readonly kind: 'resumed';
      readonly subscription: string;
      readonly mode: 'tail' | 'changes';
      readonly epoch: string;
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: 'caught_up'; readonly subscription: string; readonly epoch: string; readonly offset: number }
  | { readonly kind: 'gap'; readonly subscription: string; readonly after: number; readonly through: number }
  | { readonly kind: 'unauthorized'; readonly group: string }
  | { readonly kind: 'error'; readonly subscription: string | undefined; readonly code: string }
  | { readonly kind: 'other' };

const OTHER: WireFrame = { kind: 'other' };
const EFFECTS: readonly string[] = ['create', 'update', 'delete'];

/** Decodes any text. A text that is no known frame becomes `other`. */
export function decodeWireFrame(text: string): WireFrame {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return OTHER;
  }
  if (!isJsonObject(frame)) return OTHER;
  if (stringField(frame, 'type') === 'stream') return streamFrame(frame);
  const data = field(frame, 'data');
  return isJsonObject(data) ? controlFrame(stringField(frame, 'type'), data) : OTHER;
}

function streamFrame(frame: JsonObject): WireFrame {
  const event = field(frame, 'event');
  const groupId = stringField(frame, 'groupId');
  const streamName = stringField(frame, 'streamName');
  const ts = numberOf(field(frame, 'timestamp'));
  if (!isJsonObject(event) || groupId === undefined || streamName === undefined || ts === undefined) return OTHER;
  const group = `${streamName}/${groupId}`;
  const item = stringField(frame, 'id');
  const type = stringField(event, 'type');
  if (type === 'unauthorized') return { kind: 'unauthorized', group };
  const offset = numberOf(field(frame, 'offset'));
  if (type === 'sync') {
    return {
      kind: 'sync',
      group,
      item,
      items: item === undefined ? groupItems(frame, field(event, 'data')) : oneItem(item, frame, field(event, 'data')),
      ts,
      offset,
      epoch: stringField(frame, 'epoch'),
      reason: stringField(frame, 'reason'),
      part: numberOf(field(frame, 'part')),
      last: field(frame, 'last') !== false,
    };
  }
  const base = {
    kind: 'change',
    group,
    item,
    ts,
    offset,
    created: numberOf(field(frame, 'created')),
    through: numberOf(field(frame, 'through')),
  } as const;
  if (type === 'event') {
    const sent = field(event, 'event');
    return { ...base, effect: 'event', value: isJsonObject(sent) ? valueOf(field(sent, 'data')) : undefined };
  }
  if (type === undefined || !EFFECTS.includes(type)) return OTHER;
  return { ...base, effect: type as Effect, value: type === 'delete' ? undefined : valueOf(field(event, 'data')) };
}

function controlFrame(type: string | undefined, data: JsonObject): WireFrame {
  const subscription = stringField(data, 'subscriptionId');
  const epoch = stringField(data, 'epoch') ?? '';
  const [from, to, offset] = [numberOf(field(data, 'from')), numberOf(field(data, 'to')), numberOf(field(data, 'offset'))];
  const [after, through] = [numberOf(field(data, 'after')), numberOf(field(data, 'through'))];
  const mode = stringField(data, 'mode');
  if (type === 'error') return { kind: 'error', subscription, code: stringField(data, 'code') ?? '' };
  if (subscription === undefined) return OTHER;
  if (type === 'syncing' || type === 'stale') return { kind: type, subscription };
  if (type === 'resumed' && (mode === 'tail' || mode === 'changes') && from !== undefined && to !== undefined)
    return { kind: 'resumed', subscription, mode, epoch, from, to };
  if (type === 'caught_up' && offset !== undefined) return { kind: 'caught_up', subscription, epoch, offset };
  if (type === 'gap' && after !== undefined && through !== undefined) return { kind: 'gap', subscription, after, through };
  return OTHER;
}

function groupItems(frame: JsonObject, data: unknown): SyncItem[] {
  if (!Array.isArray(data)) return [];
  const ids = optionalField(frame, 'ids');
  const created = optionalField(frame, 'created');
  return data.map((value: unknown, index) => {
    const id: unknown = Array.isArray(ids) ? ids[index] : undefined;
    const at: unknown = Array.isArray(created) ? created[index] : undefined;
    return { id: typeof id === 'string' ? id : idOf(value), value: valueOf(value), created: numberOf(at) };
  });
}

function oneItem(id: string, frame: JsonObject, data: unknown): SyncItem[] {
  return data === null || data === undefined ? [] : [{ id, value: valueOf(data), created: numberOf(field(frame, 'created')) }];
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Returns the unique value of a write. The writers of the checker store it in `v`, and the id of the item in `id`. */
function valueOf(data: unknown): string | undefined {
  return isJsonObject(data) ? stringField(data, 'v') : undefined;
}

function idOf(data: unknown): string | undefined {
  return isJsonObject(data) ? stringField(data, 'id') : undefined;
}
