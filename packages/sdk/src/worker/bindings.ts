import type { BindingEnded, ErrorBody, RegisterTrigger } from '@rivulet/protocol';
import { messageOf, type SdkErrorCode } from '../api/errors.js';
import type { Metadata, TriggerConfig } from '../api/types.js';
import type { RegisteredTriggerType } from './registrations.js';
import { errorBodyOf } from './thrown.js';

/** Bindings that the providers of one worker know. */
const MOST_BINDINGS = 100_000;

export interface BindingsOptions {
  readonly triggerTypes: ReadonlyMap<string, RegisteredTriggerType>;
  /** Whether another handler may run now. */
  readonly mayRun: () => boolean;
  /** Runs the code of a provider, as a handler. */
  readonly run: (step: () => Promise<void>) => void;
  readonly warn: (code: SdkErrorCode, message: string) => void;
}

/** What a provider was told of a binding. */
interface Told {
  readonly provider: RegisteredTriggerType;
  readonly config: TriggerConfig<unknown>;
  /** As it came: the provider may change what it got. */
  readonly text: string;
}

interface Binding {
  told: Told | undefined;
  /** By the engine on the connection of the moment. */
  announced: boolean;
  /** The provider hears of one binding one thing after another, however long each takes. */
  last: Promise<void>;
  /** Of the chain that ends with `last`. */
  steps: number;
}

/**
 * The bindings that the providers of this worker know. It outlives connections: the engine announces all bindings on each new one, and says
 * nothing of those that ended in between.
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

  /** Tells the provider, unless it knows; `say` answers the engine. */
  begin(frame: RegisterTrigger, say: (error?: ErrorBody) => void): void {
    const provider = this.#options.triggerTypes.get(frame.trigger_type);
    if (provider === undefined) return say({ code: 'trigger_type_not_found', message: 'Trigger type not found' });
    if (!this.#options.mayRun()) return say({ code: 'OVERLOADED', message: 'the provider runs as much as it may' });
    const key = keyOf(frame);
    if (this.#bindings.size >= MOST_BINDINGS && !this.#bindings.has(key))
      return say({ code: 'OVERLOADED', message: `the provider has ${MOST_BINDINGS} bindings` });
    const { id, function_id, config, metadata } = frame;
    const text = JSON.stringify([function_id, config, metadata]);
    const binding = this.#bindings.get(key) ?? { told: undefined, announced: true, last: Promise.resolve(), steps: 0 };
    this.#bindings.set(key, binding);
    binding.announced = true;
    this.#then(key, binding, async () => {
      if (binding.told?.provider === provider && binding.told.text === text) return say();
      await this.#endOf(binding);
      const given = { id, function_id, config, ...(metadata === undefined ? {} : { metadata: metadata as Metadata }) };
      try {
        await provider.handler.registerTrigger(given);
        binding.told = { provider, config: given, text };
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

  /** The provider is gone, and with it all that it knew. */
  forget(provider: RegisteredTriggerType): void {
    for (const [key, { told }] of this.#bindings) if (told?.provider === provider) this.#bindings.delete(key);
  }

  /** The connection is lost: what the next one does not announce has ended. */
  lost(): void {
    for (const binding of this.#bindings.values()) binding.announced = false;
  }

  /** Everything that is there has been announced: the provider is told of the end of the rest. */
  settle(): void {
    for (const [key, binding] of this.#bindings) if (!binding.announced) this.#then(key, binding, () => this.#endOf(binding));
  }

  async #endOf(binding: Binding): Promise<void> {
    const { told } = binding;
    if (told === undefined) return;
    binding.told = undefined;
    try {
      await told.provider.handler.unregisterTrigger(told.config);
    } catch (error) {
      this.#options.warn('invocation_failed', `unregisterTrigger for ${told.config.function_id} failed: ${messageOf(error)}`);
    }
  }

  #then(key: string, binding: Binding, step: () => Promise<void>): void {
    binding.steps++;
    binding.last = binding.last.then(step).finally(() => {
      binding.steps--;
      if (binding.steps === 0 && binding.told === undefined && this.#bindings.get(key) === binding) this.#bindings.delete(key);
    });
    const { last } = binding;
    this.#options.run(() => last);
  }
}

/** The engine sends it to whoever registered the trigger. */
function bindingError(error: unknown): ErrorBody {
  const { code, message } = errorBodyOf(error, 'trigger_registration_failed');
  return { code, message };
}

function keyOf({ trigger_type, id }: RegisterTrigger | BindingEnded): string {
  return JSON.stringify([trigger_type, id]);
}
