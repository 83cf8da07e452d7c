import type { BuiltinSchemas, ConfigSchema } from '../contracts/builtin-contract.js';
import type { EventBudget } from './event-budget.js';
import type { FiringScheduler } from './firing-scheduler.js';
import type { BuiltinHandler, Call, JsonPayload, Outcome } from './invocation.js';

/**
 * The function fabric: who can be called, what fires whom. Modules (stream, state, http) know the engine only through it and never
 * each other; they meet here as functions and triggers, as workers do.
 */
export interface Fabric {
  /** What all bindings share that fire in order: turns, and room for the text of their events. */
  readonly firing: { readonly scheduler: FiringScheduler; readonly events: EventBudget };
  /** Adds an engine function. `schemas` check its input before the handler runs, and are published. Workers can't shadow it. Throws when the id is taken by another built-in. */
  registerBuiltin(id: string, handler: BuiltinHandler, description: string, schemas?: BuiltinSchemas): void;
  /** Whether a call of this id would find somebody now; `namespace` as in `Call`. */
  hasFunction(id: string, namespace?: string): boolean;
  /** The namespace whose worker registered the id last, of all namespaces; `undefined`: no worker serves it. */
  newestNamespace(id: string): string | undefined;
  /** `listener` runs when another worker than before serves an id; not when nobody does any more. It must not throw. */
  onServed(listener: (id: string) => void): void;
  /** Calls a function; `done` runs exactly once, perhaps before this returns, and never after `cancel`. Does not throw. */
  invoke(call: Call, done: (outcome: Outcome) => void): PendingCall;
  /** The same as a promise with a deadline. It never rejects. */
  request(call: Call, timeoutMs: number): Promise<Outcome | { readonly kind: 'timeout' }>;
  /** Makes a built-in trigger type live: parked bindings of that type are delivered at once. `config` has the known keys. */
  provideTriggerType(id: string, description: string, provider: TriggerProvider, config?: ConfigSchema): void;
  /**
   * Runs the condition function of a binding, if any, then its target with the event. `skipped` when the condition says so or fails.
   * The timeout covers condition and target together; without one it waits as long as the worker lives. It never rejects.
   */
  fire(binding: TriggerBinding, event: JsonPayload, timeoutMs?: number): Promise<FireOutcome>;
}

export interface PendingCall {
  /** Forgets the call; a late answer is ignored. */
  cancel(): void;
}

export type FireOutcome =
  | Outcome
  /** `condition`: it answered false. `condition_failed`: it could not be asked, which skips too. */
  | { readonly kind: 'skipped'; readonly reason: 'condition' | 'condition_failed' }
  | { readonly kind: 'timeout' };

/** A live binding of a trigger to a function. Its id is unique; registering the id again replaces it. */
export interface TriggerBinding {
  readonly id: string;
  readonly type: string;
  readonly functionId: string;
  /** The namespace of its function, and of the functions that its config names. Default: `default`. */
  readonly namespace?: string | undefined;
  /** The one namespace in which the provider of its type is found; `undefined`: first its registrant's own, then `default`. */
  readonly typeNamespace?: string | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metadata: unknown;
  /** The worker that registered it; `undefined` for durable ones made by engine::register_trigger. */
  readonly workerId: string | undefined;
  /** Of a session with rules: it decides nothing about others and takes nothing from them. */
  readonly guest?: boolean;
}

export interface TriggerProvider {
  /** A throw refuses the binding: its registrant gets the message. */
  register(binding: TriggerBinding): void;
  unregister(binding: TriggerBinding): void;
}
