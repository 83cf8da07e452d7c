import type {
  FunctionHandler,
  HttpInvocationConfig,
  RegisterFunctionOptions,
  RegisterServiceInput,
  RegisterTriggerInput,
  RegisterTriggerTypeInput,
  TriggerHandler,
} from '../api/types.js';

export type Invocable =
  | { readonly kind: 'handler'; readonly run: FunctionHandler }
  | { readonly kind: 'http'; readonly config: HttpInvocationConfig };

export interface RegisteredFunction {
  readonly invocable: Invocable;
  readonly frame: string;
}

export interface RegisteredTrigger {
  readonly type: string;
  readonly frame: string;
}

export interface RegisteredTriggerType {
  readonly handler: TriggerHandler<unknown>;
  readonly frame: string;
}

/**
 * The registrations of this worker, which it sends again on every connection. Each is kept as the text of its frame, so later changes of
 * the objects of the application have no effect.
 */
export class Registrations {
  readonly functions = new Map<string, RegisteredFunction>();
  readonly triggers = new Map<string, RegisteredTrigger>();
  readonly triggerTypes = new Map<string, RegisteredTriggerType>();
  readonly services = new Map<string, { readonly frame: string }>();

  /** Returns the frames of all registrations. No frame names a registration that comes after it. */
  *frames(): Generator<string> {
    for (const registered of [this.triggerTypes, this.services, this.functions, this.triggers])
      for (const { frame } of registered.values()) yield frame;
  }
}

export function functionFrame(id: string, options: RegisterFunctionOptions, invocable: Invocable): object {
  return { type: 'registerfunction', id, ...options, ...(invocable.kind === 'http' ? { invocation: invocable.config } : {}) };
}

export function triggerFrame(id: string, { type, ...trigger }: RegisterTriggerInput): object {
  return { type: 'registertrigger', id, trigger_type: type, ...trigger };
}

export function triggerTypeFrame(input: RegisterTriggerTypeInput): object {
  return { type: 'registertriggertype', ...input };
}

export function serviceFrame(service: RegisterServiceInput): object {
  return { type: 'registerservice', ...service, name: service.name ?? service.id };
}
