import {
  type ErrorBody,
  LIMITS,
  type RegisterFunction,
  type RegisterTrigger,
  type RegisterTriggerType,
  RivuletError,
} from '@rivulet/protocol';
import type { LogFields, Logger } from '../../logging/logger.js';
import type { TriggerProvider } from '../fabric/fabric.js';
import type { FunctionFabric } from '../fabric/function-fabric.js';
import { DEFAULT_NAMESPACE, type FunctionOwner } from '../fabric/function-registry.js';
import type { BindingNames, NameMap } from './access/name-map.js';
import type { SessionPermissions } from './access/session-permissions.js';
import { type RegistrationBounds, type RegistrationBudget, RegistrationBudgets } from './registration-budget.js';

/** The worker to which registrations belong. */
export interface RegisteringWorker extends FunctionOwner, TriggerProvider {
  readonly workerId: string;
  /** Permissions of a guest; `undefined` for a trusted worker. */
  readonly access: SessionPermissions | undefined;
  /** The names that the worker gave. */
  readonly names: NameMap;
  /** Sends the error of a binding to this worker as its registrant. `names` are those that the worker gave. */
  sendTriggerError(names: BindingNames, error: ErrorBody): void;
  warnOnce(event: string, cause: string, fields: LogFields): void;
}

export interface RegistrationContext {
  readonly fabric: FunctionFabric;
  readonly logger: Logger;
  /** Bounds of all connections together. Absent in simulations. @default budgets of its own */
  readonly budgets?: RegistrationBudgets | undefined;
}

const OF_WORKER = { registrations: LIMITS.registrationsPerWorker, chars: LIMITS.registrationChars };
const OF_GUEST = { registrations: LIMITS.registrationsPerGuest, chars: LIMITS.registrationCharsPerGuest };
/** Characters that each JSON value in a guest's registration counts for, beside its text. */
const VALUE_CHARS = 32;
/** Comma, bracket and brace of JSON text. Each stands before or after a value. */
const SEPARATORS = new Set([44, 91, 123]);

/**
 * The functions, triggers, trigger types and services of one worker connection. Each kind is bounded, and all end with the connection.
 *
 * A registration is one of two things: it serves its id, or it stands by while a newer registration of another worker serves the id.
 */
export class WorkerRegistrations {
  readonly #fabric: FunctionFabric;
  readonly #logger: Logger;
  readonly #worker: RegisteringWorker;
  readonly #functions = new Set<string>();
  readonly #triggers = new Set<string>();
  readonly #triggerTypes = new Set<string>();
  readonly #services = new Set<string>();
  #namespace = DEFAULT_NAMESPACE;
  /** UTF-16 code units of each registration's text, by kind and id. */
  readonly #chars = new Map<string, number>();
  #totalChars = 0;
  readonly #budget: RegistrationBudget;
  /** Characters that each value in a registration counts for, beside its text. */
  readonly #charge: number;

  constructor({ fabric, logger, budgets = new RegistrationBudgets() }: RegistrationContext, worker: RegisteringWorker) {
    this.#budget = worker.access === undefined ? budgets.trusted : budgets.guests;
    this.#charge = worker.access === undefined ? 0 : VALUE_CHARS;
    this.#fabric = fabric;
    this.#logger = logger;
    this.#worker = worker;
  }

  /** The namespace of its functions and trigger types. */
  get namespace(): string {
    return this.#namespace;
  }

  /** Moves all registrations into another namespace. */
  moveTo(namespace: string): void {
    const from = this.#namespace;
    if (from === namespace) return;
    this.#namespace = namespace;
    const { functions, triggers } = this.#fabric;
    for (const id of this.#functions) {
      const registration = functions.unregister(id, from, this.#worker);
      if (registration !== undefined) functions.register({ ...registration, namespace });
    }
    for (const id of this.#triggerTypes) {
      const type = triggers.removeType(id, from, this.#worker.workerId);
      if (type !== undefined) triggers.addType({ ...type, namespace });
    }
    for (const id of this.#triggers) {
      const binding = triggers.binding(id);
      if (binding?.workerId === this.#worker.workerId) triggers.rename(id, namespace);
    }
  }

  /** Ids of its functions, serving or standing by, sorted. */
  get functionIds(): string[] {
    return [...this.#functions].sort();
  }

  /** Returns whether the worker has registered the function, serving or standing by. */
  serves(id: string): boolean {
    return this.#functions.has(id);
  }

  addFunction(message: RegisterFunction): void {
    const { id, description, request_format, response_format, metadata } = message;
    const chars = this.#charsOf(id, description, request_format, response_format, metadata);
    if (!this.#reserve('functions', this.#functions, id, chars)) return;
    const { access } = this.#worker;
    const outcome = this.#fabric.functions.register({
      id: message.id,
      namespace: this.#namespace,
      owner: this.#worker,
      description: message.description,
      requestFormat: message.request_format,
      responseFormat: message.response_format,
      metadata: message.metadata,
      httpInvoked: message.invocation !== undefined,
      guest: access !== undefined,
      mayDecide: access === undefined || access.grant.allowedFunctions.has(id),
    });
    if (outcome === 'shadows') {
      this.#release('functions', id);
      this.#worker.warnOnce('function_refused', '', { function: message.id, reason: 'the id belongs to the engine' });
      return;
    }
    this.#functions.add(message.id);
    if (message.invocation !== undefined)
      this.#worker.warnOnce('function_not_invokable', '', {
        function: message.id,
        reason: 'this engine makes no HTTP calls: serve it in a worker',
      });
    if (outcome !== 'took_over') return;
    // Pages take over functions from each other all the time, so their sessions get one warning only.
    if (access !== undefined) this.#worker.warnOnce('function_taken_over', '', { function: message.id });
    else this.#logger.warn('function_taken_over', { worker: this.#worker.workerId, function: message.id });
  }

  removeFunction(id: string): void {
    this.#functions.delete(id);
    this.#release('functions', id);
    this.#fabric.functions.unregister(id, this.#namespace, this.#worker);
  }

  addTrigger(message: RegisterTrigger): void {
    const { id, trigger_type, function_id, config, metadata } = message;
    try {
      if (!this.#reserve('triggers', this.#triggers, id, this.#charsOf(id, trigger_type, function_id, config, metadata)))
        throw tooMany(this.#worker.access === undefined ? OF_WORKER : OF_GUEST);
      this.#register(message);
    } catch (error) {
      const names = this.#worker.names.binding({ id, type: trigger_type, functionId: function_id });
      this.#worker.sendTriggerError(names, this.#triggerError(id, error));
    }
  }

  #triggerError(id: string, error: unknown): ErrorBody {
    if (error instanceof RivuletError) return error.toBody();
    const code = 'trigger_registration_failed';
    if (this.#worker.access === undefined) return { code, message: String(error) };
    this.#logger.error('trigger_failed', { trigger: id, error: error instanceof Error ? error.stack : String(error) });
    return { code, message: 'the engine failed to register the trigger; its log has the cause' };
  }

  #register({ id, trigger_type, function_id, namespace, trigger_namespace, config, metadata }: RegisterTrigger): void {
    const { workerId, access } = this.#worker;
    const binding = {
      id,
      type: trigger_type,
      functionId: function_id,
      namespace,
      typeNamespace: trigger_namespace,
      config,
      metadata,
      workerId,
      guest: access !== undefined,
    };
    try {
      this.#fabric.triggers.register(binding, this.#namespace);
      this.#triggers.add(id);
    } catch (error) {
      this.#release('triggers', id);
      throw error;
    }
  }

  removeTrigger(id: string): void {
    this.#triggers.delete(id);
    this.#release('triggers', id);
    this.#fabric.triggers.unregister(id);
  }

  addTriggerType(message: RegisterTriggerType): void {
    const { id, description, trigger_request_format, call_request_format } = message;
    if (
      !this.#reserve('trigger types', this.#triggerTypes, id, this.#charsOf(id, description, trigger_request_format, call_request_format))
    )
      return;
    try {
      this.#fabric.triggers.addType({
        id: message.id,
        namespace: this.#namespace,
        description: message.description,
        triggerRequestFormat: message.trigger_request_format,
        callRequestFormat: message.call_request_format,
        provider: this.#worker,
        workerId: this.#worker.workerId,
      });
      this.#triggerTypes.add(message.id);
    } catch (error) {
      this.#release('trigger types', id);
      this.#worker.warnOnce('trigger_type_refused', '', { type: message.id, error: String(error) });
    }
  }

  removeTriggerType(id: string): void {
    this.#triggerTypes.delete(id);
    this.#release('trigger types', id);
    this.#fabric.triggers.removeType(id, this.#namespace, this.#worker.workerId);
  }

  /** Keeps the id of a service. Services group functions in a catalogue, and the engine uses them for nothing. */
  addService(id: string): void {
    if (this.#reserve('services', this.#services, id, id.length)) this.#services.add(id);
  }

  /** Removes the functions. A registration that a newer connection has repeated belongs to that one and stays. */
  dropFunctions(): void {
    for (const id of this.#functions) this.#fabric.functions.unregister(id, this.#namespace, this.#worker);
  }

  /**
   * Removes the triggers and trigger types, as `dropFunctions`. It is a step of its own, because calls end between the two (spec WP §1.9).
   */
  dropTriggers(): void {
    const { workerId } = this.#worker;
    for (const id of this.#triggers) if (this.#fabric.triggers.binding(id)?.workerId === workerId) this.#fabric.triggers.unregister(id);
    for (const id of this.#triggerTypes) this.#fabric.triggers.removeType(id, this.#namespace, workerId);
    this.#fabric.forgetWorker(workerId);
    this.#releaseAll();
  }

  #reserve(of: string, registered: ReadonlySet<string>, id: string, chars: number): boolean {
    const key = `${of} ${id}`;
    const before = this.#chars.get(key);
    const total = this.#totalChars - (before ?? 0) + chars;
    const { registrations: most, chars: mostChars } = this.#worker.access === undefined ? OF_WORKER : OF_GUEST;
    const tooMany = registered.size >= most && !registered.has(id);
    if (tooMany || total > mostChars) {
      this.#worker.warnOnce('registration_refused', of, { of, limit: tooMany ? most : mostChars });
      return false;
    }
    if (!this.#budget.take(before === undefined ? 1 : 0, chars - (before ?? 0))) {
      const all = this.#worker.access === undefined ? 'workers' : 'guest sessions';
      this.#worker.warnOnce('registration_refused', `${of} all`, { of, reason: `all ${all} together have too many registrations` });
      return false;
    }
    this.#chars.set(key, chars);
    this.#totalChars = total;
    return true;
  }

  /**
   * Returns the text length of a registration. For guests each value counts more, because an empty object of two characters takes many
   * bytes of memory.
   */
  #charsOf(...parts: readonly unknown[]): number {
    const text = JSON.stringify(parts);
    if (this.#charge === 0) return text.length;
    let values = 0;
    for (let at = 0; at < text.length; at++) if (SEPARATORS.has(text.charCodeAt(at))) values++;
    return text.length + values * this.#charge;
  }

  #release(of: string, id: string): void {
    const key = `${of} ${id}`;
    const chars = this.#chars.get(key);
    if (chars === undefined) return;
    this.#totalChars -= chars;
    this.#chars.delete(key);
    this.#budget.take(-1, -chars);
  }

  #releaseAll(): void {
    this.#budget.take(-this.#chars.size, -this.#totalChars);
    this.#chars.clear();
    this.#totalChars = 0;
  }
}

function tooMany({ registrations, chars }: RegistrationBounds): RivuletError {
  const text = `a connection has at most ${registrations} triggers, and ${chars} characters of registrations; all connections together have bounds too`;
  return new RivuletError('trigger_registration_failed', text);
}
