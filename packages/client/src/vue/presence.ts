import { computed, type MaybeRefOrGetter, toValue, watch } from 'vue';
import type { Presence, PresenceActions, PresenceOptions } from '../bindings/presence.js';
import type { ItemOf, NameIn } from '../calls/call-types.js';
import type { StreamClient } from '../index.js';
import { type Refs, useStreamGroup } from './composables.js';

/** The clients of a group as refs, with `update` for the data of this one. */
export type PresenceGroup<T> = Refs<Presence<T>> & PresenceActions<T>;

/**
 * Joins a group whose items are leases, and returns who is there. `data` is what this client shows of itself: a value, a ref or a getter.
 * Each change of it is sent, at most eight times a second. Without `data`, the item keeps the data that the `stream:join` function gave it.
 */
export function usePresence<Streams, Functions, Name extends NameIn<Streams>>(
  client: StreamClient<Streams, Functions>,
  stream: MaybeRefOrGetter<Name>,
  group: MaybeRefOrGetter<string>,
  data?: MaybeRefOrGetter<ItemOf<Streams, Name> | undefined>,
  options?: PresenceOptions<ItemOf<Streams, Name>>,
): PresenceGroup<ItemOf<Streams, Name>>;
export function usePresence<T = unknown>(
  client: StreamClient,
  stream: MaybeRefOrGetter<string>,
  group: MaybeRefOrGetter<string>,
  data?: MaybeRefOrGetter<T | undefined>,
  options?: PresenceOptions<T>,
): PresenceGroup<T>;
export function usePresence<T>(
  client: StreamClient,
  stream: MaybeRefOrGetter<string>,
  group: MaybeRefOrGetter<string>,
  data?: MaybeRefOrGetter<T | undefined>,
  { self, ...options }: PresenceOptions<T> = {},
): PresenceGroup<T> {
  const shown = useStreamGroup<T>(client, stream, group, options);
  const { items, view } = shown;
  const update = (next: T | undefined) => {
    if (next !== undefined) view.value?.lease(next);
  };
  // The text finds changes inside a reactive object too.
  watch([view, () => JSON.stringify(toValue(data))], () => update(toValue(data)), { immediate: true });
  return {
    ...shown,
    self: computed(() => items.value.find(({ id }) => id === self)),
    others: computed(() => items.value.filter(({ id }) => id !== self)),
    update,
  };
}
