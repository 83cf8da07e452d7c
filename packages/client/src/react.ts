'use client';

import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from 'react';
import type { GroupView, Item, ItemView, Status, StreamClient, StreamError, View, ViewListeners } from './index.js';
import { checkListeners } from './subscription/view.js';

const ClientContext = createContext<StreamClient | undefined>(undefined);

/** Gives a client to the hooks below it. The provider does not close the client. Usually one client serves the whole page. */
export function StreamProvider({ client, children }: { readonly client: StreamClient; readonly children?: ReactNode }): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** Returns the client of the nearest `StreamProvider`. Throws if there is none. */
export function useStreamClient(): StreamClient {
  const client = useContext(ClientContext);
  if (client === undefined) throw new Error('useStreamGroup and useStreamItem need a StreamProvider around them');
  return client;
}

export interface StreamGroup<T> {
  /** The items in the order of creation. It is the same array until an item changes. */
  readonly items: readonly Item<T>[];
  readonly status: Status;
  readonly error: StreamError | undefined;
  /** The view, for `lease`, `get` and more. `undefined` in the first render and on servers. */
  readonly view: GroupView<T> | undefined;
}

export interface StreamItem<T> {
  readonly item: Item<T> | undefined;
  readonly status: Status;
  readonly error: StreamError | undefined;
  readonly view: ItemView<T> | undefined;
}

/**
 * Returns all items of a group, live while the component is mounted. Components that watch the same group share one join. The hook calls
 * the listeners of the last render, so they need not be memoized.
 */
export function useStreamGroup<T = unknown>(stream: string, group: string, listeners: ViewListeners<T> = {}): StreamGroup<T> {
  const client = useStreamClient();
  const store = useMemo(
    () => new ViewStore<T, GroupView<T>, StreamGroup<T>>(() => client.subscribeGroup<T>(stream, group), readGroup),
    [client, stream, group],
  );
  return useStore(store, listeners);
}

/** Returns one item, live while the component is mounted. */
export function useStreamItem<T = unknown>(stream: string, group: string, item: string, listeners: ViewListeners<T> = {}): StreamItem<T> {
  const client = useStreamClient();
  const store = useMemo(
    () => new ViewStore<T, ItemView<T>, StreamItem<T>>(() => client.subscribeItem<T>(stream, group, item), readItem),
    [client, stream, group, item],
  );
  return useStore(store, listeners);
}

const NO_ITEMS: readonly never[] = [];

function readGroup<T>(view: GroupView<T> | undefined): StreamGroup<T> {
  return { items: view?.items ?? NO_ITEMS, status: view?.status ?? 'connecting', error: view?.error, view };
}

function readItem<T>(view: ItemView<T> | undefined): StreamItem<T> {
  return { item: view?.item, status: view?.status ?? 'connecting', error: view?.error, view };
}

interface Store<T, Snapshot> {
  readonly subscribe: (changed: () => void) => () => void;
  readonly snapshot: () => Snapshot;
  readonly listen: (listeners: () => ViewListeners<T>) => (() => void) | undefined;
}

/** Opens a view while a component is subscribed. A render never opens one, because React may throw the render away. */
class ViewStore<T, V extends View<T>, Snapshot extends object> implements Store<T, Snapshot> {
  readonly #open: () => V;
  readonly #read: (view: V | undefined) => Snapshot;
  #view: V | undefined;
  #users = 0;
  #snapshot: Snapshot;

  constructor(open: () => V, read: (view: V | undefined) => Snapshot) {
    this.#open = open;
    this.#read = read;
    this.#snapshot = read(undefined);
  }

  readonly subscribe = (changed: () => void): (() => void) => {
    this.#users++;
    this.#view ??= this.#open();
    const end = this.#view.subscribe(changed);
    return () => {
      end();
      if (--this.#users > 0) return;
      this.#view?.close();
      this.#view = undefined;
    };
  };

  /** Returns the same object while all of its members are the same. */
  readonly snapshot = (): Snapshot => {
    const next = this.#read(this.#view);
    if (!isSame(this.#snapshot, next)) this.#snapshot = next;
    return this.#snapshot;
  };

  readonly listen = (listeners: () => ViewListeners<T>): (() => void) | undefined =>
    this.#view?.on({
      onChange: (change) => listeners().onChange?.(change),
      onEvent: (event) => listeners().onEvent?.(event),
      onReset: (reset) => listeners().onReset?.(reset),
      onGap: (gap) => listeners().onGap?.(gap),
      onStatus: (status) => listeners().onStatus?.(status),
      onError: (error) => listeners().onError?.(error),
    });
}

function isSame(a: object, b: object): boolean {
  const before = Object.values(a);
  return Object.values(b).every((value, index) => Object.is(value, before[index]));
}

function useStore<T, Snapshot>(store: Store<T, Snapshot>, listeners: ViewListeners<T>): Snapshot {
  checkListeners(listeners);
  const latest = useRef(listeners);
  const snapshot = useSyncExternalStore(store.subscribe, store.snapshot, store.snapshot);
  useEffect(() => {
    latest.current = listeners;
  });
  // The effect of `useSyncExternalStore` runs first and opens the view.
  useEffect(() => store.listen(() => latest.current), [store]);
  return snapshot;
}
