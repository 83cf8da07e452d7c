import type { BuiltinSchemas, ConfigSchema } from '../contracts/builtin-contract.js';
import type { TriggerCounts } from './call-counts.js';
import type { EventBudget } from './event-budget.js';
import type { FiringScheduler } from './firing-scheduler.js';
import type { BuiltinHandler, Call, JsonPayload, Outcome } from './invocation.js';
import type { Span, Tracing } from './tracing.js';

/**
 * The function fabric knows which functions exist and which events call them. Modules such as streams, state and HTTP know the engine only
 * through it. They never import each other, and meet here as functions and triggers, like workers do.
 *
 * Words: a built-in is a function of the engine itself. A provider is the code behind a trigger type, such as `stream`. A binding is one
 * registered trigger: it names its type, its target function and perhaps a condition function.
 * Firing a binding calls its functions. A binding is parked while its type has no provider.
 *
 *     call     ──▶ invoke ──▶ built-in handler, or dispatch to a worker ──▶ done(outcome)
 *     event    ──▶ provider of a trigger type ──▶ fire(binding) ──▶ condition ──▶ target function
 *     register ──▶ trigger registry ──▶ provider.register(binding), or parked until a provider comes
 *
 * Invariants:
 *
 * - `done` of a call runs exactly once, unless the call is cancelled.
 * - At most one provider has a binding. Registering the id of a binding again replaces it.
 * - A built-in keeps its id: workers can't shadow it.
 * - `fire` and `request` never reject, so their caller handles outcomes only.
 * - An event is in the queues of all its bindings before one of them runs (`firing.scheduler`). Otherwise the function of the first
 *   binding could cause a second event, and other bindings would get the second event before the first one.
 *
 * Example: a module that provides a trigger type keeps its bindings and fires them.
 *
 *     fabric.provideTriggerType('tick', 'Fires each second.', { register: (b) => bindings.add(b), unregister: (b) => bindings.delete(b) });
 *     for (const binding of bindings) runInBackground(fabric.fire(binding, JsonPayload.ofValue({ at: now })), logger, 'tick');
 */
export interface Fabric {
  /** State that all ordered bindings share: the scheduler of firings, the budget for the text of their events, and their counts. */
  readonly firing: {
    readonly scheduler: FiringScheduler;
    readonly events: EventBudget;
    /** Returns the counts of a trigger type of the engine. */
    readonly countsOf: (type: string) => TriggerCounts;
  };
  /** Spans of the engine's work; `undefined` when no SDK of OpenTelemetry is registered. */
  readonly tracing?: Tracing | undefined;
  /**
   * Adds an engine function. Introspection publishes `schemas`, which check the input before the handler runs. Throws when another built-in
   * has the id.
   */
  registerBuiltin(id: string, handler: BuiltinHandler, description: string, schemas?: BuiltinSchemas): void;
  /** Returns whether a call of this id would find a function now. `namespace` is that of `Call`. */
  hasFunction(id: string, namespace?: string): boolean;
  /** Returns the namespace whose worker registered the id last, of all namespaces; `undefined` when no worker serves it. */
  newestNamespace(id: string): string | undefined;
  /**
   * Calls `listener` when another worker than before serves an id, but not when no worker serves it any more. `listener` must not throw.
   */
  onServed(listener: (id: string) => void): void;
  /** Calls a function. `done` runs exactly once, perhaps before this returns, and never after `cancel`. Does not throw. */
  invoke(call: Call, done: (outcome: Outcome) => void): PendingCall;
  /** Calls a function and resolves with its outcome, or with `timeout`. Never rejects. */
  request(call: Call, timeoutMs: number): Promise<Outcome | { readonly kind: 'timeout' }>;
  /**
   * Adds a trigger type of the engine. Parked bindings of the type become live before this returns. `config` has the known keys of their
   * configs.
   */
  provideTriggerType(id: string, description: string, provider: TriggerProvider, config?: ConfigSchema): void;
  /**
   * Calls the condition function of a binding, if it has one, and then its target with the event. Resolves with `skipped` when the
   * condition returns false or fails. `timeoutMs` covers both calls. Without it the promise waits as long as the workers stay connected.
   * Never rejects. `cause` is the parent of the firing's span.
   */
  fire(binding: TriggerBinding, event: JsonPayload, timeoutMs?: number, cause?: FiringCause): Promise<FireOutcome>;
}

export interface PendingCall {
  /** Cancels the call: a late answer is ignored. */
  cancel(): void;
}

/** The span of the work that caused an event. It may be known a moment after the event. Absent without tracing. */
export type FiringCause = Span | Promise<Span | undefined> | undefined;

export type FireOutcome =
  | Outcome
  /** `condition`: it returned false. `condition_failed`: the call of it failed. */
  | { readonly kind: 'skipped'; readonly reason: 'condition' | 'condition_failed' }
  | { readonly kind: 'timeout' };

/** A binding of a trigger to a function. Its id is unique. Registering the id again replaces the binding. */
export interface TriggerBinding {
  readonly id: string;
  readonly type: string;
  readonly functionId: string;
  /** Namespace of its function, and of the functions that its config names. @default 'default' */
  readonly namespace?: string | undefined;
  /** Namespace in which the provider of its type is found. `undefined`: the namespace of its registrant, and then `default`. */
  readonly typeNamespace?: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: unknown;
  /** Worker that registered it; `undefined` for durable bindings of engine::register_trigger. */
  readonly workerId: string | undefined;
  /** True for a binding of a guest. It decides nothing about others and takes nothing from them. */
  readonly guest?: boolean;
}

export interface TriggerProvider {
  /** Adds a binding. An error that it throws refuses the binding, and the registrant gets the message. */
  register(binding: TriggerBinding): void;
  unregister(binding: TriggerBinding): void;
}
