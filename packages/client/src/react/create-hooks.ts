import type { CallDefaults } from '../bindings/call-store.js';
import type { PresenceOptions } from '../bindings/presence.js';
import type { StreamGroup, StreamItem } from '../bindings/shown.js';
import type { ItemOf, NameIn, PayloadOf, ResultOf, UntypedName } from '../calls/call-types.js';
import type { ConnectionState, StreamClient, ViewOptions } from '../index.js';
import { type StreamCall, useCallOf } from './call-hook.js';
import { useConnectionOf } from './connection-hook.js';
import { type PresenceGroup, usePresenceOf } from './presence-hook.js';
import { untyped, useClientOr } from './stream-provider.js';
import { type KnownStreamGroup, type KnownStreamItem, useGroupOf, useItemOf, useKnownGroupOf, useKnownItemOf } from './view-hooks.js';

/** A hook for groups. The name of the stream gives the type of the items. Without a map of types, the page states it. */
interface GroupHook<Streams, Kind extends 'shown' | 'known'> {
  <T = unknown>(stream: UntypedName<Streams>, group: string, options?: ViewOptions<T>): GroupOf<T>[Kind];
  <Name extends NameIn<Streams>>(
    stream: Name,
    group: string,
    options?: ViewOptions<ItemOf<Streams, Name>>,
  ): GroupOf<ItemOf<Streams, Name>>[Kind];
}

/** A hook for items, as `GroupHook`. */
interface ItemHook<Streams, Kind extends 'shown' | 'known'> {
  <T = unknown>(stream: UntypedName<Streams>, group: string, item: string, options?: ViewOptions<T>): SingleOf<T>[Kind];
  <Name extends NameIn<Streams>>(
    stream: Name,
    group: string,
    item: string,
    options?: ViewOptions<ItemOf<Streams, Name>>,
  ): SingleOf<ItemOf<Streams, Name>>[Kind];
}

interface GroupOf<T> {
  readonly shown: StreamGroup<T>;
  readonly known: KnownStreamGroup<T>;
}

interface SingleOf<T> {
  readonly shown: StreamItem<T>;
  readonly known: KnownStreamItem<T>;
}

/** A hook for groups of leases, as `GroupHook`. */
interface PresenceHook<Streams> {
  <T = unknown>(stream: UntypedName<Streams>, group: string, data?: T, options?: PresenceOptions<T>): PresenceGroup<T>;
  <Name extends NameIn<Streams>>(
    stream: Name,
    group: string,
    data?: ItemOf<Streams, Name>,
    options?: PresenceOptions<ItemOf<Streams, Name>>,
  ): PresenceGroup<ItemOf<Streams, Name>>;
}

/** A hook for calls. The name of the function gives the types of its payload and result. */
interface CallHook<Streams, Functions> {
  <Result = unknown, Payload = unknown>(
    name: UntypedName<Functions>,
    options?: CallDefaults<Payload, Streams>,
  ): StreamCall<Payload, Result, Streams>;
  <Name extends NameIn<Functions>>(
    name: Name,
    options?: CallDefaults<PayloadOf<Functions, Name>, Streams>,
  ): StreamCall<PayloadOf<Functions, Name>, ResultOf<Functions, Name>, Streams>;
}

/** The hooks of one client, with the types of its streams and functions. */
export interface Hooks<Streams = unknown, Functions = unknown> {
  readonly useStreamClient: () => StreamClient<Streams, Functions>;
  readonly useStreamGroup: GroupHook<Streams, 'shown'>;
  readonly useStreamItem: ItemHook<Streams, 'shown'>;
  readonly useSuspenseStreamGroup: GroupHook<Streams, 'known'>;
  readonly useSuspenseStreamItem: ItemHook<Streams, 'known'>;
  readonly useConnection: () => ConnectionState;
  readonly usePresence: PresenceHook<Streams>;
  readonly useCall: CallHook<Streams, Functions>;
}

/**
 * Returns the hooks of a client. Their types are those of the maps that `connect` was given, and they need no `StreamProvider`. A provider
 * around a component, for instance in a test, gives it another client.
 */
export function createHooks<Streams, Functions>(client: StreamClient<Streams, Functions>): Hooks<Streams, Functions> {
  const useClient = () => useClientOr(untyped(client));
  const hooks: Hooks = {
    useStreamClient: useClient,
    useStreamGroup: <T>(stream: string, group: string, options: ViewOptions<T> = {}) => useGroupOf(useClient(), stream, group, options),
    useStreamItem: <T>(stream: string, group: string, item: string, options: ViewOptions<T> = {}) =>
      useItemOf(useClient(), stream, group, item, options),
    useSuspenseStreamGroup: <T>(stream: string, group: string, options: ViewOptions<T> = {}) =>
      useKnownGroupOf(useClient(), stream, group, options),
    useSuspenseStreamItem: <T>(stream: string, group: string, item: string, options: ViewOptions<T> = {}) =>
      useKnownItemOf(useClient(), stream, group, item, options),
    useConnection: () => useConnectionOf(useClient()),
    usePresence: <T>(stream: string, group: string, data?: T, options: PresenceOptions<T> = {}) =>
      usePresenceOf(useClient(), stream, group, data, options),
    useCall: <Result, Payload>(name: string, options: CallDefaults<Payload> = {}) => useCallOf<Payload, Result>(useClient(), name, options),
  };
  return hooks as unknown as Hooks<Streams, Functions>;
}
