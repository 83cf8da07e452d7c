import {
  isJsonObject,
  isRegistryId,
  type JsonObject,
  optionalField,
  parseJson,
  type RegisterFunction,
  type RegisterTrigger,
  type RegisterTriggerType,
  stringField,
} from '@rivulet/protocol';
import type { RbacConfig } from '../../../config/config.js';
import type { Fabric } from '../../fabric/fabric.js';
import { JsonPayload } from '../../fabric/invocation.js';
import { refuses } from './auth-answer.js';

export type HookOutcome<Message> =
  /** The registration as the hook changed it. */
  { readonly kind: 'allowed'; readonly message: Message } | { readonly kind: 'denied'; readonly reason: string };

/**
 * Calls the hooks of a listener. They see each registration of a guest before it takes effect. A hook that returns an object allows it, and
 * anything else denies it (spec RB §5.5).
 */
export class RegistrationHooks {
  readonly #fabric: Fabric;
  readonly #rbac: RbacConfig;

  constructor(fabric: Fabric, rbac: RbacConfig) {
    this.#fabric = fabric;
    this.#rbac = rbac;
  }

  /**
   * Returns the hook's decision; `undefined` when the listener has no such hook. The two methods below do the same for triggers and trigger
   * types.
   */
  onFunction(message: RegisterFunction, context: unknown): Promise<HookOutcome<RegisterFunction>> | undefined {
    const { id, description, metadata } = message;
    const input = { function_id: id, description, metadata, context };
    return this.#callHook(this.#rbac.onFunctionRegistration, input, (result) => ({
      ...message,
      id: changedId(result, 'function_id', id),
      description: changedText(result, 'description') ?? description,
      metadata: optionalField(result, 'metadata') ?? metadata,
    }));
  }

  onTriggerType(message: RegisterTriggerType, context: unknown): Promise<HookOutcome<RegisterTriggerType>> | undefined {
    const { id, description } = message;
    const input = { trigger_type_id: id, description, context };
    return this.#callHook(this.#rbac.onTriggerTypeRegistration, input, (result) => ({
      ...message,
      id: changedId(result, 'trigger_type_id', id),
      description: changedText(result, 'description') ?? description,
    }));
  }

  onTrigger(message: RegisterTrigger, context: unknown): Promise<HookOutcome<RegisterTrigger>> | undefined {
    const { id, trigger_type, function_id, config, metadata } = message;
    const input = { trigger_id: id, trigger_type, function_id, config, ...(metadata === undefined ? {} : { metadata }), context };
    return this.#callHook(this.#rbac.onTriggerRegistration, input, (result) => ({
      ...message,
      id: changedId(result, 'trigger_id', id),
      trigger_type: changedId(result, 'trigger_type', trigger_type),
      function_id: changedId(result, 'function_id', function_id),
      config: changedConfig(result) ?? config,
    }));
  }

  #callHook<Message>(
    functionId: string | undefined,
    input: JsonObject,
    apply: (result: JsonObject) => Message,
  ): Promise<HookOutcome<Message>> | undefined {
    if (functionId === undefined) return undefined;
    const call = { functionId, payload: JsonPayload.ofValue(input), deciding: true };
    return this.#fabric.request(call, this.#rbac.hookTimeoutMs).then((outcome) => {
      if (outcome.kind === 'timeout') return { kind: 'denied', reason: 'the hook did not answer in time' };
      if (outcome.kind === 'error') return { kind: 'denied', reason: `the hook failed: ${outcome.error.code}` };
      const result: unknown = outcome.text === undefined ? undefined : parseJson(outcome.text);
      if (!isJsonObject(result)) return { kind: 'denied', reason: 'the hook did not answer with an object' };
      if (refuses(result)) return { kind: 'denied', reason: 'the hook answered unauthorized' };
      try {
        return { kind: 'allowed', message: apply(result) };
      } catch (error) {
        if (!(error instanceof WrongAnswer)) throw error;
        return { kind: 'denied', reason: `the hook answered with a wrong ${error.message}` };
      }
    });
  }
}

class WrongAnswer extends Error {}

function changedId(result: JsonObject, key: string, before: string): string {
  const id = optionalField(result, key) ?? before;
  if (typeof id !== 'string' || id === '' || !isRegistryId(id)) throw new WrongAnswer(key);
  return id;
}

function changedText(result: JsonObject, key: string): string | undefined {
  if (optionalField(result, key) !== undefined && stringField(result, key) === undefined) throw new WrongAnswer(key);
  return stringField(result, key);
}

function changedConfig(result: JsonObject): JsonObject | undefined {
  const config = optionalField(result, 'config');
  if (config !== undefined && !isJsonObject(config)) throw new WrongAnswer('config');
  return config;
}
