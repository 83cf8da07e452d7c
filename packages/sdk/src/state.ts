import type { ListOptions } from './api/stream-options.js';
import type { GroupsPage, PageOptions, UpdateOp, UpdateOpError } from './stream.js';

interface Caller {
  trigger<TInput, TOutput>(request: { function_id: string; payload: TInput }): Promise<TOutput>;
}

export type StateGetInput = { scope: string; key: string };
export type StateSetInput = { scope: string; key: string; value: unknown };
export type StateDeleteInput = StateGetInput;
export type StateListInput = { scope: string };
export type StateUpdateInput = { scope: string; key: string; ops: UpdateOp[] };
/** The result of a write. `old_value` is `null` if the key had no value. */
export type StateSetResult<TData> = { old_value?: TData | null; new_value: TData };
export type StateUpdateResult<TData> = { old_value?: TData | null; new_value: TData; errors?: UpdateOpError[] };

export const StateEventType = { Created: 'state:created', Updated: 'state:updated', Deleted: 'state:deleted' } as const;
export type StateEventType = (typeof StateEventType)[keyof typeof StateEventType];

/** The input of a `state` trigger. */
export interface StateEventData<TData = unknown> {
  type: 'state';
  event_type: StateEventType;
  scope: string;
  key: string;
  /** The old value; `null` if the key was created. */
  old_value?: TData | null;
  /** The new value; `null` if the key was deleted. */
  new_value?: TData | null;
}

/** The state functions of the engine, called through a worker. `TData` is the type of the values. Nothing checks it at run time. */
export interface States<TData> {
  set(scope: string, key: string, value: TData): Promise<StateSetResult<TData>>;
  /** Returns the value, or `undefined` if the key has none. */
  get(scope: string, key: string): Promise<TData | undefined>;
  /** Deletes the value and returns it. */
  delete(scope: string, key: string): Promise<TData | undefined>;
  /** Returns the values in the order of creation. */
  list(scope: string, options?: ListOptions): Promise<TData[]>;
  /**
   * Returns the scopes that have a value, sorted. A page may be shorter than its limit. Use `listGroupsPage` to learn whether more scopes
   * follow.
   */
  listGroups(options?: PageOptions): Promise<string[]>;
  listGroupsPage(options: PageOptions): Promise<GroupsPage>;
  update(scope: string, key: string, ops: UpdateOp[]): Promise<StateUpdateResult<TData>>;
}

export function state<TData = unknown>(worker: Caller): States<TData> {
  const call = <TOutput>(operation: string, payload: object) =>
    worker.trigger<object, TOutput>({ function_id: `state::${operation}`, payload });
  return {
    set: (scope, key, value) => call('set', { scope, key, value }),
    get: (scope, key) => call('get', { scope, key }),
    delete: (scope, key) => call('delete', { scope, key }),
    list: (scope, options) => call('list', { scope, ...options }),
    listGroups: async (options) => (await call<GroupsPage>('list_groups', { ...options })).groups,
    listGroupsPage: (options) => call('list_groups', { ...options }),
    update: (scope, key, ops) => call('update', { scope, key, ops }),
  };
}
