import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { groupReader, itemReader, type StreamGroup, type StreamItem } from '../bindings/shown.js';
import type { GroupView, ItemView, StreamClient, View, ViewListeners, ViewOptions } from '../index.js';
import { checkListeners } from '../subscription/view.js';
import { type SharedStore, sharedStore } from './shared-store.js';
import { useStreamClient } from './stream-provider.js';

type Known = 'stale' | 'live' | 'closed';

/** A group whose state is known. */
export interface KnownStreamGroup<T> extends StreamGroup<T> {
  readonly status: Known;
}

/** An item whose state is known. */
export interface KnownStreamItem<T> extends StreamItem<T> {
  readonly status: Known;
}

/**
 * Returns all items of a group, live while the component is mounted. Components that watch the same group share one join. The hook calls
 * the listeners of the last render, so they need not be memoized. Only the first value of `initial` counts.
 */
export function useStreamGroup<T = unknown>(stream: string, group: string, options: ViewOptions<T> = {}): StreamGroup<T> {
  return useGroupOf<T>(useStreamClient(), stream, group, options);
}

/** Returns one item, live while the component is mounted. */
export function useStreamItem<T = unknown>(stream: string, group: string, item: string, options: ViewOptions<T> = {}): StreamItem<T> {
  return useItemOf<T>(useStreamClient(), stream, group, item, options);
}

/**
 * Returns a group as `useStreamGroup` does, and waits in the nearest `Suspense` until the client knows its state. A refused join is thrown
 * to the nearest error boundary. On a server it needs `initial`, and throws otherwise, so that the page shows the fallback.
 */
export function useSuspenseStreamGroup<T = unknown>(stream: string, group: string, options: ViewOptions<T> = {}): KnownStreamGroup<T> {
  return useKnownGroupOf<T>(useStreamClient(), stream, group, options);
}

/** Returns an item as `useStreamItem` does, and waits as `useSuspenseStreamGroup` does. */
export function useSuspenseStreamItem<T = unknown>(
  stream: string,
  group: string,
  item: string,
  options: ViewOptions<T> = {},
): KnownStreamItem<T> {
  return useKnownItemOf<T>(useStreamClient(), stream, group, item, options);
}

export function useGroupOf<T>(client: StreamClient, stream: string, group: string, options: ViewOptions<T>): StreamGroup<T> {
  return useSource(useGroup<T>(client, stream, group, options), options);
}

export function useItemOf<T>(client: StreamClient, stream: string, group: string, item: string, options: ViewOptions<T>): StreamItem<T> {
  return useSource(useItem<T>(client, stream, group, item, options), options);
}

export function useKnownGroupOf<T>(client: StreamClient, stream: string, group: string, options: ViewOptions<T>): KnownStreamGroup<T> {
  const source = useGroup<T>(client, stream, group, options);
  source.store.requireState();
  return useSource(source, options) as KnownStreamGroup<T>;
}

export function useKnownItemOf<T>(
  client: StreamClient,
  stream: string,
  group: string,
  item: string,
  options: ViewOptions<T>,
): KnownStreamItem<T> {
  const source = useItem<T>(client, stream, group, item, options);
  source.store.requireState();
  return useSource(source, options) as KnownStreamItem<T>;
}

type Shown = StreamGroup<unknown> | StreamItem<unknown>;

interface Source<T, V extends View<T>, S extends Shown> {
  readonly store: SharedStore<V, S>;
  /** The value on servers, and so in the first render over the HTML of a server. */
  readonly first: S;
}

type GroupSource<T> = Source<T, GroupView<T>, StreamGroup<T>>;
type ItemSource<T> = Source<T, ItemView<T>, StreamItem<T>>;

function useGroup<T>(client: StreamClient, stream: string, group: string, { initial }: ViewOptions<T>): GroupSource<T> {
  return useMemo(() => {
    const read = groupReader(initial);
    const open = () => client.subscribeGroup<T>(stream, group, { initial });
    const target = { stream, group, item: undefined };
    const store = sharedStore<GroupView<T>, StreamGroup<T>>(client, target, open, read);
    return { store, first: read(undefined) };
    // Another `initial` is no reason to open the view again.
  }, [client, stream, group]);
}

function useItem<T>(client: StreamClient, stream: string, group: string, item: string, { initial }: ViewOptions<T>): ItemSource<T> {
  return useMemo(() => {
    const read = itemReader(initial, item);
    const open = () => client.subscribeItem<T>(stream, group, item, { initial });
    const store = sharedStore<ItemView<T>, StreamItem<T>>(client, { stream, group, item }, open, read);
    return { store, first: read(undefined) };
  }, [client, stream, group, item]);
}

function useSource<T, V extends View<T>, S extends Shown>({ store, first }: Source<T, V, S>, options: ViewOptions<T>): S {
  const { initial: _, ...listeners } = options;
  checkListeners(listeners);
  const latest = useRef<ViewListeners<T>>(listeners);
  const shown = useSyncExternalStore(store.mount, store.snapshot, () => first);
  useEffect(() => {
    latest.current = listeners;
  });
  // The effect of `useSyncExternalStore` runs first and opens the view.
  useEffect(() => listen(store.view(), () => latest.current), [store]);
  return shown;
}

function listen<T>(view: View<T> | undefined, listeners: () => ViewListeners<T>): (() => void) | undefined {
  return view?.on({
    onChange: (change) => listeners().onChange?.(change),
    onEvent: (event) => listeners().onEvent?.(event),
    onReset: (reset) => listeners().onReset?.(reset),
    onGap: (gap) => listeners().onGap?.(gap),
    onStatus: (status) => listeners().onStatus?.(status),
    onError: (error) => listeners().onError?.(error),
  });
}
