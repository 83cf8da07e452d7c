import type { ErrorBody, Invocation, RegisterTrigger } from '@rivulet/protocol';
import { utf8Length } from '@rivulet/protocol';
import { messageOf, type SdkErrorCode } from '../api/errors.js';
import type { Metadata } from '../api/types.js';
import { Bindings } from './bindings.js';
import { callerOf, inputOf } from './caller.js';
import type { RegisteredFunction, RegisteredTriggerType } from './registrations.js';
import { errorBodyOf } from './thrown.js';

export interface ExecutorOptions {
  readonly maxRunning: number;
  readonly maxMessageBytes: number;
  readonly functions: ReadonlyMap<string, RegisteredFunction>;
  readonly triggerTypes: ReadonlyMap<string, RegisteredTriggerType>;
  /** Replaces the channel references in a payload by live ends. */
  readonly revive: (data: unknown) => unknown;
  readonly warn: (code: SdkErrorCode, message: string) => void;
}

/** Sends an answer on the connection of the call. On another connection nobody waits for it. */
export type Reply = (text: string) => void;

/** Runs handlers for the engine. A handler that fails affects only its own answer. */
export class Executor {
  readonly #options: ExecutorOptions;
  /** The bindings that the providers of this worker know. */
  readonly bindings: Bindings;
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.bindings = new Bindings({
      triggerTypes: options.triggerTypes,
      mayRun: () => this.#running < options.maxRunning,
      run: (step) => this.#track(step),
      warn: options.warn,
    });
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
    this.#track(async () =>
      this.#answer(call, reply, () =>
        invocable.run(this.#options.revive(inputOf(call)), call.metadata as Metadata | undefined, { caller: callerOf(call) }),
      ),
    );
  }

  bind(frame: RegisterTrigger, reply: Reply): void {
    const { id, trigger_type, function_id } = frame;
    this.bindings.begin(frame, (error) =>
      reply(
        JSON.stringify({ type: 'triggerregistrationresult', id, trigger_type, function_id, ...(error === undefined ? {} : { error }) }),
      ),
    );
  }

  async #answer(call: Invocation, reply: Reply, run: () => unknown): Promise<void> {
    let text: string;
    try {
      text = this.#result(call, await run());
    } catch (error) {
      text = this.#error(call, errorBodyOf(error, 'invocation_failed'));
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

  /** Counts a run until it ends. The steps send their own answers. Any other failure is reported with `warn`. */
  #track(run: () => Promise<void>): void {
    this.#count(run).catch((error: unknown) => this.#options.warn('invocation_failed', messageOf(error)));
  }

  async #count(run: () => Promise<void>): Promise<void> {
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
