import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Clock } from '../../structures/clock.js';
import { AuthQueue } from './auth-queue.js';
import { RefusedCredentials } from './refused-credentials.js';
import type { UpgradeRequest } from './upgrade-request.js';

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

type Turn = 'run' | 'busy';

interface Waiter {
  settle(turn: Turn): void;
}

/**
 * Calls the auth function of one listener, at most `LIMITS.authQuestions` times at once. Further calls wait, and the addresses of their
 * clients take turns. No request is refused because of its address. A credential that was refused is refused again without a call.
 */
export class AuthCalls {
  readonly #options: AuthCallsOptions;
  readonly #refused: RefusedCredentials;
  readonly #queue = new AuthQueue<Waiter>(LIMITS.authWaiting);
  readonly #full: RepeatedLine;
  readonly #again: RepeatedLine;
  #running = 0;

  constructor(options: AuthCallsOptions) {
    this.#options = options;
    this.#refused = new RefusedCredentials(LIMITS.authRefused, options.clock);
    this.#full = new RepeatedLine(options.clock);
    this.#again = new RepeatedLine(options.clock);
  }

  /** Number of calls that have not ended, including those that wait. */
  get open(): number {
    return this.#running + this.#queue.size;
  }

  /** Runs `call` when it is the turn of this request. `credential` is the digest of the credential. */
  async run<T>(
    request: Pick<UpgradeRequest, 'addressGroup' | 'whenGone'>,
    credential: string,
    call: (memory: CredentialMemory) => Promise<T>,
  ): Promise<AuthCallResult<T>> {
    // An auth function may decide by the address, so the address is part of the key.
    const key = `${credential} ${request.addressGroup}`;
    if (this.#refused.has(key)) return this.#refuseAgain();
    if (this.#running < LIMITS.authQuestions) this.#running++;
    else if ((await this.#wait(request)) === 'busy') return { kind: 'busy' };
    try {
      if (this.#refused.has(key)) return this.#refuseAgain();
      const answer = await call({
        refused: () => this.#refused.add(key, LIMITS.authRefusedMs),
        failed: () => this.#refused.add(key, LIMITS.authFailedMs),
      });
      return { kind: 'answered', answer };
    } finally {
      const next = this.#queue.next();
      if (next === undefined) this.#running--;
      else next.settle('run');
    }
  }

  /** Resolves with `run` when an earlier call has ended, or with `busy` when this call gives up. */
  #wait({ addressGroup, whenGone }: Pick<UpgradeRequest, 'addressGroup' | 'whenGone'>): Promise<Turn> {
    return new Promise((resolve) => {
      let stopWatching: (() => void) | undefined;
      const waiter: Waiter = {
        settle: (turn) => {
          clearTimeout(timer);
          stopWatching?.();
          resolve(turn);
        },
      };
      const giveUp = () => {
        this.#queue.delete(addressGroup, waiter);
        waiter.settle('busy');
      };
      const timer = setTimeout(giveUp, this.#options.waitMs);
      const crowded = this.#queue.add(addressGroup, waiter);
      if (crowded !== waiter) stopWatching = whenGone?.(giveUp);
      if (crowded === undefined) return;
      crowded.settle('busy');
      const { listener, logger } = this.#options;
      this.#full.add((times) => logger.warn('auth_queue_full', { code: 'OVERLOADED', listener, waiting: this.#queue.size, times }));
    });
  }

  #refuseAgain(): { readonly kind: 'refused' } {
    const { listener, logger } = this.#options;
    this.#again.add((times) => logger.warn('auth_refused_again', { listener, times }));
    return { kind: 'refused' };
  }
}
