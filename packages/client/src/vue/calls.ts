import { onScopeDispose, shallowReactive, toRefs } from 'vue';
import { type CallActions, type CallDefaults, type CallStatus, callStore } from '../bindings/call-store.js';
import type { NameIn, PayloadOf, ResultOf } from '../calls/call-types.js';
import type { StreamClient } from '../index.js';
import type { Refs } from './composables.js';

/** The status of the calls of a component as refs, with `call` and `reset`. */
export type StreamCall<Payload, Result, Streams = unknown> = Refs<CallStatus<Result>> & CallActions<Payload, Result, Streams>;

/** Returns a function of the engine as `call`, and the status of its calls by this component. Calls may run at the same time. */
export function useCall<Streams, Functions, Name extends NameIn<Functions>>(
  client: StreamClient<Streams, Functions>,
  name: Name,
  options?: CallDefaults<PayloadOf<Functions, Name>, Streams>,
): StreamCall<PayloadOf<Functions, Name>, ResultOf<Functions, Name>, Streams>;
export function useCall<Result = unknown, Payload = unknown>(
  client: StreamClient,
  name: string,
  options?: CallDefaults<Payload>,
): StreamCall<Payload, Result>;
export function useCall<Result, Payload>(
  client: StreamClient,
  name: string,
  options: CallDefaults<Payload> = {},
): StreamCall<Payload, Result> {
  const store = callStore<Payload, Result>(client, name, () => options);
  const status = shallowReactive({ ...store.snapshot() });
  onScopeDispose(store.subscribe(() => Object.assign(status, store.snapshot())));
  return { ...toRefs(status), ...store.actions };
}
