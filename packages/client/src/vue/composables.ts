import { type MaybeRefOrGetter, onScopeDispose, type Ref, type ShallowRef, shallowReactive, shallowRef, toRefs, toValue, watch } from 'vue';
import { groupReader, itemReader, type StreamGroup, type StreamItem } from '../bindings/shown.js';
import type { ItemOf, NameIn } from '../calls/call-types.js';
import type { ConnectionState, StreamClient, View, ViewOptions } from '../index.js';

/** On a server, the scope of a component never ends. So nothing is opened there. */
const IN_BROWSER = typeof window !== 'undefined';

/** The members of a value as refs, so that a component can destructure it. */
export type Refs<Shown> = { readonly [Name in keyof Shown]: Readonly<Ref<Shown[Name]>> };

/**
 * Returns all items of a group, live until the scope of the component ends. Names may be refs or getters: when one changes, the view of the
 * new group opens. `initial` counts for the first group.
 */
export function useStreamGroup<Streams, Functions, Name extends NameIn<Streams>>(
  client: StreamClient<Streams, Functions>,
  stream: MaybeRefOrGetter<Name>,
  group: MaybeRefOrGetter<string>,
  options?: ViewOptions<ItemOf<Streams, Name>>,
): Refs<StreamGroup<ItemOf<Streams, Name>>>;
export function useStreamGroup<T = unknown>(
  client: StreamClient,
  stream: MaybeRefOrGetter<string>,
  group: MaybeRefOrGetter<string>,
  options?: ViewOptions<T>,
): Refs<StreamGroup<T>>;
export function useStreamGroup<T>(
  client: StreamClient,
  stream: MaybeRefOrGetter<string>,
  group: MaybeRefOrGetter<string>,
  options: ViewOptions<T> = {},
): Refs<StreamGroup<T>> {
  return useView(
    [stream, group],
    ([streamName = '', groupId = ''], begin) => client.subscribeGroup<T>(streamName, groupId, begin),
    groupReader<T>(options.initial),
    options,
  );
}

/** Returns one item, as `useStreamGroup` returns a group. */
export function useStreamItem<Streams, Functions, Name extends NameIn<Streams>>(
  client: StreamClient<Streams, Functions>,
  stream: MaybeRefOrGetter<Name>,
  group: MaybeRefOrGetter<string>,
  item: MaybeRefOrGetter<string>,
  options?: ViewOptions<ItemOf<Streams, Name>>,
): Refs<StreamItem<ItemOf<Streams, Name>>>;
export function useStreamItem<T = unknown>(
  client: StreamClient,
  stream: MaybeRefOrGetter<string>,
  group: MaybeRefOrGetter<string>,
  item: MaybeRefOrGetter<string>,
  options?: ViewOptions<T>,
): Refs<StreamItem<T>>;
export function useStreamItem<T>(
  client: StreamClient,
  stream: MaybeRefOrGetter<string>,
  group: MaybeRefOrGetter<string>,
  item: MaybeRefOrGetter<string>,
  options: ViewOptions<T> = {},
): Refs<StreamItem<T>> {
  return useView(
    [stream, group, item],
    ([streamName = '', groupId = '', id = ''], begin) => client.subscribeItem<T>(streamName, groupId, id, begin),
    itemReader<T>(options.initial, toValue(item)),
    options,
  );
}

/** Returns the state of the connection. */
export function useConnection(client: Pick<StreamClient, 'state' | 'onState'>): Readonly<ShallowRef<ConnectionState>> {
  const state = shallowRef(client.state);
  const changed = (next: ConnectionState) => {
    state.value = next;
  };
  if (IN_BROWSER) onScopeDispose(client.onState(changed));
  return state;
}

/** Opens a view for the names, and again when a name changes. */
function useView<T, V extends View<T>, Shown extends object>(
  names: readonly MaybeRefOrGetter<string>[],
  open: (names: readonly string[], options: ViewOptions<T>) => V,
  read: (view: V | undefined) => Shown,
  options: ViewOptions<T>,
): Refs<Shown> {
  const shown = shallowReactive(read(undefined));
  let begin = options;
  if (IN_BROWSER)
    watch(
      names.map((name) => () => toValue(name)),
      (values, _before, ended) => {
        const view = open(values, begin);
        // The initial state is that of the first names.
        begin = { ...options, initial: undefined };
        const update = () => Object.assign(shown, read(view));
        view.subscribe(update);
        update();
        ended(() => view.close());
      },
      { immediate: true },
    );
  return toRefs(shown);
}
