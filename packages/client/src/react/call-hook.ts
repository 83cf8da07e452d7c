import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { type CallActions, type CallDefaults, type CallStatus, callStore, NO_CALLS } from '../bindings/call-store.js';
import type { StreamClient } from '../index.js';
import { useStreamClient } from './stream-provider.js';

/** A function of the engine for a component: `call` and `reset`, and the status of the calls. */
export interface StreamCall<Payload, Result, Streams = unknown> extends CallStatus<Result>, CallActions<Payload, Result, Streams> {}

/**
 * Returns a function of the engine as `call`, and the status of its calls by this component. Calls may run at the same time. They go on
 * when the component unmounts. The options of the last render count for the next call.
 */
export function useCall<Result = unknown, Payload = unknown>(
  name: string,
  options: CallDefaults<Payload> = {},
): StreamCall<Payload, Result> {
  return useCallOf<Payload, Result>(useStreamClient(), name, options);
}

export function useCallOf<Payload, Result>(
  client: StreamClient,
  name: string,
  options: CallDefaults<Payload>,
): StreamCall<Payload, Result> {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const store = useMemo(() => callStore<Payload, Result>(client, name, () => latest.current), [client, name]);
  const status = useSyncExternalStore<CallStatus<Result>>(store.subscribe, store.snapshot, () => NO_CALLS);
  return useMemo(() => ({ ...status, ...store.actions }), [status, store]);
}
