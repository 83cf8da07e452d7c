import { type Presence, type PresenceActions, type PresenceOptions, presenceOf } from '../bindings/presence.js';
import { groupReader } from '../bindings/shown.js';
import { viewStore } from '../bindings/view-store.js';
import type { ItemOf, NameIn } from '../calls/call-types.js';
import type { GroupView, StreamClient } from '../index.js';
import { type Live, live } from './live.js';

/** The clients of a group, and `update` for the data of this one. */
export type PresenceGroup<T> = Live<Presence<T>> & PresenceActions<T>;

/**
 * Joins a group whose items are leases, and returns who is there. `update` sends what this client shows of itself, at most eight times a
 * second. Before it, the item has the data that the `stream:join` function gave it.
 */
export function presence<Streams, Functions, Name extends NameIn<Streams>>(
  client: StreamClient<Streams, Functions>,
  stream: Name,
  group: string,
  options?: PresenceOptions<ItemOf<Streams, Name>>,
): PresenceGroup<ItemOf<Streams, Name>>;
export function presence<T = unknown>(client: StreamClient, stream: string, group: string, options?: PresenceOptions<T>): PresenceGroup<T>;
export function presence<T>(
  client: StreamClient,
  stream: string,
  group: string,
  { self, ...options }: PresenceOptions<T> = {},
): PresenceGroup<T> {
  let data: T | undefined;
  const open = () => {
    const view = client.subscribeGroup<T>(stream, group, options);
    if (data !== undefined) view.lease(data);
    return view;
  };
  const read = groupReader(options.initial);
  const store = viewStore<GroupView<T>, Presence<T>>(open, (view) => presenceOf(read(view), self));
  const update = (next: T) => {
    data = next;
    store.view()?.lease(next);
  };
  return Object.assign(live(store), { update });
}
