import type { ErrorBody } from '../errors.js';
import type { RegisterTrigger } from './worker-messages.js';

/** The first frame on a worker connection. */
export interface WorkerRegistered {
  readonly type: 'workerregistered';
  readonly worker_id: string;
  /** Proves to the engine, on a later connection, that this connection was of the same worker. */
  readonly reattach_token: string | undefined;
}
/** A call of a function of this worker. */
export interface Invocation {
  readonly type: 'invokefunction';
  /** The id of the call. Absent if the caller does not wait for an answer. */
  readonly invocation_id: string | undefined;
  readonly function_id: string;
  /** The input. `null` if the frame has none. */
  readonly data: unknown;
  /** `undefined` if absent or `null`. */
  readonly metadata: unknown;
  /** The caller, as the engine describes it. `undefined` for a trusted worker. */
  readonly caller: unknown;
  /** Whether the payload is the member `value` of `data`: a page called with another payload than an object. */
  readonly isWrapped: true | undefined;
  readonly traceparent: string | undefined;
  readonly baggage: string | undefined;
}
/** The answer to a call of this worker. */
export interface InvocationAnswer {
  readonly type: 'invocationresult';
  readonly invocation_id: string;
  readonly function_id: string;
  /** `undefined` if absent. `null` is a result (spec WP §1.8). */
  readonly result: unknown;
  readonly error: ErrorBody | undefined;
}
/** The end of a binding of a trigger type of this worker. */
export interface BindingEnded {
  readonly type: 'unregistertrigger';
  readonly id: string;
  readonly trigger_type: string;
  /** `undefined` from an engine that names the binding by its id alone. */
  readonly function_id: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: unknown;
}
/** The refusal of a trigger of this worker. The engine sends nothing when it accepts a trigger. */
export interface TriggerRefused {
  readonly type: 'triggerregistrationresult';
  readonly id: string;
  readonly trigger_type: string;
  readonly function_id: string;
  readonly error: ErrorBody | undefined;
}
/** The refusal of a registration, or of the connection. After the latter the engine closes the connection. */
export interface EngineRefusal {
  readonly type: 'error' | 'registrationrejected';
  readonly error: ErrorBody;
}
export interface Heartbeat {
  readonly type: 'ping' | 'pong';
}

/** All messages that an engine may send to a worker. */
export type EngineMessage =
  | WorkerRegistered
  | Invocation
  | InvocationAnswer
  | RegisterTrigger
  | BindingEnded
  | TriggerRefused
  | EngineRefusal
  | Heartbeat;
