import type { InvocationAnswer } from '@rivulet/protocol';
import { InvocationError, type SdkErrorCode, sdkError } from '../api/errors.js';

interface Pending {
  readonly functionId: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: InvocationError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
  /** Whether the call was handed to a socket. If that socket is lost, no answer comes. */
  sent: boolean;
}

/** The calls of this worker that wait for their answers. */
export class Calls {
  readonly #pending = new Map<string, Pending>();
  readonly #noConnection: () => string;

  /** `noConnection` returns why there is no connection, for the error of a call that was never sent. */
  constructor(noConnection: () => string) {
    this.#noConnection = noConnection;
  }

  get size(): number {
    return this.#pending.size;
  }

  has(id: string): boolean {
    return this.#pending.has(id);
  }

  open(id: string, functionId: string, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#late(id, timeoutMs), timeoutMs);
      this.#pending.set(id, { functionId, resolve, reject, timer, sent: false });
    });
  }

  markSent(id: string): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) pending.sent = true;
  }

  /** Settles a call. An answer to an unknown call, or to a call that has failed, is ignored. */
  answer({ invocation_id, result, error }: InvocationAnswer): void {
    const pending = this.#take(invocation_id);
    if (pending === undefined) return;
    if (error === undefined) pending.resolve(result);
    else pending.reject(new InvocationError({ ...error, function_id: pending.functionId }));
  }

  fail(id: string, code: SdkErrorCode, message: string): void {
    const pending = this.#take(id);
    pending?.reject(sdkError(code, message, pending.functionId));
  }

  /** Fails the calls that were sent on the lost connection. The calls in the queue go on waiting. */
  failSent(message: string): void {
    for (const [id, { sent }] of this.#pending) if (sent) this.fail(id, 'CONNECTION_LOST', message);
  }

  /** Marks all calls as sent, because the queue has been sent. */
  markAllSent(): void {
    for (const pending of this.#pending.values()) pending.sent = true;
  }

  failAll(code: SdkErrorCode, message: string): void {
    for (const id of this.#pending.keys()) this.fail(id, code, message);
  }

  #late(id: string, timeoutMs: number): void {
    const why = this.#pending.get(id)?.sent === false ? `; not sent: ${this.#noConnection()}` : '';
    this.fail(id, 'TIMEOUT', `invocation timed out after ${timeoutMs}ms${why}`);
  }

  #take(id: string): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    return pending;
  }
}
