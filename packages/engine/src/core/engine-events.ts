import type { Fabric, TriggerBinding, TriggerProvider } from './fabric.js';
import { JsonPayload } from './invocation.js';
import type { WorkersEvent } from './worker-registry.js';

/** Registrations come in bursts; the list of functions is told once after this many milliseconds of them. */
const DEBOUNCE_MS = 100;

class Bindings implements TriggerProvider {
  readonly all = new Map<string, TriggerBinding>();

  register(binding: TriggerBinding): void {
    this.all.set(binding.id, binding);
  }

  unregister(binding: TriggerBinding): void {
    this.all.delete(binding.id);
  }
}

/** The engine's own trigger types: who can be called, and who is connected (spec WP §1.10). */
export class EngineEvents {
  readonly #fabric: Fabric;
  readonly #rows: (workerId: string | undefined) => readonly unknown[];
  readonly #functions = new Bindings();
  readonly #workers = new Bindings();
  #timer: NodeJS.Timeout | undefined;

  /** `rows`: what engine::functions::list shows that worker at that moment. */
  constructor(fabric: Fabric, rows: (workerId: string | undefined) => readonly unknown[]) {
    this.#fabric = fabric;
    this.#rows = rows;
    fabric.provideTriggerType('engine::functions-available', 'Fires when functions come or go.', this.#functions);
    fabric.provideTriggerType('engine::workers-available', 'Fires when workers come, announce themselves or go.', this.#workers);
  }

  functionsChanged(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      for (const binding of this.#functions.all.values()) {
        const event = { event: 'functions_changed', functions: this.#rows(binding.workerId) };
        // fire never rejects and logs its own failures.
        void this.#fabric.fire(binding, JsonPayload.ofValue(event));
      }
    }, DEBOUNCE_MS);
    this.#timer.unref();
  }

  workersChanged(event: WorkersEvent, workerId: string): void {
    this.#fire(this.#workers, () => ({ event, worker_id: workerId }));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fire(bindings: Bindings, describe: () => unknown): void {
    if (bindings.all.size === 0) return;
    const payload = JsonPayload.ofValue(describe());
    // fire never rejects and logs its own failures.
    for (const binding of bindings.all.values()) void this.#fabric.fire(binding, payload);
  }
}
