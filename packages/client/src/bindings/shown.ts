import type { GroupView, InitialState, Item, ItemView, Status, StreamError, View } from '../index.js';
import { initialItems } from '../subscription/initial-state.js';

/** The state of a group as a component shows it. */
export interface StreamGroup<T> {
  /** The items in the order of creation. It is the same array until an item changes. */
  readonly items: readonly Item<T>[];
  readonly status: Status;
  readonly error: StreamError | undefined;
  /** The view, for `lease`, `get` and more. `undefined` in the first render and on servers. */
  readonly view: GroupView<T> | undefined;
}

/** The state of an item as a component shows it. */
export interface StreamItem<T> {
  /** The item. `undefined` if it does not exist, or if the client knows nothing yet. */
  readonly item: Item<T> | undefined;
  readonly status: Status;
  readonly error: StreamError | undefined;
  /** The view, for `lease` and more. `undefined` in the first render and on servers. */
  readonly view: ItemView<T> | undefined;
}

/** Returns a function that reads a view. Without a view it returns the initial state, as the first render and servers show it. */
export function groupReader<T>(initial: InitialState<T> | undefined): (view: GroupView<T> | undefined) => StreamGroup<T> {
  const items = initialItems(initial);
  return (view) => ({ items: view?.items ?? items, ...restOf(view, initial) });
}

/** Returns a function that reads a view of the item `id`, as `groupReader` does. */
export function itemReader<T>(initial: InitialState<T> | undefined, id: string): (view: ItemView<T> | undefined) => StreamItem<T> {
  const [item] = initialItems(initial, id);
  return (view) => ({ item: view === undefined ? item : view.item, ...restOf(view, initial) });
}

function restOf<V extends Pick<View<never>, 'status' | 'error'>>(view: V | undefined, initial: object | undefined) {
  const first: Status = initial === undefined ? 'connecting' : 'stale';
  return { status: view?.status ?? first, error: view?.error, view };
}
