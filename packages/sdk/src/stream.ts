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

/** An operation that was skipped; the others are done. */
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
/** What an auth function of the stream port answers. Any object without `unauthorized` lets the client in. */
export interface StreamAuthResult {
  /** Anything but `false` and `null` refuses. */
  unauthorized?: boolean | null;
  /** Join and leave functions get it. */
  context?: unknown;
  /** Name of the user, at most 256 bytes of UTF-8. `engine::sessions::disconnect` ends its sessions. */
  identity?: string | null;
  /** When the session ends, in Unix milliseconds. */
  expires_at_ms?: number | null;
}
export interface StreamJoinLeaveEvent<TContext = unknown> {
  subscription_id: string;
  stream_name: string;
  group_id: string;
  id?: string | null;
  /** As the auth function gave it; `null` without one. */
  context: TContext;
  /** As the auth function gave it; absent without one. */
  identity?: string;
}
/** An item that lives while the client watches. */
export interface StreamLease {
  item_id: string;
  data?: unknown;
  /** Milliseconds that it outlives a connection that broke. Default 10,000. */
  grace_ms?: number;
  /** Whether the client may replace the data. Default false. */
  client_data?: boolean;
}
/** What a join function answers. Nothing, `null` and an object without `unauthorized` allow; with `join_fail_closed` only the object does. */
export interface StreamJoinResult {
  /** Anything but `false` and `null` refuses. */
  unauthorized?: boolean | null;
  lease?: StreamLease | null;
}

/** What an auth function of a worker listener with rules gets. */
export interface WorkerAuthInput {
  headers: Record<string, string>;
  query_params: Record<string, string[]>;
  ip_address: string;
}
/** What it answers. Any object without `unauthorized` lets the guest in; docs/access.md has the defaults. */
export interface WorkerAuthResult {
  /** Anything but `false` and `null` refuses. */
  unauthorized?: boolean | null;
  allowed_functions?: string[] | null;
  forbidden_functions?: string[] | null;
  allowed_trigger_types?: string[] | null;
  allow_trigger_type_registration?: boolean | null;
  allow_function_registration?: boolean | null;
  function_registration_prefix?: string | null;
  /** Middleware, hooks and called functions get it. */
  context?: unknown;
  /** Name of the user, at most 256 bytes of UTF-8. `engine::sessions::disconnect` ends its sessions. */
  identity?: string | null;
  /** When the session ends, in Unix milliseconds. */
  expires_at_ms?: number | null;
  namespaces?: Record<string, string[]> | null;
}

/** What a write answers: `TResult`, or a conflict if it has a condition. */
export type Answer<TResult, TData, TOptions> = TOptions extends IfVersion | IfAbsent ? TResult | StreamConflict<TData> : TResult;

/** A part of a list of groups. Without `limit` a list larger than a message fails with RESULT_TOO_LARGE. */
export interface PageOptions {
  /** Groups of the page: 1 to 100,000. It also ends before it is larger than a message. */
  limit?: number;
  /** The page begins behind this group. */
  after?: string;
}

export interface GroupsPage {
  groups: string[];
  /** The `after` of the next page; `undefined` at the end of the list. */
  next?: string;
}

/** As {@link PageOptions}; the limit counts groups of all streams. */
export interface ListAllOptions {
  limit?: number;
  after?: { stream: string; group: string };
}

export interface ListAllResult {
  /** A stream that does not fit into a page goes on in the next one. */
  stream: { id: string; groups: string[] }[];
  /** Streams of this page. */
  count: number;
  /** The `after` of the next page; `undefined` at the end of the list. */
  next?: { stream: string; group: string };
}

/** Streams through a worker. `TData` is the type of the items; nothing checks it at run time. */
export interface Streams<TData> {
  /** Stores an item; whoever watches the group sees it before or when this resolves. */
  set<TOptions extends WriteOptions | ConditionalWriteOptions = WriteOptions>(
    streamName: string,
    groupId: string,
    itemId: string,
    data: TData,
    options?: TOptions,
  ): Promise<Answer<StreamSetResult<TData>, TData, TOptions>>;
  /** `undefined`: there is no such item. */
  get(streamName: string, groupId: string, itemId: string): Promise<TData | undefined>;
  getVersioned(streamName: string, groupId: string, itemId: string): Promise<VersionedItem<TData>>;
  delete<TOptions extends DeleteOptions | ConditionalDeleteOptions = DeleteOptions>(
    streamName: string,
    groupId: string,
    itemId: string,
    options?: TOptions,
  ): Promise<Answer<StreamDeleteResult<TData>, TData, TOptions>>;
  /** In the order of creation. */
  list(streamName: string, groupId: string, options?: ListOptions): Promise<TData[]>;
  listVersioned(streamName: string, groupId: string, options?: ListOptions): Promise<VersionedList<TData>>;
  /** Groups that hold an item, sorted. A page may be shorter than its limit; `listGroupsPage` says whether others follow. */
  listGroups(streamName: string, options?: PageOptions): Promise<string[]>;
  listGroupsPage(streamName: string, options: PageOptions): Promise<GroupsPage>;
  /** All streams that hold an item, with their groups. */
  listAll(options?: ListAllOptions): Promise<ListAllResult>;
  update<TOptions extends WriteOptions | ConditionalWriteOptions = WriteOptions>(
    streamName: string,
    groupId: string,
    itemId: string,
    ops: UpdateOp[],
    options?: TOptions,
  ): Promise<Answer<StreamUpdateResult<TData>, TData, TOptions>>;
  /** Up to 1,024 writes of one group as one step, for the store and for whoever watches: all of them or none. */
  batch(streamName: string, groupId: string, writes: BatchWrite<TData>[], options?: BatchOptions): Promise<BatchResult<TData>>;
  /** Tells whoever watches the group, or the item `id`; nothing is stored. */
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
