import type { StreamDeleteResult, StreamSetResult } from './types.js';

export type {
  StreamBackend as IStream,
  StreamDeleteInput,
  StreamDeleteResult as DeleteResult,
  StreamGetInput,
  StreamListGroupsInput,
  StreamListInput,
  StreamSetInput,
  StreamSetResult,
} from './types.js';

interface Caller {
  trigger<TInput, TOutput>(request: { function_id: string; payload: TInput }): Promise<TOutput>;
}

/** Path of an update: one key at the top, or (merge, append) a list of keys; `''`, or none for these two, is the whole value. */
export type UpdateOp =
  | { type: 'set'; path: string; value: unknown }
  | { type: 'merge'; path?: string | string[]; value: object }
  | { type: 'increment' | 'decrement'; path: string; by: number }
  | { type: 'append'; path?: string | string[]; value: unknown }
  | { type: 'remove'; path: string };

/** An operation that was skipped; the others are done. */
export type UpdateOpError = { op_index: number; code: string; message: string; doc_url?: string };
export type StreamUpdateInput = { stream_name: string; group_id: string; item_id: string; ops: UpdateOp[] };
export type StreamUpdateResult<TData> = { old_value?: TData | null; new_value: TData; errors?: UpdateOpError[] };

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
export interface StreamAuthResult {
  context?: unknown;
}
export interface StreamJoinLeaveEvent {
  subscription_id: string;
  stream_name: string;
  group_id: string;
  id?: string | null;
  context?: unknown;
}
export interface StreamJoinResult {
  unauthorized: boolean;
}

/** Streams through a worker. `TData` is the type of the items; nothing checks it at run time. */
export interface Streams<TData> {
  /** Stores an item; whoever watches the group sees it before or when this resolves. */
  set(streamName: string, groupId: string, itemId: string, data: TData): Promise<StreamSetResult<TData>>;
  /** `undefined`: there is no such item. */
  get(streamName: string, groupId: string, itemId: string): Promise<TData | undefined>;
  delete(streamName: string, groupId: string, itemId: string): Promise<StreamDeleteResult<TData>>;
  /** In the order of creation. */
  list(streamName: string, groupId: string): Promise<TData[]>;
  listGroups(streamName: string): Promise<string[]>;
  update(streamName: string, groupId: string, itemId: string, ops: UpdateOp[]): Promise<StreamUpdateResult<TData>>;
  /** Tells whoever watches the group, or the item `id`; nothing is stored. */
  send(streamName: string, groupId: string, type: string, data: unknown, id?: string): Promise<void>;
}

export function stream<TData = unknown>(worker: Caller): Streams<TData> {
  const call = <TOutput>(operation: string, payload: object) =>
    worker.trigger<object, TOutput>({ function_id: `stream::${operation}`, payload });
  const item = (stream_name: string, group_id: string, item_id: string) => ({ stream_name, group_id, item_id });
  return {
    set: (name, group, id, data) => call('set', { ...item(name, group, id), data }),
    get: (name, group, id) => call('get', item(name, group, id)),
    delete: (name, group, id) => call('delete', item(name, group, id)),
    list: (stream_name, group_id) => call('list', { stream_name, group_id }),
    listGroups: (stream_name) => call('list_groups', { stream_name }),
    update: (name, group, id, ops) => call('update', { ...item(name, group, id), ops }),
    send: async (stream_name, group_id, type, data, id) => {
      await call('send', { stream_name, group_id, type, data, id });
    },
  };
}
