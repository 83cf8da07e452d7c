import { createLmdbStore, type LmdbStoreOptions, type WritableStore } from '@rivulet/engine/stores';
import { ERROR_CODES } from '@rivulet/protocol';
import { type BuiltStore, onceOf } from './built-store.js';
import { CLOCK } from './deps.js';

/** Everything that an engine saw of a store, as plain data that a child process can send. Errors are their codes. */
export interface Observed {
  /** Set when the store did not start. */
  readonly refusal?: { readonly code: string; readonly message: string };
  /** Codes of log lines about damage. */
  readonly reports: readonly string[];
  readonly streams: readonly string[] | string;
  readonly groups: readonly ObservedGroup[];
  /** For each idempotency key: `replayed`, `written`, or a code. */
  readonly keys: readonly string[];
  readonly removedOffset: number | string;
  readonly epoch: string;
}

export interface ObservedGroup {
  readonly items: readonly (readonly [item: string, data: string])[] | string;
  /** For each expected item its value, `undefined`, or a code. */
  readonly gets: readonly { readonly data?: string | undefined; readonly code?: string }[];
  /** Items and tombstones since the first offset. `stale`, or a code. */
  readonly changes: readonly string[] | string;
  readonly offset: number;
  /** Offset of a new write, or its code. */
  readonly written: number | string;
}

/** The part of a built store that a process needs. */
export type Expected = Pick<BuiltStore, 'groups' | 'keys'>;

/**
 * Starts a store, reads everything that is expected in it, writes to each group, and closes it. Never rejects for damage. `preflight`: how
 * the store is checked before LMDB opens it.
 */
export async function observe(
  directory: string,
  { groups, keys }: Expected,
  preflight: NonNullable<LmdbStoreOptions['preflight']>,
): Promise<Observed> {
  const reports: string[] = [];
  const note = (event: string, fields: object = {}) => {
    reports.push(`${event} ${'code' in fields ? String(fields.code) : ''}`);
  };
  const logger = { debug: () => {}, info: () => {}, warn: note, error: note };
  const nothing = { reports, streams: [], groups: [], keys: [], removedOffset: 0, epoch: '' };
  const store = createLmdbStore({ ...CLOCK, path: directory, tombstoneRetentionMs: 60_000, logger, preflight });
  try {
    await store.start({ onCommit: () => {}, onBreak: () => {} });
  } catch (error) {
    await store.close().catch(() => {});
    return { ...nothing, refusal: { code: codeOf(error), message: String(error) } };
  }
  try {
    const read: ObservedGroup[] = [];
    const streams = await orCode(store.streams());
    const fresh = await orCode(store.get({ stream: 'none', group: 'none' }, 'none'));
    for (const group of groups) read.push(await observeGroup(store, group));
    const replays = await Promise.all(keys.map((key) => replay(store, key)));
    const [removedOffset, epoch] = typeof fresh === 'string' ? [fresh, ''] : [fresh.position.offset, fresh.position.epoch];
    return { reports, streams, groups: read, keys: replays, removedOffset, epoch };
  } finally {
    await store.close();
  }
}

async function replay(store: WritableStore, { stream, group, key }: BuiltStore['keys'][number]): Promise<string> {
  const changes = [{ kind: 'set', item: 'replayed', data: '1' }] as const;
  const result = await orCode(store.write({ kind: 'write', stream, group, changes, batch: false, once: onceOf(key) }));
  return typeof result === 'string' ? result : result.kind;
}

async function observeGroup(store: WritableStore, { stream, group, items }: BuiltStore['groups'][number]): Promise<ObservedGroup> {
  const ref = { stream, group };
  const listed = await orCode(list(store, ref));
  const gets: { data?: string | undefined; code?: string }[] = [];
  for (const [item] of items) {
    const got = await orCode(store.get(ref, item));
    gets.push(typeof got === 'string' ? { code: got } : { data: got.value?.data });
  }
  const changes = await orCode(changesOf(store, ref));
  const written = await orCode(store.apply({ kind: 'set', ...ref, item: 'written', data: '1' }));
  return {
    items: typeof listed === 'string' ? listed : listed.items,
    offset: typeof listed === 'string' ? 0 : listed.offset,
    gets,
    changes,
    written: typeof written === 'string' ? written : written.kind === 'applied' ? written.position.offset : 0,
  };
}

async function list(store: WritableStore, ref: { stream: string; group: string }) {
  const snapshot = await store.snapshot(ref);
  const items: [string, string][] = [];
  try {
    for await (const chunk of snapshot.chunks()) for (const { item, data } of chunk) items.push([item, data]);
  } finally {
    snapshot.close();
  }
  return { items, offset: snapshot.position.offset };
}

async function changesOf(store: WritableStore, ref: { stream: string; group: string }): Promise<string[] | string> {
  const { position } = await store.get(ref, 'none');
  const changes = await store.changes(ref, { epoch: position.epoch, offset: 0 });
  if (changes.kind === 'stale') return 'stale';
  const found: string[] = [];
  for await (const chunk of changes.chunks())
    for (const entry of chunk) found.push(`${entry.kind} ${entry.item} ${'data' in entry ? entry.data : ''}`);
  return found;
}

async function orCode<T>(promise: Promise<T>): Promise<T | string> {
  try {
    return await promise;
  } catch (error) {
    return codeOf(error);
  }
}

/** Returns the code of an error, if it is one of the table. Codes of LMDB and of Node are no answer to a caller. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? code : `uncoded ${String(code)} ${String(error)}`;
}
