import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Clock } from '../../structures/clock.js';
import { RefusedCredentials } from './refused-credentials.js';
import { Turns, type TurnTaker } from './turns.js';

export interface AuthCallsOptions {
  /** Name of the listener in logs: `worker` or `stream`. */
  readonly listener: string;
  /** Milliseconds that a call may wait for its turn. */
  readonly waitMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Records how the auth function judged a credential, for later requests with the same credential. */
export interface CredentialMemory {
  /** Records that the auth function refused. It would refuse the same credential again. */
  refused(): void;
  /** Records that the auth function failed. This record expires sooner. */
  failed(): void;
}

export type AuthCallResult<T> =
  | { readonly kind: 'answered'; readonly answer: T }
  /** The credential was refused recently, so the auth function was not called. */
  | { readonly kind: 'refused' }
  /** Too many calls wait, or this one waited too long, or its client has left. */
  | { readonly kind: 'busy' };

/**
 * Calls the auth function of one listener, at most `LIMITS.authQuestions` times at once. Further calls wait, and the addresses of their
 * clients take turns. No request is refused because of its address. A credential that was refused is refused again without a call.
 */
export class AuthCalls {
  readonly #options: AuthCallsOptions;
  readonly #refused: RefusedCredentials;
  readonly #turns: Turns;
  readonly #full: RepeatedLine;
  readonly #again: RepeatedLine;

  constructor(options: AuthCallsOptions) {
    this.#options = options;
    this.#refused = new RefusedCredentials(LIMITS.authRefused, options.clock);
    this.#full = new RepeatedLine(options.clock);
    this.#again = new RepeatedLine(options.clock);
    const { waitMs } = options;
    this.#turns = new Turns({ most: LIMITS.authQuestions, mostWaiting: LIMITS.authWaiting, waitMs, onFull: () => this.#reportFull() });
  }

  /** Number of calls that have not ended, including those that wait. */
  get open(): number {
    return this.#turns.open;
  }

  /** Runs `call` when it is the turn of this request. `credential` is the digest of the credential. */
  async run<T>(request: TurnTaker, credential: string, call: (memory: CredentialMemory) => Promise<T>): Promise<AuthCallResult<T>> {
    // An auth function may decide by the address, so the address is part of the key.
    const key = `${credential} ${request.addressGroup}`;
    if (this.#refused.has(key)) return this.#refuseAgain();
    const turn = this.#turns.take(request);
    // A free turn is used in this call, so the function is called at once.
    if ((typeof turn === 'string' ? turn : await turn) === 'busy') return { kind: 'busy' };
    try {
      if (this.#refused.has(key)) return this.#refuseAgain();
      const answer = await call({
        refused: () => this.#refused.add(key, LIMITS.authRefusedMs),
        failed: () => this.#refused.add(key, LIMITS.authFailedMs),
      });
      return { kind: 'answered', answer };
    } finally {
      this.#turns.end();
    }
  }

  #reportFull(): void {
    const { listener, logger } = this.#options;
    this.#full.add((times) => logger.warn('auth_queue_full', { code: 'OVERLOADED', listener, waiting: this.#turns.waiting, times }));
  }

  #refuseAgain(): { readonly kind: 'refused' } {
    const { listener, logger } = this.#options;
    this.#again.add((times) => logger.warn('auth_refused_again', { listener, times }));
    return { kind: 'refused' };
  }
}
