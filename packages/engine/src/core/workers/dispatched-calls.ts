import { randomUUID } from 'node:crypto';
import type { ErrorBody, InvocationResult } from '@rivulet/protocol';
import { runSafely } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { PendingCall } from '../fabric/fabric.js';
import { failure, type Outcome } from '../fabric/invocation.js';

type Done = (outcome: Outcome) => void;

/**
 * Calls that one worker is running, by the id that the engine gave each: a caller's own id is never forwarded, so a worker may call
 * itself and nobody can answer for another.
 */
export class DispatchedCalls {
  readonly #logger: Logger;
  readonly #running = new Map<string, Done>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get size(): number {
    return this.#running.size;
  }

  begin(done: Done): { readonly id: string; readonly pending: PendingCall } {
    const id = randomUUID();
    this.#running.set(id, done);
    return { id, pending: { cancel: () => this.#forget(id) } };
  }

  #forget(id: string): void {
    this.#running.delete(id);
  }

  /** Runs the caller's code; what it throws must not end the worker that answered. */
  #end(done: Done, outcome: Outcome): void {
    runSafely(() => done(outcome), this.#logger, 'call_answer');
  }

  /** Late, duplicate and foreign answers are ignored; answers whether this one was awaited. */
  settle(result: InvocationResult): boolean {
    const id = result.invocation_id;
    const done = id === undefined ? undefined : this.#running.get(id);
    if (id === undefined || done === undefined) return false;
    this.#running.delete(id);
    const trace = {
      ...(result.traceparent === undefined ? {} : { traceparent: result.traceparent }),
      ...(result.baggage === undefined ? {} : { baggage: result.baggage }),
    };
    if (result.error !== undefined) this.#end(done, { kind: 'error', error: result.error, origin: 'function', ...trace });
    else this.#end(done, { kind: 'result', text: result.result === undefined ? undefined : JSON.stringify(result.result), ...trace });
    return true;
  }

  /** The worker answered with what can't be read. It will not answer again; answers whether the call was awaited. */
  refuse(invocationId: string, error: ErrorBody): boolean {
    const done = this.#running.get(invocationId);
    if (done === undefined) return false;
    this.#running.delete(invocationId);
    this.#end(done, { kind: 'error', error, origin: 'engine' });
    return true;
  }

  /** The worker is gone: everybody who waits hears of it. */
  fail(): void {
    const waiting = [...this.#running.values()];
    this.#running.clear();
    for (const done of waiting)
      this.#end(done, failure('invocation_stopped', 'the worker that ran the function disconnected before it answered'));
  }
}
