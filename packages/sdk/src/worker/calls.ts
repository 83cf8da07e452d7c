import type { InvocationAnswer } from '@rivulet/protocol';
import { InvocationError, type SdkErrorCode, sdkError } from '../api/errors.js';

interface Pending {
  readonly functionId: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: InvocationError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
  /** Handed to a socket: if that one is lost, nobody will answer. */
  sent: boolean;
}

/** Calls of this worker that wait for their answers. */
export class Calls {
  readonly #pending = new Map<string, Pending>();
  readonly #noConnection: () => string;

  /** `noConnection` says why what was not sent was not. */
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

  /** An answer to no call of ours, or to one that has failed, means nothing. */
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

  /** The calls that went out on the connection that was lost; those in the queue are not among them. */
  failSent(message: string): void {
    for (const [id, { sent }] of this.#pending) if (sent) this.fail(id, 'CONNECTION_LOST', message);
  }

  /** Those that still waited in the queue have gone out with it. */
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
