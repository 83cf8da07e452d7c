import type { View } from '../index.js';

/** A value that changes, in the form that frameworks read. */
export interface Store<Snapshot> {
  /** Calls `changed` after each change. Returns a function that ends this. */
  readonly subscribe: (changed: () => void) => () => void;
  /** Returns the value. It is the same object until a member changes. */
  readonly snapshot: () => Snapshot;
}

/** The members of a view that a store needs. */
export type StoredView = Pick<View<never>, 'subscribe' | 'close'>;

/** A store over a view, which is open while somebody is subscribed. */
export interface ViewStore<V, Snapshot> extends Store<Snapshot> {
  readonly view: () => V | undefined;
}

/**
 * Returns a store that opens its view when the first user subscribes. A render never opens one, because a framework may throw the render
 * away. `used` is called when the first user has subscribed, and when the last one has ended.
 */
export function viewStore<V extends StoredView, Snapshot extends object>(
  open: () => V,
  read: (view: V | undefined) => Snapshot,
  used?: (isUsed: boolean) => void,
): ViewStore<V, Snapshot> {
  let current: V | undefined;
  let users = 0;
  let shown = read(undefined);
  return {
    view: () => current,
    subscribe: (changed) => {
      const view = (current ??= open());
      if (users++ === 0) used?.(true);
      const end = view.subscribe(changed);
      return () => {
        end();
        if (--users > 0) return;
        view.close();
        current = undefined;
        used?.(false);
      };
    },
    snapshot: () => {
      const before = Object.values(shown);
      const next = read(current);
      if (Object.values(next).some((value, index) => value !== before[index])) shown = next;
      return shown;
    },
  };
}
