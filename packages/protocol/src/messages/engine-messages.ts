import type { ErrorBody } from '../errors.js';
import type { RegisterTrigger } from './worker-messages.js';

/** The first frame on a worker connection. */
export interface WorkerRegistered {
  readonly type: 'workerregistered';
  readonly worker_id: string;
  /** Proves to the engine, on a later connection, that this one was ours. */
  readonly reattach_token: string | undefined;
}
/** A call of a function of this worker. */
export interface Invocation {
  readonly type: 'invokefunction';
  /** Absent: nobody waits for an answer. */
  readonly invocation_id: string | undefined;
  readonly function_id: string;
  /** `null` when the frame has none. */
  readonly data: unknown;
  /** `undefined` when absent or null. */
  readonly metadata: unknown;
  /** Who calls, as the engine says it; `undefined` for a trusted worker. */
  readonly caller: unknown;
  readonly traceparent: string | undefined;
  readonly baggage: string | undefined;
}
/** The answer to a call of this worker. */
export interface InvocationAnswer {
  readonly type: 'invocationresult';
  readonly invocation_id: string;
  readonly function_id: string;
  /** `undefined` when absent; `null` is a result (spec WP §1.8). */
  readonly result: unknown;
  readonly error: ErrorBody | undefined;
}
/** A binding of a trigger type of this worker ended. */
export interface BindingEnded {
  readonly type: 'unregistertrigger';
  readonly id: string;
  readonly trigger_type: string;
  /** Absent from engines that name the binding by its id alone. */
  readonly function_id: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: unknown;
}
/** What became of a trigger of this worker. Success is silent, so there is an error. */
export interface TriggerRefused {
  readonly type: 'triggerregistrationresult';
  readonly id: string;
  readonly trigger_type: string;
  readonly function_id: string;
  readonly error: ErrorBody | undefined;
}
/** The engine refused a registration, or (before it closes) the connection. */
export interface EngineRefusal {
  readonly type: 'error' | 'registrationrejected';
  readonly error: ErrorBody;
}
export interface Heartbeat {
  readonly type: 'ping' | 'pong';
}

/** Everything that an engine may send to a worker. */
export type EngineMessage =
  | WorkerRegistered
  | Invocation
  | InvocationAnswer
  | RegisterTrigger
  | BindingEnded
  | TriggerRefused
  | EngineRefusal
  | Heartbeat;
