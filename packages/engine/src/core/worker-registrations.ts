import { LIMITS, type RegisterFunction, type RegisterTrigger, type RegisterTriggerType, RivuletError } from '@rivulet/protocol';
import type { LogFields, Logger } from '../logging/logger.js';
import type { TriggerProvider } from './fabric.js';
import type { FunctionFabric } from './function-fabric.js';
import type { FunctionOwner } from './function-registry.js';

/** The worker as its registrations need it. */
export interface RegisteringWorker extends FunctionOwner, TriggerProvider {
  readonly workerId: string;
  /** Tells it, as registrant, that a binding failed. */
  sendTriggerError(id: string, type: string, functionId: string, error: { readonly code: string; readonly message: string }): void;
  warnOnce(event: string, cause: string, fields: LogFields): void;
}

/** What one worker connection has registered: functions, triggers, trigger types and services, each bounded. It ends with the connection. */
export class WorkerRegistrations {
  readonly #fabric: FunctionFabric;
  readonly #logger: Logger;
  readonly #worker: RegisteringWorker;
  readonly #functions = new Set<string>();
  readonly #triggers = new Set<string>();
  readonly #triggerTypes = new Set<string>();
  readonly #services = new Set<string>();

  constructor({ fabric, logger }: { readonly fabric: FunctionFabric; readonly logger: Logger }, worker: RegisteringWorker) {
    this.#fabric = fabric;
    this.#logger = logger;
    this.#worker = worker;
  }

  /** Ids of its functions, serving or standing by, sorted. */
  get functionIds(): string[] {
    return [...this.#functions].sort();
  }

  addFunction(message: RegisterFunction): void {
    if (!this.#hasRoom('functions', this.#functions, message.id)) return;
    const outcome = this.#fabric.functions.register({
      id: message.id,
      owner: this.#worker,
      description: message.description,
      requestFormat: message.request_format,
      responseFormat: message.response_format,
      metadata: message.metadata,
      httpInvoked: message.invocation !== undefined,
    });
    if (outcome === 'shadows') {
      this.#logger.warn('function_refused', {
        worker: this.#worker.workerId,
        function: message.id,
        reason: 'the id belongs to the engine',
      });
      return;
    }
    this.#functions.add(message.id);
    if (outcome === 'took_over') this.#logger.warn('function_taken_over', { worker: this.#worker.workerId, function: message.id });
  }

  removeFunction(id: string): void {
    this.#functions.delete(id);
    this.#fabric.functions.unregister(id, this.#worker);
  }

  addTrigger(message: RegisterTrigger): void {
    try {
      if (!this.#hasRoom('triggers', this.#triggers, message.id)) throw tooMany('triggers');
      this.#fabric.triggers.register({
        id: message.id,
        type: message.trigger_type,
        functionId: message.function_id,
        config: message.config,
        metadata: message.metadata,
        workerId: this.#worker.workerId,
      });
      this.#triggers.add(message.id);
    } catch (error) {
      const body = error instanceof RivuletError ? error.toBody() : { code: 'trigger_registration_failed', message: String(error) };
      this.#worker.sendTriggerError(message.id, message.trigger_type, message.function_id, body);
    }
  }

  removeTrigger(id: string): void {
    this.#triggers.delete(id);
    this.#fabric.triggers.unregister(id);
  }

  addTriggerType(message: RegisterTriggerType): void {
    if (!this.#hasRoom('trigger types', this.#triggerTypes, message.id)) return;
    try {
      this.#fabric.triggers.addType({
        id: message.id,
        description: message.description,
        triggerRequestFormat: message.trigger_request_format,
        callRequestFormat: message.call_request_format,
        provider: this.#worker,
        workerId: this.#worker.workerId,
      });
      this.#triggerTypes.add(message.id);
    } catch (error) {
      this.#logger.warn('trigger_type_refused', { worker: this.#worker.workerId, type: message.id, error: String(error) });
    }
  }

  removeTriggerType(id: string): void {
    this.#triggerTypes.delete(id);
    this.#fabric.triggers.removeType(id, this.#worker.workerId);
  }

  /** Services group functions in a catalogue; nothing else is known of them. */
  addService(id: string): void {
    if (this.#hasRoom('services', this.#services, id)) this.#services.add(id);
  }

  /** What a newer connection has registered again is its own and stays. */
  dropFunctions(): void {
    for (const id of this.#functions) this.#fabric.functions.unregister(id, this.#worker);
  }

  /** As `dropFunctions`; separate, because calls end between the two (spec WP §1.9). */
  dropTriggers(): void {
    const { workerId } = this.#worker;
    for (const id of this.#triggers) if (this.#fabric.triggers.binding(id)?.workerId === workerId) this.#fabric.triggers.unregister(id);
    for (const id of this.#triggerTypes) this.#fabric.triggers.removeType(id, workerId);
  }

  #hasRoom(of: string, registered: ReadonlySet<string>, id: string): boolean {
    if (registered.size < LIMITS.registrationsPerWorker || registered.has(id)) return true;
    this.#worker.warnOnce('registration_refused', of, { of, limit: LIMITS.registrationsPerWorker });
    return false;
  }
}

function tooMany(of: string): RivuletError {
  return new RivuletError('trigger_registration_failed', `a connection has at most ${LIMITS.registrationsPerWorker} ${of}`);
}
