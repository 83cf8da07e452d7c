import { createContext, createElement, type ReactElement, type ReactNode, useContext } from 'react';
import type { StreamClient } from '../index.js';

const ClientContext = createContext<StreamClient | undefined>(undefined);

interface ProviderProps<Streams, Functions> {
  readonly client: StreamClient<Streams, Functions>;
  readonly children?: ReactNode;
}

/** Gives a client to the hooks below it. The provider does not close the client. Usually one client serves the whole page. */
export function StreamProvider<Streams, Functions>({ client, children }: ProviderProps<Streams, Functions>): ReactElement {
  return createElement(ClientContext.Provider, { value: untyped(client) }, children);
}

/** Returns the client of the nearest `StreamProvider`. Throws if there is none. */
export function useStreamClient(): StreamClient {
  return useClientOr(undefined);
}

/** Returns the client of the nearest `StreamProvider`, or `client` if there is none. Throws if both are missing. */
export function useClientOr(client: StreamClient | undefined): StreamClient {
  const nearest = useContext(ClientContext) ?? client;
  if (nearest === undefined) throw new Error('the hooks of @rivulet/client/react need a StreamProvider around them');
  return nearest;
}

/** Returns the client without its maps of types. The types of the hooks check the names. */
export function untyped<Streams, Functions>(client: StreamClient<Streams, Functions>): StreamClient {
  return client as unknown as StreamClient;
}
