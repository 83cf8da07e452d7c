import { useCallback, useEffect, useMemo } from 'react';
import { type Presence, type PresenceActions, type PresenceOptions, presenceOf } from '../bindings/presence.js';
import type { StreamClient } from '../index.js';
import { useStreamClient } from './stream-provider.js';
import { useGroupOf } from './view-hooks.js';

/** The clients of a group, and `update` for the data of this one. */
export interface PresenceGroup<T> extends Presence<T>, PresenceActions<T> {}

/**
 * Joins a group whose items are leases, and returns who is there. `data` is what this client shows of itself. Each change of it is sent,
 * at most eight times a second. Without `data`, the item keeps the data that the `stream:join` function gave it.
 */
export function usePresence<T = unknown>(stream: string, group: string, data?: T, options: PresenceOptions<T> = {}): PresenceGroup<T> {
  return usePresenceOf<T>(useStreamClient(), stream, group, data, options);
}

export function usePresenceOf<T>(
  client: StreamClient,
  stream: string,
  group: string,
  data: T | undefined,
  { self, ...options }: PresenceOptions<T>,
): PresenceGroup<T> {
  const shown = useGroupOf<T>(client, stream, group, options);
  const { view } = shown;
  useEffect(() => {
    if (data !== undefined) view?.lease(data);
    // Equal data in a new object is no change.
  }, [view, JSON.stringify(data)]);
  const update = useCallback((next: T) => view?.lease(next), [view]);
  return useMemo(() => ({ ...presenceOf(shown, self), update }), [shown, self, update]);
}
