import type { BindingEnded, ErrorBody, RegisterTrigger } from '@rivulet/protocol';
import { messageOf, type SdkErrorCode } from '../api/errors.js';
import type { Metadata, TriggerConfig } from '../api/types.js';
import type { RegisteredTriggerType } from './registrations.js';
import { errorBodyOf } from './thrown.js';

/** The most bindings that the providers of one worker know. */
const MOST_BINDINGS = 100_000;

export interface BindingsOptions {
  readonly triggerTypes: ReadonlyMap<string, RegisteredTriggerType>;
  /** Whether another handler may run now. */
  readonly mayRun: () => boolean;
  /** Runs the code of a provider, as a handler. */
  readonly run: (step: () => Promise<void>) => void;
  readonly warn: (code: SdkErrorCode, message: string) => void;
}

/** A binding that a provider has accepted. */
interface AcceptedBinding {
  readonly provider: RegisteredTriggerType;
  readonly config: TriggerConfig<unknown>;
  /** The binding as it came, as JSON. The provider may change the object that it got. */
  readonly text: string;
}

interface Binding {
  accepted: AcceptedBinding | undefined;
  /** Whether the engine has announced the binding on this connection. */
  announced: boolean;
  /** The end of the last step. The steps of one binding run one after another. */
  last: Promise<void>;
  /** The number of steps that have not ended. */
  steps: number;
}

/**
 * The bindings that the providers of this worker know. They outlive connections. The engine announces all bindings on each new connection.
 * It does not report the bindings that ended in between, so `settle` ends those that were not announced.
 */
export class Bindings {
  readonly #options: BindingsOptions;
  readonly #bindings = new Map<string, Binding>();

  constructor(options: BindingsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#bindings.size;
  }

  /** Calls the provider for a binding, unless it has accepted the same binding before. `say` answers the engine. */
  begin(frame: RegisterTrigger, say: (error?: ErrorBody) => void): void {
    const provider = this.#options.triggerTypes.get(frame.trigger_type);
    if (provider === undefined) return say({ code: 'trigger_type_not_found', message: 'Trigger type not found' });
    if (!this.#options.mayRun()) return say({ code: 'OVERLOADED', message: 'the provider runs as much as it may' });
    const key = keyOf(frame);
    if (this.#bindings.size >= MOST_BINDINGS && !this.#bindings.has(key))
      return say({ code: 'OVERLOADED', message: `the provider has ${MOST_BINDINGS} bindings` });
    const { id, function_id, config, metadata } = frame;
    const text = JSON.stringify([function_id, config, metadata]);
    const binding = this.#bindings.get(key) ?? { accepted: undefined, announced: true, last: Promise.resolve(), steps: 0 };
    this.#bindings.set(key, binding);
    binding.announced = true;
    this.#then(key, binding, async () => {
      if (binding.accepted?.provider === provider && binding.accepted.text === text) return say();
      await this.#endOf(binding);
      const given = { id, function_id, config, ...(metadata === undefined ? {} : { metadata: metadata as Metadata }) };
      try {
        await provider.handler.registerTrigger(given);
        binding.accepted = { provider, config: given, text };
        say();
      } catch (error) {
        say(bindingError(error));
      }
    });
  }

  end(frame: BindingEnded): void {
    const key = keyOf(frame);
    const binding = this.#bindings.get(key);
    if (binding === undefined) return;
    binding.announced = false;
    this.#then(key, binding, () => this.#endOf(binding));
  }

  /** Forgets the bindings of a provider that the application has unregistered. */
  forget(provider: RegisteredTriggerType): void {
    for (const [key, { accepted }] of this.#bindings) if (accepted?.provider === provider) this.#bindings.delete(key);
  }

  /** Marks all bindings as not announced, because the connection is lost. */
  lost(): void {
    for (const binding of this.#bindings.values()) binding.announced = false;
  }

  /** Ends the bindings that the engine has not announced on this connection. Call it when the engine has announced all of them. */
  settle(): void {
    for (const [key, binding] of this.#bindings) if (!binding.announced) this.#then(key, binding, () => this.#endOf(binding));
  }

  async #endOf(binding: Binding): Promise<void> {
    const { accepted } = binding;
    if (accepted === undefined) return;
    binding.accepted = undefined;
    try {
      await accepted.provider.handler.unregisterTrigger(accepted.config);
    } catch (error) {
      this.#options.warn('invocation_failed', `unregisterTrigger for ${accepted.config.function_id} failed: ${messageOf(error)}`);
    }
  }

  #then(key: string, binding: Binding, step: () => Promise<void>): void {
    binding.steps++;
    binding.last = binding.last.then(step).finally(() => {
      binding.steps--;
      if (binding.steps === 0 && binding.accepted === undefined && this.#bindings.get(key) === binding) this.#bindings.delete(key);
    });
    const { last } = binding;
    this.#options.run(() => last);
  }
}

/** Returns the error of a refused binding. The engine sends it to the worker that registered the trigger. */
function bindingError(error: unknown): ErrorBody {
  const { code, message } = errorBodyOf(error, 'trigger_registration_failed');
  return { code, message };
}

function keyOf({ trigger_type, id }: RegisterTrigger | BindingEnded): string {
  return JSON.stringify([trigger_type, id]);
}
