import { LIMITS, RivuletError } from '@rivulet/protocol';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { Fabric, TriggerBinding, TriggerProvider } from '../fabric/fabric.js';
import type { JsonPayload } from '../fabric/invocation.js';

const OVERFLOW_LOG_MS = 60_000;
/** Milliseconds of work from which on a turn is followed by a pause. */
const LONG_MS = 5;

/** Returns the payload of an event for one binding. The feed calls it for all bindings of a worker in sequence. */
type Event = (binding: TriggerBinding) => JsonPayload;

interface Watcher {
  readonly binding: TriggerBinding;
  /** Number of the next event for the binding, counted from the first event. */
  next: number;
  running: boolean;
}

export interface FeedOptions {
  readonly fabric: Fabric;
  readonly logger: Logger;
  /** Events that are kept for slow bindings. A new event replaces the oldest. */
  readonly kept: number;
  /** Firings in one turn of the event loop. A turn that took long is followed by a pause of the same length. */
  readonly firingsPerTurn: number;
}

/**
 * Bindings of a trigger type of the engine. Each binding is a cursor into the latest events, so waiting events cost the same for one
 * binding and for thousands.
 *
 * A binding gets its events in order, one at a time, each at most once. A binding that falls behind loses the oldest events. The log
 * reports that, unless only the latest event counts (`kept: 1`).
 */
export class EventFeed implements TriggerProvider {
  readonly #options: FeedOptions;
  readonly #watchers = new Map<string, Watcher>();
  /** Bindings by worker. Durable bindings are under `undefined`. */
  readonly #ofWorker = new Map<string | undefined, Set<Watcher>>();
  /** Workers with bindings that may have events to get. */
  readonly #due = new Set<string | undefined>();
  #events: Event[] = [];
  /** Count of all events. */
  #end = 0;
  #turn: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #pauseMs = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** True when there are no bindings. */
  get empty(): boolean {
    return this.#watchers.size === 0;
  }

  /** Adds a binding. Throws `trigger_registration_failed` when its worker has too many. */
  register(binding: TriggerBinding): void {
    this.unregister(binding);
    const { id, workerId, type } = binding;
    const others = this.#ofWorker.get(workerId) ?? new Set();
    if (workerId !== undefined && others.size >= LIMITS.engineTriggersPerWorker) {
      const text = `a connection has at most ${LIMITS.engineTriggersPerWorker} triggers of type ${type}; let one function notify the others`;
      throw new RivuletError('trigger_registration_failed', text);
    }
    const watcher = { binding, next: this.#end, running: false };
    this.#watchers.set(id, watcher);
    this.#ofWorker.set(workerId, others.add(watcher));
  }

  unregister({ id }: TriggerBinding): void {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return;
    this.#watchers.delete(id);
    const { workerId } = watcher.binding;
    const others = this.#ofWorker.get(workerId);
    others?.delete(watcher);
    if (others?.size === 0) this.#ofWorker.delete(workerId);
  }

  publish(event: Event): void {
    if (this.empty) return;
    this.#events.push(event);
    if (this.#events.length > this.#options.kept) this.#events.shift();
    this.#end++;
    for (const workerId of this.#ofWorker.keys()) this.#due.add(workerId);
    this.#schedule();
  }

  /** Removes all bindings and events. */
  close(): void {
    this.#watchers.clear();
    this.#ofWorker.clear();
    this.#due.clear();
    this.#events = [];
  }

  #schedule(): void {
    if (this.#due.size === 0 || this.#turn !== undefined) return;
    const take = () => this.#takeTurn();
    this.#turn = this.#pauseMs < LONG_MS ? setImmediate(take) : setTimeout(take, this.#pauseMs).unref();
  }

  #takeTurn(): void {
    this.#turn = undefined;
    const begin = performance.now();
    this.#fireSome();
    this.#pauseMs = performance.now() - begin;
    this.#schedule();
  }

  #fireSome(): void {
    let left = this.#options.firingsPerTurn;
    for (const workerId of this.#due) {
      for (const watcher of this.#ofWorker.get(workerId) ?? []) {
        if (watcher.running || watcher.next >= this.#end) continue;
        if (left-- === 0) return;
        runInBackground(this.#fire(watcher), this.#options.logger, 'engine_event');
      }
      this.#due.delete(workerId);
    }
  }

  async #fire(watcher: Watcher): Promise<void> {
    const oldest = this.#end - this.#events.length;
    if (watcher.next < oldest) this.#skip(watcher, oldest);
    const event = this.#events[watcher.next - oldest];
    if (event === undefined) return;
    watcher.next++;
    watcher.running = true;
    const { binding } = watcher;
    try {
      await this.#options.fabric.fire(binding, event(binding));
    } finally {
      watcher.running = false;
    }
    if (watcher.next >= this.#end || this.#watchers.get(binding.id) !== watcher) return;
    this.#due.add(binding.workerId);
    this.#schedule();
  }

  #skip(watcher: Watcher, to: number): void {
    const dropped = to - watcher.next;
    watcher.next = to;
    const now = performance.now();
    if (this.#options.kept === 1 || now - this.#loggedAt < OVERFLOW_LOG_MS) return;
    this.#loggedAt = now;
    const { id, functionId } = watcher.binding;
    this.#options.logger.warn('trigger_overflow', { trigger: id, function: functionId, dropped });
  }
}
