import type { BindingEnded, ErrorBody, Invocation, RegisterTrigger } from '@rivulet/protocol';
import { LIMITS, utf8Length } from '@rivulet/protocol';
import type { SdkErrorCode } from './errors.js';
import type { RegisteredFunction, RegisteredTriggerType } from './registrations.js';
import type { Metadata, TriggerConfig } from './types.js';

export interface ExecutorOptions {
  readonly maxRunning: number;
  readonly maxMessageBytes: number;
  readonly functions: ReadonlyMap<string, RegisteredFunction>;
  readonly triggerTypes: ReadonlyMap<string, RegisteredTriggerType>;
  /** Live ends in the place of references. */
  readonly revive: (data: unknown) => unknown;
  readonly warn: (code: SdkErrorCode, message: string) => void;
}

/** Answers on the connection that the call came by, and nowhere else: on another one nobody waits for it. */
export type Reply = (text: string) => void;

/** Runs handlers for the engine. Nothing that a handler does reaches further than the answer. */
export class Executor {
  readonly #options: ExecutorOptions;
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  /** Resolves when no handler runs. */
  whenIdle(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  invoke(call: Invocation, reply: Reply): void {
    const registered = this.#options.functions.get(call.function_id);
    if (registered === undefined) return this.#refuse(call, reply, 'function_not_found', 'Function not found');
    const { invocable } = registered;
    if (invocable.kind === 'http')
      return this.#refuse(call, reply, 'function_not_invokable', 'Function is HTTP-invoked and cannot be invoked locally');
    if (this.#running >= this.#options.maxRunning)
      return this.#refuse(call, reply, 'OVERLOADED', `the worker runs ${this.#running} handlers; call again later`);
    void this.#track(async () =>
      this.#answer(call, reply, () => invocable.run(this.#options.revive(call.data), call.metadata as Metadata | undefined)),
    );
  }

  bind(frame: RegisterTrigger, reply: Reply): void {
    const provider = this.#options.triggerTypes.get(frame.trigger_type);
    const { id, trigger_type, function_id } = frame;
    const say = (error?: ErrorBody) =>
      reply(
        JSON.stringify({ type: 'triggerregistrationresult', id, trigger_type, function_id, ...(error === undefined ? {} : { error }) }),
      );
    if (provider === undefined) return say({ code: 'trigger_type_not_found', message: 'Trigger type not found' });
    if (this.#running >= this.#options.maxRunning) return say({ code: 'OVERLOADED', message: 'the provider runs as much as it may' });
    void this.#track(async () => {
      try {
        await provider.handler.registerTrigger(bindingOf(frame, function_id));
        say();
      } catch (error) {
        say({ code: 'trigger_registration_failed', message: messageOf(error) });
      }
    });
  }

  unbind(frame: BindingEnded): void {
    const provider = this.#options.triggerTypes.get(frame.trigger_type);
    if (provider === undefined) return;
    void this.#track(async () => {
      try {
        await provider.handler.unregisterTrigger(bindingOf(frame, frame.function_id ?? ''));
      } catch (error) {
        this.#options.warn('invocation_failed', `unregisterTrigger of ${frame.trigger_type} failed: ${messageOf(error)}`);
      }
    });
  }

  async #answer(call: Invocation, reply: Reply, run: () => unknown): Promise<void> {
    let text: string;
    try {
      text = this.#result(call, await run());
    } catch (error) {
      text = this.#error(call, failureOf(error));
      if (call.invocation_id === undefined) this.#options.warn('invocation_failed', `${call.function_id}: ${messageOf(error)}`);
    }
    if (call.invocation_id !== undefined) reply(text);
  }

  #result(call: Invocation, result: unknown): string {
    let text: string;
    try {
      text = JSON.stringify({ ...head(call), result });
    } catch (error) {
      return this.#error(call, { code: 'serialization_error', message: `the result is no JSON: ${messageOf(error)}` });
    }
    const { maxMessageBytes } = this.#options;
    if (text.length * 3 <= maxMessageBytes || utf8Length(text) <= maxMessageBytes) return text;
    return this.#error(call, {
      code: 'RESULT_TOO_LARGE',
      message: `the result is larger than ${maxMessageBytes} bytes; return less, or use a channel`,
    });
  }

  #error(call: Invocation, error: ErrorBody): string {
    return JSON.stringify({ ...head(call), error });
  }

  #refuse(call: Invocation, reply: Reply, code: SdkErrorCode, message: string): void {
    if (call.invocation_id === undefined) this.#options.warn(code, `${call.function_id}: ${message}`);
    else reply(this.#error(call, { code, message }));
  }

  async #track(run: () => Promise<void>): Promise<void> {
    this.#running++;
    try {
      await run();
    } finally {
      this.#running--;
      if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }
}

function head({ invocation_id, function_id, traceparent, baggage }: Invocation): object {
  return { type: 'invocationresult', invocation_id, function_id, traceparent, baggage };
}

function bindingOf(frame: RegisterTrigger | BindingEnded, functionId: string): TriggerConfig<unknown> {
  const metadata = frame.metadata as Metadata | undefined;
  return { id: frame.id, function_id: functionId, config: frame.config, ...(metadata === undefined ? {} : { metadata }) };
}

/** Code units of a stack that go onto the wire. */
const STACK_UNITS = 16_384;

function failureOf(error: unknown): ErrorBody {
  const body = { code: 'invocation_failed', message: messageOf(error) };
  try {
    const stack: unknown = error instanceof Error ? error.stack : undefined;
    return typeof stack === 'string' ? { ...body, stacktrace: stack.slice(0, STACK_UNITS) } : body;
  } catch {
    return body;
  }
}

/** Text of whatever was thrown: a handler may throw what has no text, or fails itself when it is looked at. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, LIMITS.workerLogChars);
  } catch {
    return 'a value without a text';
  }
}
