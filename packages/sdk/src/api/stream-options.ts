import { wrongOption } from '@rivulet/protocol';
import { sdkError } from './errors.js';

/**
 * One operation of an update. `path` names a key at the top of the value. `merge` and `append` also accept a list of keys, and no path. An
 * empty path, or none, means the whole value.
 */
export type UpdateOp =
  | { type: 'set'; path: string; value: unknown }
  | { type: 'merge'; path?: string | string[]; value: object }
  | { type: 'increment' | 'decrement'; path: string; by: number }
  | { type: 'append'; path?: string | string[]; value: unknown }
  | { type: 'remove'; path: string };

interface Terms {
  /**
   * The milliseconds after which the item is deleted, from 1,000 to 30 days.
   * @default the item is permanent
   */
  ttlMs?: number | undefined;
  /** A key of up to 256 bytes. A repeated call with the same key writes nothing. It returns the first result with `replayed: true`. */
  idempotencyKey?: string | undefined;
  /**
   * Whether the result has the new version of the item.
   * @default false
   */
  withVersions?: boolean | undefined;
}

/**
 * The result of a write whose condition was not met. Nothing was written. It has the current item, or `null` twice if the item does not
 * exist.
 */
export type StreamConflict<TData> = { conflict: { value: TData | null; version: string | null } };

/** A condition: the last change of the item has this version. */
export type IfVersion = { ifVersion: string; ifAbsent?: undefined };
/** A condition: the item does not exist. */
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

/** The result of a batch: the results of all writes, or the conflict of the write `index`. After a conflict nothing is written. */
export type BatchResult<TData> =
  | { results: { old_value?: TData; new_value?: TData; version?: string | null }[]; replayed?: true; conflict?: undefined }
  | { conflict: { index: number; item_id: string; value: TData | null; version: string | null }; replayed?: true; results?: undefined };

/** An item, the version of its last change, and the position of the group. `data` and `version` are `null` if the item does not exist. */
export type VersionedItem<TData> = { data: TData | null; version: string | null; position: string };
export type VersionedList<TData> = { items: { id: string; data: TData; version: string }[]; position: string };
export interface ListOptions {
  /**
   * The most items, up to 100,000.
   * @default all items
   */
  limit?: number;
  /**
   * The item after which the list begins.
   * @default the list begins with the first item
   */
  after?: string;
}

interface AnyOptions {
  ifVersion?: string | undefined;
  ifAbsent?: true | undefined;
  ttlMs?: number | undefined;
  idempotencyKey?: string | undefined;
  withVersions?: boolean | undefined;
}

/** A misspelt option must not be lost: without `ttlMs` an item would be permanent. The engine checks what the values mean. */
const RULES = {
  ifVersion: 'a string or null',
  ifAbsent: 'a boolean or null',
  ttlMs: 'a number from 0, or null',
  idempotencyKey: 'a string or null',
  withVersions: 'a boolean or null',
} satisfies Record<keyof AnyOptions, string>;

/** The members of a write of a batch. `batchWrite` reads the first ones itself; here they are for the hint about an unknown member. */
const WRITE_RULES = { type: 'a string', itemId: 'a string', data: 'any value', ops: 'an object', ...RULES };

/** Returns the options as the engine reads them; JSON leaves out those that are not given. Throws `INVALID_ARGUMENTS` for a wrong one. */
export function payloadOf(options: AnyOptions = {}, rules: Readonly<Record<string, string>> = RULES): object {
  const wrong = wrongOption(options, rules);
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
  return { type, item_id: itemId, ...content, ...payloadOf(options, WRITE_RULES) };
}
