import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { engineTriggerConfig } from '../contracts/engine-schemas.js';
import type { Fabric, TriggerBinding } from '../fabric/fabric.js';
import { JsonPayload } from '../fabric/invocation.js';
import type { WorkersEvent } from '../workers/worker-registry.js';
import { EventFeed } from './event-feed.js';

/**
 * Milliseconds for which changes are collected before one event reports them. Registrations, and announcements of one worker, come in
 * bursts.
 */
const DEBOUNCE_MS = 100;
const FIRINGS_PER_TURN = 64;

/** The engine's own trigger types. They report which functions can be called and which workers are connected (spec WP §1.10). */
export class EngineEvents {
  readonly #rows: (workerId: string | undefined) => readonly unknown[];
  readonly #functions: EventFeed;
  readonly #workers: EventFeed;
  #functionsTimer: NodeJS.Timeout | undefined;
  #announcedTimer: NodeJS.Timeout | undefined;
  /** Workers whose announcement was reported within the last `DEBOUNCE_MS`, and those among them that have announced themselves again. */
  #announced = new Set<string>();
  #again = new Set<string>();

  /** `rows` returns the rows of engine::functions::list for a worker at that moment. */
  constructor(fabric: Fabric, logger: Logger, rows: (workerId: string | undefined) => readonly unknown[]) {
    this.#rows = rows;
    // Each event holds the complete list, so only the latest counts. The lists are long, so one firing fills a turn.
    this.#functions = new EventFeed({ fabric, logger, kept: 1, firingsPerTurn: 1 });
    this.#workers = new EventFeed({ fabric, logger, kept: LIMITS.workerEvents, firingsPerTurn: FIRINGS_PER_TURN });
    fabric.provideTriggerType(
      'engine::functions-available',
      'Fires when functions are added or removed.',
      this.#functions,
      engineTriggerConfig,
    );
    fabric.provideTriggerType(
      'engine::workers-available',
      'Fires when workers connect, announce themselves or disconnect.',
      this.#workers,
      engineTriggerConfig,
    );
  }

  functionsChanged(): void {
    if (this.#functionsTimer !== undefined) return;
    this.#functionsTimer = setTimeout(() => {
      this.#functionsTimer = undefined;
      this.#functions.publish(this.#functionsEvent());
    }, DEBOUNCE_MS);
    this.#functionsTimer.unref();
  }

  workersChanged(event: WorkersEvent, workerId: string): void {
    if (event === 'worker_metadata_updated') {
      this.#workerAnnounced(workerId);
      return;
    }
    if (event === 'worker_disconnected') this.#again.delete(workerId);
    this.#report(event, workerId);
  }

  close(): void {
    clearTimeout(this.#functionsTimer);
    clearTimeout(this.#announcedTimer);
    this.#functionsTimer = undefined;
    this.#functions.close();
    this.#workers.close();
  }

  /** The event writes its list once for all bindings of a worker. The feed fires those in sequence. */
  #functionsEvent(): (binding: TriggerBinding) => JsonPayload {
    let latest: { readonly workerId: string | undefined; readonly payload: JsonPayload } | undefined;
    return ({ workerId }) => {
      if (latest === undefined || latest.workerId !== workerId) {
        const event = { event: 'functions_changed', functions: this.#rows(workerId) };
        latest = { workerId, payload: JsonPayload.ofText(JSON.stringify(event)) };
      }
      return latest.payload;
    };
  }

  #workerAnnounced(workerId: string): void {
    if (this.#announced.has(workerId)) {
      this.#again.add(workerId);
      return;
    }
    this.#announced.add(workerId);
    this.#report('worker_metadata_updated', workerId);
    this.#announcedTimer ??= setTimeout(() => this.#announceAgain(), DEBOUNCE_MS).unref();
  }

  #announceAgain(): void {
    this.#announcedTimer = undefined;
    const again = this.#again;
    this.#announced = new Set();
    this.#again = new Set();
    for (const workerId of again) this.#workerAnnounced(workerId);
  }

  #report(event: WorkersEvent, workerId: string): void {
    if (this.#workers.empty) return;
    const payload = JsonPayload.ofValue({ event, worker_id: workerId });
    this.#workers.publish(() => payload);
  }
}
