import {
  type BatchOptions,
  type BatchResult,
  type BatchWrite,
  batchWrite,
  type ConditionalDeleteOptions,
  type ConditionalWriteOptions,
  type DeleteOptions,
  type IfAbsent,
  type IfVersion,
  type ListOptions,
  payloadOf,
  type SendOptions,
  type StreamConflict,
  type UpdateOp,
  type VersionedItem,
  type VersionedList,
  type WriteOptions,
} from './api/stream-options.js';

export type { UpdateOp } from './api/stream-options.js';

import type { StreamDeleteResult, StreamSetResult } from './api/types.js';

export type {
  StreamBackend as IStream,
  StreamDeleteInput,
  StreamDeleteResult as DeleteResult,
  StreamGetInput,
  StreamListGroupsInput,
  StreamListInput,
  StreamSetInput,
  StreamSetResult,
} from './api/types.js';

interface Caller {
  trigger<TInput, TOutput>(request: { function_id: string; payload: TInput }): Promise<TOutput>;
}

/** An operation that the engine skipped. It applied the other operations. */
export type UpdateOpError = { op_index: number; code: string; message: string; doc_url?: string };
export type StreamUpdateInput = { stream_name: string; group_id: string; item_id: string; ops: UpdateOp[] };
export type StreamUpdateResult<TData> = {
  old_value?: TData | null;
  new_value: TData;
  errors?: UpdateOpError[];
  version?: string | null;
  replayed?: true;
};

/** The input of a `stream` trigger. */
export interface StreamChangeEvent<TData = unknown> {
  type: 'stream';
  timestamp: number;
  streamName: string;
  groupId: string;
  id: string | null;
  event: { type: 'create' | 'update' | 'delete'; data: TData } | { type: 'event'; event: { type: string; data: unknown } };
}
export interface StreamTriggerConfig {
  stream_name?: string;
  group_id?: string;
  item_id?: string;
  condition_function_id?: string;
}
export interface StreamJoinLeaveTriggerConfig {
  stream_name?: string;
  condition_function_id?: string;
}
export interface StreamAuthInput {
  headers: Record<string, string>;
  path: string;
  query_params: Record<string, string[]>;
  addr: string;
}
/** The answer of an auth function of the stream port. Any object without `unauthorized` admits the client. */
export interface StreamAuthResult {
  /** Any value except `false` and `null` refuses. */
  unauthorized?: boolean | null;
  /** A value that the engine gives to join and leave functions. */
  context?: unknown;
  /** The name of the user, at most 256 bytes of UTF-8. `engine::sessions::disconnect` ends the sessions of a name. */
  identity?: string | null;
  /** The time at which the session ends, in Unix milliseconds. */
  expires_at_ms?: number | null;
}
export interface StreamJoinLeaveEvent<TContext = unknown> {
  subscription_id: string;
  stream_name: string;
  group_id: string;
  id?: string | null;
  /** The context from the auth answer; `null` if it has none. */
  context: TContext;
  /** The identity from the auth answer; absent if it has none. */
  identity?: string;
}
/** A leased item, which exists while the subscription does. */
export interface StreamLease {
  item_id: string;
  data?: unknown;
  /**
   * The milliseconds for which the item outlives a lost connection.
   * @default 10,000
   */
  grace_ms?: number;
  /**
   * Whether the client may replace the data.
   * @default false
   */
  client_data?: boolean;
}
/**
 * The answer of a join function. No answer, `null` and an object without `unauthorized` allow the join. With `join_fail_closed` only the
 * object allows it.
 */
export interface StreamJoinResult {
  /** Any value except `false` and `null` refuses. */
  unauthorized?: boolean | null;
  lease?: StreamLease | null;
}

/** The input of an auth function of a worker listener for guests. */
export interface WorkerAuthInput {
  headers: Record<string, string>;
  query_params: Record<string, string[]>;
  ip_address: string;
}
/** The answer of such an auth function. Any object without `unauthorized` admits the guest. docs/access.md has the defaults. */
export interface WorkerAuthResult {
  /** Any value except `false` and `null` refuses. */
  unauthorized?: boolean | null;
  allowed_functions?: string[] | null;
  forbidden_functions?: string[] | null;
  allowed_trigger_types?: string[] | null;
  allow_trigger_type_registration?: boolean | null;
  allow_function_registration?: boolean | null;
  function_registration_prefix?: string | null;
  /** A value that the engine gives to middleware, hooks and called functions. */
  context?: unknown;
  /** The name of the user, at most 256 bytes of UTF-8. `engine::sessions::disconnect` ends the sessions of a name. */
  identity?: string | null;
  /** The time at which the session ends, in Unix milliseconds. */
  expires_at_ms?: number | null;
  namespaces?: Record<string, string[]> | null;
}

/** The result of a write: `TResult`, or also a conflict if the write has a condition. */
export type Answer<TResult, TData, TOptions> = TOptions extends IfVersion | IfAbsent ? TResult | StreamConflict<TData> : TResult;

/** The options of one page of a list of groups. Without `limit`, a list that is larger than a message fails with RESULT_TOO_LARGE. */
export interface PageOptions {
  /** The most groups of the page, 1 to 100,000. The page also ends before it is larger than a message. */
  limit?: number;
  /** The group after which the page begins. */
  after?: string;
}

export interface GroupsPage {
  groups: string[];
  /** The `after` of the next page; `undefined` on the last page. */
  next?: string;
}

/** The options of one page, as in {@link PageOptions}. The limit counts the groups of all streams. */
export interface ListAllOptions {
  limit?: number;
  after?: { stream: string; group: string };
}

export interface ListAllResult {
  /** The streams of the page. A stream that does not fit into the page continues in the next one. */
  stream: { id: string; groups: string[] }[];
  /** The number of streams of this page. */
  count: number;
  /** The `after` of the next page; `undefined` on the last page. */
  next?: { stream: string; group: string };
}

/**
 * The stream functions of the engine, called through a worker. `TData` is the type of the items. Nothing checks it at run time. A call
 * rejects with an `InvocationError`, for instance with `INVALID_ARGUMENTS` for an unknown or wrong option.
 */
export interface Streams<TData> {
  /** Stores an item. Subscribers of the group get the change before the call resolves, or at the same time. */
  set<TOptions extends WriteOptions | ConditionalWriteOptions = WriteOptions>(
    streamName: string,
    groupId: string,
    itemId: string,
    data: TData,
    options?: TOptions,
  ): Promise<Answer<StreamSetResult<TData>, TData, TOptions>>;
  /** Returns the item, or `undefined` if it does not exist. */
  get(streamName: string, groupId: string, itemId: string): Promise<TData | undefined>;
  getVersioned(streamName: string, groupId: string, itemId: string): Promise<VersionedItem<TData>>;
  delete<TOptions extends DeleteOptions | ConditionalDeleteOptions = DeleteOptions>(
    streamName: string,
    groupId: string,
    itemId: string,
    options?: TOptions,
  ): Promise<Answer<StreamDeleteResult<TData>, TData, TOptions>>;
  /** Returns the items in the order of creation. */
  list(streamName: string, groupId: string, options?: ListOptions): Promise<TData[]>;
  listVersioned(streamName: string, groupId: string, options?: ListOptions): Promise<VersionedList<TData>>;
  /**
   * Returns the groups that have an item, sorted. A page may be shorter than its limit. Use `listGroupsPage` to learn whether more groups
   * follow.
   */
  listGroups(streamName: string, options?: PageOptions): Promise<string[]>;
  listGroupsPage(streamName: string, options: PageOptions): Promise<GroupsPage>;
  /** Returns all streams that have an item, with their groups. */
  listAll(options?: ListAllOptions): Promise<ListAllResult>;
  update<TOptions extends WriteOptions | ConditionalWriteOptions = WriteOptions>(
    streamName: string,
    groupId: string,
    itemId: string,
    ops: UpdateOp[],
    options?: TOptions,
  ): Promise<Answer<StreamUpdateResult<TData>, TData, TOptions>>;
  /** Makes up to 1,024 writes of one group in one step, for the store and for subscribers. Either all writes take effect or none. */
  batch(streamName: string, groupId: string, writes: BatchWrite<TData>[], options?: BatchOptions): Promise<BatchResult<TData>>;
  /** Sends an event to the subscribers of the group, or of the item `id`. Nothing is stored. */
  send(streamName: string, groupId: string, type: string, data: unknown, id?: string, options?: SendOptions): Promise<void>;
}

export function stream<TData = unknown>(worker: Caller): Streams<TData> {
  const call = <TOutput>(operation: string, payload: object) =>
    worker.trigger<object, TOutput>({ function_id: `stream::${operation}`, payload });
  const item = (stream_name: string, group_id: string, item_id: string) => ({ stream_name, group_id, item_id });
  return {
    set: async (name, group, id, data, options) => call('set', { ...item(name, group, id), data, ...payloadOf(options) }),
    get: (name, group, id) => call('get', item(name, group, id)),
    getVersioned: (name, group, id) => call('get', { ...item(name, group, id), with_versions: true }),
    delete: async (name, group, id, options) => call('delete', { ...item(name, group, id), ...payloadOf(options) }),
    list: (stream_name, group_id, options) => call('list', { stream_name, group_id, ...options }),
    listVersioned: (stream_name, group_id, options) =>
      call('list', { stream_name, group_id, ...options, with_versions: true, with_position: true }),
    listGroups: (stream_name, options) => call('list_groups', { stream_name, ...options }),
    listGroupsPage: (stream_name, options) => call('list_groups', { stream_name, ...options, with_next: true }),
    listAll: (options) => call('list_all', { ...options }),
    update: async (name, group, id, ops, options) => call('update', { ...item(name, group, id), ops, ...payloadOf(options) }),
    batch: async (stream_name, group_id, writes, options) =>
      call('batch', { stream_name, group_id, writes: writes.map(batchWrite), ...payloadOf(options) }),
    send: async (stream_name, group_id, type, data, id, options) => {
      await call('send', { stream_name, group_id, type, data, id, ...payloadOf(options) });
    },
  };
}
