import {
  type ErrorBody,
  field,
  isRegistryId,
  type RegisterFunction,
  type RegisterTrigger,
  type RegisterTriggerType,
  RivuletError,
  type WorkerMessage,
} from '@rivulet/protocol';
import type { LogFields } from '../../../logging/logger.js';
import { DECIDING_TYPES, decides, OPEN_TYPES } from '../../fabric/decision-triggers.js';
import type { TriggerBinding } from '../../fabric/fabric.js';
import type { FunctionFabric } from '../../fabric/function-fabric.js';
import { DEFAULT_NAMESPACE } from '../../fabric/function-registry.js';
import type { BindingNames, NameMap } from './name-map.js';
import type { HookOutcome, RegistrationHooks } from './registration-hooks.js';
import type { SessionPermissions } from './session-permissions.js';

/** The registrations that take effect. `WorkerRegistrations` implements it. */
export interface SessionRegistrations {
  /** Returns whether the session has registered a function under this id. */
  serves(id: string): boolean;
  addFunction(message: RegisterFunction): void;
  removeFunction(id: string): void;
  addTrigger(message: RegisterTrigger): void;
  removeTrigger(id: string): void;
  addTriggerType(message: RegisterTriggerType): void;
  removeTriggerType(id: string): void;
}

/** The guest session. */
export interface GuestWorker {
  readonly workerId: string;
  /** Sends the error of a binding to this session as its registrant. `names` are those that the session gave. */
  sendTriggerError(names: BindingNames, error: ErrorBody): void;
  /** Writes a line about the first occurrence of `cause` in this session. */
  warnOnce(event: string, cause: string, fields: LogFields): void;
}

export interface GuestContext {
  readonly access: SessionPermissions;
  readonly hooks: RegistrationHooks;
  readonly fabric: FunctionFabric;
  readonly registrations: SessionRegistrations;
  /** The names that the session gave. */
  readonly names: NameMap;
  readonly worker: GuestWorker;
  /** Returns whether a connected worker belongs to a listener without rules. */
  readonly isTrusted: (workerId: string) => boolean;
  /** Returns whether a connected session belongs to another user: the two identities differ, or only one of the sessions has one. */
  readonly isAnother: (workerId: string) => boolean;
  /** Functions that decide who gets in. A guest may serve one only if its auth function names the id in `allowed_functions`. */
  readonly guards: ReadonlySet<string>;
  /** Trigger types of the listener that guests may bind or provide; `undefined`: the auth answer alone decides. */
  readonly listenerTypes?: ReadonlySet<string> | undefined;
  /** Runs when the guest has bound one of `OPEN_TYPES` although no list names that type. */
  readonly onOpenTrigger: (type: string) => void;
}

const CONDITION = 'condition_function_id';
const MIDDLEWARE = 'middleware_function_ids';
const TRUSTED_SERVES = 'a worker of a trusted listener serves the id';
const ANOTHER_USER = 'a session of another identity has registered the id';
const WRONG_TYPE = 'triggers of its type may not be registered';
/** Prefixes of the functions of streams and state. A worker that serves `stream::get(s)` owns the stream `s`. */
const DATA_PREFIXES = ['stream::', 'state::'];

/**
 * The registrations of one guest.
 *
 * A registration passes three checks: the permissions of the session, the hook of the listener, and the rules below. Then it takes effect
 * under the name that results (spec RB §5.5). The guest goes on to use the names that it gave, which `NameMap` keeps.
 *
 * The rules protect everybody else:
 *
 * - A guest takes no id of a trusted worker or of another user.
 * - It serves no function that decides who gets in.
 * - It binds no function that it may not call.
 */
export class GuestRegistrations {
  readonly #context: GuestContext;
  readonly #names: NameMap;
  /** Functions that each of its live triggers calls, by the trigger's registered id. */
  readonly #called = new Map<string, readonly string[]>();
  #closed = false;

  constructor(context: GuestContext) {
    this.#context = context;
    this.#names = context.names;
  }

  /**
   * Handles a registration or its removal. Returns false for any other message. Returns a promise while a hook decides; it never rejects.
   */
  handle(message: WorkerMessage): Promise<void> | undefined | false {
    const { hooks, access, registrations } = this.#context;
    const { context } = access.grant;
    switch (message.type) {
      case 'registerfunction':
        if (!access.grant.mayRegisterFunctions) return this.#denied('function', message.id, 'functions may not be registered');
        return this.#decide(hooks.onFunction(message, context), message, (decided) => this.#addFunction(message.id, decided));
      case 'registertriggertype':
        if (!access.grant.mayRegisterTriggerTypes) return this.#denied('trigger type', message.id, 'trigger types may not be registered');
        return this.#decide(hooks.onTriggerType(message, context), message, (decided) => this.#addTriggerType(message.id, decided));
      case 'registertrigger':
        if (!this.#mayTrigger(message.trigger_type)) return this.#denied('trigger', message.id, WRONG_TYPE);
        return this.#decide(hooks.onTrigger(message, context), message, (decided) => this.#addTrigger(message.id, decided));
      case 'unregisterfunction':
        this.#removeFunction(message.id);
        return undefined;
      case 'unregistertrigger':
        this.#removeTrigger(message.id);
        return undefined;
      case 'unregistertriggertype': {
        const id = this.#names.forget('trigger type', message.id);
        if (id !== undefined) registrations.removeTriggerType(id);
        return undefined;
      }
      case 'invokefunction':
      case 'invocationresult':
      case 'registerservice':
      case 'triggerregistrationresult':
      case 'reattach':
      case 'ping':
      case 'pong':
        return false;
      default:
        return message satisfies never;
    }
  }

  /** Removes a function that a trusted worker serves from now on, and the triggers that called it. */
  displaced(id: string): void {
    this.#denied('function', id, TRUSTED_SERVES);
    this.#removeFunction(this.#names.given('function', id));
  }

  /** Drops registrations that a hook allows after this. */
  close(): void {
    this.#closed = true;
  }

  #decide<Message extends WorkerMessage & { readonly id: string }>(
    hook: Promise<HookOutcome<Message>> | undefined,
    message: Message,
    add: (decided: Message) => void,
  ): Promise<void> | undefined {
    if (hook === undefined) {
      add(message);
      return undefined;
    }
    return hook.then((outcome) => {
      if (this.#closed) return;
      if (outcome.kind === 'allowed') add(outcome.message);
      else this.#denied(message.type, message.id, outcome.reason);
    });
  }

  #addFunction(given: string, message: RegisterFunction): void {
    const { registrations, worker } = this.#context;
    const id = this.#prefixed(message.id);
    const refusal = this.#functionRefusal(id);
    if (refusal !== undefined) return this.#denied('function', id, refusal);
    const before = this.#names.registered('function', given);
    if (before !== undefined && before !== id) this.#removeFunction(given);
    registrations.addFunction({ ...message, id });
    if (registrations.serves(id)) this.#names.add('function', given, id);
    else worker.warnOnce('registration_denied', 'function not added', { of: 'function', id });
  }

  #functionRefusal(id: string): string | undefined {
    const { access, fabric, guards, isTrusted, isAnother } = this.#context;
    if (!isRegistryId(id)) return 'the id is too long with its prefix';
    if (!access.grant.allowedFunctions.has(id)) {
      if (guards.has(id) || this.#decidesJoins(id)) return 'the function decides who gets in';
      if (DATA_PREFIXES.some((prefix) => id.startsWith(prefix))) return 'the function would serve streams or state for all clients';
    }
    const owners = fabric.functions.owners(id);
    if (owners.some((workerId) => isTrusted(workerId))) return TRUSTED_SERVES;
    return owners.some((workerId) => isAnother(workerId)) ? ANOTHER_USER : undefined;
  }

  /**
   * Returns whether a trigger of a trusted worker calls this function to decide about a join. The engine would not call a guest's function
   * for that, so it refuses the registration and reports why.
   */
  #decidesJoins(id: string): boolean {
    const asks = (binding: TriggerBinding) => binding.functionId === id || binding.config[CONDITION] === id;
    return this.#context.fabric.triggers.bindings().some((binding) => decides(binding) && asks(binding));
  }

  #removeFunction(given: string): void {
    const id = this.#names.forget('function', given);
    if (id === undefined) return;
    this.#context.registrations.removeFunction(id);
    // Its triggers must not call the function that another worker may serve under this id.
    for (const [trigger, targets] of this.#called) {
      if (targets.every((target) => this.#mayBind(target))) continue;
      this.#removeTrigger(this.#names.given('trigger', trigger));
    }
  }

  #addTrigger(given: string, message: RegisterTrigger): void {
    const { access, registrations, worker, fabric, isTrusted, isAnother } = this.#context;
    const existing = fabric.triggers.binding(message.id);
    if (existing !== undefined && (existing.workerId === undefined || isTrusted(existing.workerId)))
      return this.#denied('trigger', message.id, 'the id is taken');
    if (existing?.workerId !== undefined && isAnother(existing.workerId)) return this.#denied('trigger', message.id, ANOTHER_USER);
    // The hook may have changed the type.
    if (!this.#mayTrigger(message.trigger_type)) return this.#denied('trigger', message.id, WRONG_TYPE);
    if (message.trigger_namespace !== undefined && message.trigger_namespace !== DEFAULT_NAMESPACE)
      return this.#denied('trigger', message.id, 'guests find trigger types in the namespace default only');
    const { namespace = DEFAULT_NAMESPACE } = message;
    const foreign = namespace !== DEFAULT_NAMESPACE;
    // The guest's own functions are in `default`, so no name in another namespace is one of them.
    const functionId = foreign ? message.function_id : this.#target(message.function_id);
    const { config, functions } = foreign ? functionsOf(message.config) : this.#ownNames(message.config);
    const targets = [functionId, ...functions];
    const mayBind = (target: string) => (foreign ? access.mayCall(target, namespace) : this.#mayBind(target));
    if (targets.some((target) => !isRegistryId(target) || !mayBind(target))) {
      const text = `the session may not call function ${message.function_id}, or another function that the config of this trigger names`;
      this.#denied('trigger', message.id, 'the session may not call a function of the trigger');
      const names = { id: given, type: message.trigger_type, functionId: message.function_id };
      worker.sendTriggerError(names, new RivuletError('FORBIDDEN', text).toBody());
      return;
    }
    if (this.#names.registered('trigger', given) !== message.id) this.#removeTrigger(given);
    // The name is added first, so that an error of the provider reaches the guest under its own name.
    this.#names.add('trigger', given, message.id);
    if (!foreign) this.#called.set(message.id, targets);
    registrations.addTrigger({ ...message, function_id: functionId, config });
    if (fabric.triggers.binding(message.id)?.workerId === worker.workerId) {
      const { onOpenTrigger, access } = this.#context;
      if (access.grant.allowedTriggerTypes === undefined && OPEN_TYPES.has(message.trigger_type)) onOpenTrigger(message.trigger_type);
      return;
    }
    this.#names.forget('trigger', given);
    this.#called.delete(message.id);
  }

  #removeTrigger(given: string): void {
    const id = this.#names.forget('trigger', given);
    if (id === undefined) return;
    this.#called.delete(id);
    const { fabric, registrations, worker } = this.#context;
    // A newer session may have registered the trigger again.
    if (fabric.triggers.binding(id)?.workerId === worker.workerId) registrations.removeTrigger(id);
  }

  #addTriggerType(given: string, message: RegisterTriggerType): void {
    const { registrations, worker, fabric, listenerTypes, isTrusted, isAnother } = this.#context;
    if (listenerTypes?.has(message.id) === false) return this.#denied('trigger type', message.id, WRONG_TYPE);
    const provider = fabric.triggers.type(message.id)?.workerId;
    if (provider !== undefined && isTrusted(provider))
      return this.#denied('trigger type', message.id, 'a worker of a trusted listener provides it');
    if (provider !== undefined && isAnother(provider)) return this.#denied('trigger type', message.id, ANOTHER_USER);
    this.#names.add('trigger type', given, message.id);
    registrations.addTriggerType(message);
    if (fabric.triggers.type(message.id)?.workerId !== worker.workerId) this.#names.forget('trigger type', given);
  }

  /** Returns the config with registered ids in place of the guest's own function names, and the functions that it names. */
  #ownNames(config: RegisterTrigger['config']): { config: RegisterTrigger['config']; functions: readonly string[] } {
    return functionsOf(config, (id) => (this.#context.registrations.serves(this.#target(id)) ? this.#target(id) : id));
  }

  #mayTrigger(type: string): boolean {
    const { allowedTriggerTypes } = this.#context.access.grant;
    return allowedTriggerTypes === undefined ? !DECIDING_TYPES.has(type) : allowedTriggerTypes.has(type);
  }

  #mayBind(functionId: string): boolean {
    return this.#context.registrations.serves(functionId) || this.#context.access.mayCall(functionId);
  }

  /**
   * Returns the function that a trigger calls when it names `id`: the id below the prefix, or the id that a hook gave to a function of this
   * name.
   */
  #target(id: string): string {
    const prefixed = this.#prefixed(id);
    return this.#context.registrations.serves(prefixed) ? prefixed : (this.#names.registered('function', id) ?? prefixed);
  }

  #prefixed(id: string): string {
    const { prefix } = this.#context.access.grant;
    return prefix === undefined ? id : `${prefix}::${id}`;
  }

  #denied(of: string, id: string, reason: string): undefined {
    this.#context.worker.warnOnce('registration_denied', `${of} ${reason}`, { of, id, reason });
    return undefined;
  }
}

/** Returns the functions that a trigger's config names, and the config with the names that `own` returns for them. */
function functionsOf(
  config: RegisterTrigger['config'],
  own: (id: string) => string = (id) => id,
): { config: RegisterTrigger['config']; functions: readonly string[] } {
  const functions: string[] = [];
  const named: Record<string, unknown> = {};
  const condition = field(config, CONDITION);
  if (typeof condition === 'string' && condition !== '') functions.push((named[CONDITION] = own(condition)) as string);
  const middleware = field(config, MIDDLEWARE);
  if (Array.isArray(middleware)) {
    const ids = middleware.map((id: unknown) => (typeof id === 'string' ? own(id) : id));
    named[MIDDLEWARE] = ids;
    functions.push(...ids.filter((id) => typeof id === 'string'));
  }
  return { config: functions.length === 0 ? config : { ...config, ...named }, functions };
}
