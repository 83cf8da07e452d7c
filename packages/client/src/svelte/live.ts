import { createSubscriber } from 'svelte/reactivity';
import { groupReader, itemReader, type StreamGroup, type StreamItem } from '../bindings/shown.js';
import { type Store, viewStore } from '../bindings/view-store.js';
import type { ItemOf, NameIn } from '../calls/call-types.js';
import type { ConnectionState, GroupView, ItemView, StreamClient, ViewOptions } from '../index.js';

/** A store of Svelte, for `$name` in components. */
export interface Readable<Value> {
  subscribe(run: (value: Value) => void): () => void;
}

/**
 * A value for templates and effects: read its members, as of a rune, or use it as a store. It is live while something reads it there. Read
 * elsewhere, for instance in a handler of events, it has the last value.
 */
export type Live<Shown> = Shown & Readable<Shown>;

/** Returns all items of a group. The view is open while a template or an effect reads the value. */
export function streamGroup<Streams, Functions, Name extends NameIn<Streams>>(
  client: StreamClient<Streams, Functions>,
  stream: Name,
  group: string,
  options?: ViewOptions<ItemOf<Streams, Name>>,
): Live<StreamGroup<ItemOf<Streams, Name>>>;
export function streamGroup<T = unknown>(
  client: StreamClient,
  stream: string,
  group: string,
  options?: ViewOptions<T>,
): Live<StreamGroup<T>>;
export function streamGroup<T>(client: StreamClient, stream: string, group: string, options: ViewOptions<T> = {}): Live<StreamGroup<T>> {
  const open = () => client.subscribeGroup<T>(stream, group, options);
  return live(viewStore<GroupView<T>, StreamGroup<T>>(open, groupReader(options.initial)));
}

/** Returns one item, as `streamGroup` returns a group. */
export function streamItem<Streams, Functions, Name extends NameIn<Streams>>(
  client: StreamClient<Streams, Functions>,
  stream: Name,
  group: string,
  item: string,
  options?: ViewOptions<ItemOf<Streams, Name>>,
): Live<StreamItem<ItemOf<Streams, Name>>>;
export function streamItem<T = unknown>(
  client: StreamClient,
  stream: string,
  group: string,
  item: string,
  options?: ViewOptions<T>,
): Live<StreamItem<T>>;
export function streamItem<T>(
  client: StreamClient,
  stream: string,
  group: string,
  item: string,
  options: ViewOptions<T> = {},
): Live<StreamItem<T>> {
  const open = () => client.subscribeItem<T>(stream, group, item, options);
  return live(viewStore<ItemView<T>, StreamItem<T>>(open, itemReader(options.initial, item)));
}

/** Returns the state of the connection, as `current`. */
export function connectionState(client: Pick<StreamClient, 'state' | 'onState'>): Live<{ readonly current: ConnectionState }> {
  return live({ subscribe: (changed) => client.onState(changed), snapshot: () => ({ current: client.state }) });
}

/** Makes a value of a store. Its members read the snapshot, and Svelte subscribes for what reads them. */
export function live<Shown extends object>(store: Store<Shown>): Live<Shown> {
  const { subscribe, snapshot } = store;
  const track = createSubscriber(subscribe);
  const shown: Readable<Shown> = {
    subscribe: (run) => {
      // A server renders once, and would open a view for it.
      const end = typeof window === 'undefined' ? () => {} : subscribe(() => run(snapshot()));
      run(snapshot());
      return end;
    },
  };
  for (const name of Object.keys(snapshot()) as (keyof Shown)[]) {
    const get = () => {
      track();
      return snapshot()[name];
    };
    Object.defineProperty(shown, name, { enumerable: true, get });
  }
  return shown as Live<Shown>;
}
