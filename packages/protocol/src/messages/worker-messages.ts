import type { ErrorBody } from '../errors.js';

/** The action that a caller requests for its call. Without it, the engine calls the function and sends the answer (spec WP §1.8). */
export type Action =
  | { readonly type: 'void' }
  | { readonly type: 'enqueue'; readonly queue: string }
  | { readonly type: 'unknown'; readonly name: string };

export interface RegisterFunction {
  readonly type: 'registerfunction';
  readonly id: string;
  readonly description: string | null;
  readonly request_format: unknown;
  readonly response_format: unknown;
  readonly metadata: unknown;
  /** Present if the function is called over HTTP. This package does not read it. */
  readonly invocation: unknown;
}
export interface UnregisterFunction {
  readonly type: 'unregisterfunction';
  readonly id: string;
}
export interface RegisterTriggerType {
  readonly type: 'registertriggertype';
  readonly id: string;
  readonly description: string;
  readonly trigger_request_format: unknown;
  readonly call_request_format: unknown;
}
export interface UnregisterTriggerType {
  readonly type: 'unregistertriggertype';
  readonly id: string;
}
export interface RegisterTrigger {
  readonly type: 'registertrigger';
  readonly id: string;
  readonly trigger_type: string;
  readonly function_id: string;
  /** The config of the trigger. Absent and `null` become `{}`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** `undefined` if absent. */
  readonly metadata: unknown;
  /** The namespace of the function. Absent means `default`. */
  readonly namespace?: string | undefined;
  /** The only namespace in which the engine searches the provider of the type. Absent means that of the registrant, then `default`. */
  readonly trigger_namespace?: string | undefined;
}
export interface UnregisterTrigger {
  readonly type: 'unregistertrigger';
  readonly id: string;
  readonly trigger_type: string | undefined;
}
export interface TriggerRegistrationResult {
  readonly type: 'triggerregistrationresult';
  readonly id: string;
  readonly trigger_type: string;
  readonly function_id: string;
  readonly error: ErrorBody | undefined;
}
export interface RegisterService {
  readonly type: 'registerservice';
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly parent_service_id: string | null;
}
export interface InvokeFunction {
  readonly type: 'invokefunction';
  /** The id of the call. Absent if the caller does not wait for an answer. */
  readonly invocation_id: string | undefined;
  readonly function_id: string;
  /** The input. `null` if the frame has none. */
  readonly data: unknown;
  readonly traceparent: string | undefined;
  readonly baggage: string | undefined;
  readonly action: Action | undefined;
  /** `undefined` if absent or `null`. */
  readonly metadata: unknown;
  readonly namespace: string | undefined;
  /** Whether the frame has an integer beyond ±(2^53−1) or a number that overflows. A store must refuse such data. */
  readonly inexactNumbers: boolean;
}
export interface InvocationResult {
  readonly type: 'invocationresult';
  /** The id of the call. SDK 0.2 and 0.3 also answer calls without an id. The engine ignores such an answer. */
  readonly invocation_id: string | undefined;
  readonly function_id: string;
  /** `undefined` if absent or `null` (spec WP §1.8). */
  readonly result: unknown;
  readonly error: ErrorBody | undefined;
  readonly traceparent: string | undefined;
  readonly baggage: string | undefined;
}
export interface Reattach {
  readonly type: 'reattach';
  readonly previous_worker_id: string;
  readonly reattach_token: string | undefined;
}
export interface Ping {
  readonly type: 'ping';
}
export interface Pong {
  readonly type: 'pong';
}

/** All messages that a worker may send. */
export type WorkerMessage =
  | RegisterFunction
  | UnregisterFunction
  | RegisterTriggerType
  | UnregisterTriggerType
  | RegisterTrigger
  | UnregisterTrigger
  | TriggerRegistrationResult
  | RegisterService
  | InvokeFunction
  | InvocationResult
  | Reattach
  | Ping
  | Pong;
