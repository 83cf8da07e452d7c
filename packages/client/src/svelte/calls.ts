import { type CallActions, type CallDefaults, type CallStatus, callStore } from '../bindings/call-store.js';
import type { NameIn, PayloadOf, ResultOf } from '../calls/call-types.js';
import type { StreamClient } from '../index.js';
import { type Live, live } from './live.js';

/** A function of the engine for a component: `call` and `reset`, and the status of the calls. */
export type StreamCall<Payload, Result, Streams = unknown> = Live<CallStatus<Result>> & CallActions<Payload, Result, Streams>;

/** Returns a function of the engine as `call`, and the status of its calls by this component. Calls may run at the same time. */
export function functionCall<Streams, Functions, Name extends NameIn<Functions>>(
  client: StreamClient<Streams, Functions>,
  name: Name,
  options?: CallDefaults<PayloadOf<Functions, Name>, Streams>,
): StreamCall<PayloadOf<Functions, Name>, ResultOf<Functions, Name>, Streams>;
export function functionCall<Result = unknown, Payload = unknown>(
  client: StreamClient,
  name: string,
  options?: CallDefaults<Payload>,
): StreamCall<Payload, Result>;
export function functionCall<Result, Payload>(
  client: StreamClient,
  name: string,
  options: CallDefaults<Payload> = {},
): StreamCall<Payload, Result> {
  const store = callStore<Payload, Result>(client, name, () => options);
  return Object.assign(live(store), store.actions);
}
