import { useCallback, useSyncExternalStore } from 'react';
import type { ConnectionState, StreamClient } from '../index.js';
import { useStreamClient } from './stream-provider.js';

/** The state on servers, and so in the first render over the HTML of a server. */
const FIRST: ConnectionState = { kind: 'connecting', attempt: 0 };

/** Returns the state of the connection: `connecting`, `open`, `waiting`, `closing` or `closed`, with details. */
export function useConnection(): ConnectionState {
  return useConnectionOf(useStreamClient());
}

export function useConnectionOf(client: StreamClient): ConnectionState {
  const subscribe = useCallback((changed: () => void) => client.onState(changed), [client]);
  return useSyncExternalStore(
    subscribe,
    () => client.state,
    () => FIRST,
  );
}
