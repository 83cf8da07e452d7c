import { wrongOption } from '@rivulet/protocol';
import { sdkError } from './errors.js';

/** Path of an update: one key at the top, or (merge, append) a list of keys; `''`, or none for these two, is the whole value. */
export type UpdateOp =
  | { type: 'set'; path: string; value: unknown }
  | { type: 'merge'; path?: string | string[]; value: object }
  | { type: 'increment' | 'decrement'; path: string; by: number }
  | { type: 'append'; path?: string | string[]; value: unknown }
  | { type: 'remove'; path: string };

interface Terms {
  /** Milliseconds, from 1,000 to 30 days, after which the item is deleted; a `set` without it makes the item permanent. */
  ttlMs?: number;
  /** Up to 256 bytes. A call that is repeated with its key writes nothing and answers what it answered, with `replayed: true`. */
  idempotencyKey?: string;
  /** The result says the version that the item has then. */
  withVersions?: boolean;
}

/** A condition that was not met: nothing was written. The item as it is; `null` and `null`: there is none. */
export type StreamConflict<TData> = { conflict: { value: TData | null; version: string | null } };

/** The write is done if the last change of the item has this version. */
export type IfVersion = { ifVersion: string; ifAbsent?: undefined };
/** The write is done if there is no such item. */
export type IfAbsent = { ifAbsent: true; ifVersion?: undefined };
type Always = { ifVersion?: undefined; ifAbsent?: undefined };

export type WriteOptions = Terms & Always;
export type ConditionalWriteOptions = Terms & (IfVersion | IfAbsent);
export type DeleteOptions = Omit<Terms, 'ttlMs'> & Always;
export type ConditionalDeleteOptions = Omit<Terms, 'ttlMs'> & IfVersion;
export type SendOptions = Pick<Terms, 'idempotencyKey'>;
export type BatchOptions = Omit<Terms, 'ttlMs'>;

/** One write of a batch. */
export type BatchWrite<TData> =
  | ({ type: 'set'; itemId: string; data: TData } & Pick<Terms, 'ttlMs'> & (Always | IfVersion | IfAbsent))
  | ({ type: 'update'; itemId: string; ops: UpdateOp[] } & Pick<Terms, 'ttlMs'> & (Always | IfVersion | IfAbsent))
  | ({ type: 'delete'; itemId: string } & (Always | IfVersion));

/** All writes were done, or, at the conflict of the write `index`, none. */
export type BatchResult<TData> =
  | { results: { old_value?: TData; new_value?: TData; version?: string | null }[]; replayed?: true; conflict?: undefined }
  | { conflict: { index: number; item_id: string; value: TData | null; version: string | null }; replayed?: true; results?: undefined };

/** An item with the version of its last change, and where the group stood. `null` and `null`: there is no such item. */
export type VersionedItem<TData> = { data: TData | null; version: string | null; position: string };
export type VersionedList<TData> = { items: { id: string; data: TData; version: string }[]; position: string };
export interface ListOptions {
  /** At most this many, up to 100,000. Default: all. */
  limit?: number;
  /** Begin behind this item. */
  after?: string;
}

interface AnyOptions {
  ifVersion?: string | undefined;
  ifAbsent?: true | undefined;
  ttlMs?: number;
  idempotencyKey?: string;
  withVersions?: boolean;
}

/** A misspelt option must not be lost: without `ttlMs` an item would be permanent. The engine checks what the values mean. */
const RULES = {
  ifVersion: 'a string or null',
  ifAbsent: 'a boolean or null',
  ttlMs: 'a number from 0, or null',
  idempotencyKey: 'a string or null',
  withVersions: 'a boolean or null',
} satisfies Record<keyof AnyOptions, string>;

/** Returns the options as the engine reads them; JSON leaves out those that are not given. Throws `INVALID_ARGUMENTS` for a wrong one. */
export function payloadOf(options: AnyOptions = {}): object {
  const wrong = wrongOption(options, RULES);
  if (wrong !== undefined) throw sdkError('INVALID_ARGUMENTS', wrong);
  const { ifVersion, ifAbsent, ttlMs, idempotencyKey, withVersions } = options;
  return {
    if_version: ifVersion,
    if_absent: ifAbsent,
    ttl_ms: ttlMs,
    idempotency_key: idempotencyKey,
    with_versions: withVersions,
  };
}

export function batchWrite<TData>(write: BatchWrite<TData>): object {
  const { type, itemId, data, ops, ...options } = write as BatchWrite<TData> & { data?: TData; ops?: UpdateOp[] };
  const content = type === 'set' ? { data } : type === 'update' ? { ops } : {};
  return { type, item_id: itemId, ...content, ...payloadOf(options) };
}
