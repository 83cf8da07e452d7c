import { timingSafeEqual } from 'node:crypto';
import { LIMITS } from '@rivulet/protocol';
import { DEFAULT_NAMESPACE } from '../fabric/function-registry.js';

export type WorkersEvent = 'worker_connected' | 'worker_disconnected' | 'worker_metadata_updated';

/** A connected worker. */
export interface RegisteredWorker {
  readonly workerId: string;
  readonly namespace: string;
  /** Secret of the session. A new connection that presents it takes the place of this one. */
  readonly reattachToken: string;
  /** Ends the session and removes everything that it registered. */
  retire(): void;
}

/** The workers that are connected now, by their id. */
export class WorkerRegistry<Worker extends RegisteredWorker> {
  readonly #sessions = new Map<string, Worker>();
  readonly #onEvent: (event: WorkersEvent, workerId: string) => void;

  constructor(onEvent: (event: WorkersEvent, workerId: string) => void) {
    this.#onEvent = onEvent;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get(workerId: string): Worker | undefined {
    return this.#sessions.get(workerId);
  }

  sessions(): Worker[] {
    return [...this.#sessions.values()];
  }

  add(session: Worker): void {
    this.#sessions.set(session.workerId, session);
    this.#onEvent('worker_connected', session.workerId);
  }

  remove(session: Worker): void {
    if (this.#sessions.delete(session.workerId)) this.#onEvent('worker_disconnected', session.workerId);
  }

  /** Returns whether a worker may belong to a namespace. The number of namespaces is bounded by `LIMITS.namespaces`. */
  mayOpen(namespace: string): boolean {
    if (namespace === DEFAULT_NAMESPACE) return true;
    const open = new Set<string>();
    for (const session of this.#sessions.values()) open.add(session.namespace);
    open.delete(DEFAULT_NAMESPACE);
    return open.has(namespace) || open.size < LIMITS.namespaces;
  }

  announced(session: Worker): void {
    this.#onEvent('worker_metadata_updated', session.workerId);
  }

  /**
   * Retires the old connection of a worker that came back, and returns it. The old connection ends completely before anything else of the
   * new one takes effect. A wrong token has no effect (spec WP §1.4).
   */
  reattach(by: Worker, previousId: string, token: string | undefined): Worker | undefined {
    const previous = this.#sessions.get(previousId);
    if (previous === undefined || previous === by || token === undefined) return undefined;
    const expected = Buffer.from(previous.reattachToken);
    const given = Buffer.from(token);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    previous.retire();
    return previous;
  }
}
