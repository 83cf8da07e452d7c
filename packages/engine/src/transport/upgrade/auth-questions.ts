import { LIMITS } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import type { Clock } from '../../structures/clock.js';
import { FairLine } from './fair-line.js';
import { RefusedCredentials } from './refused-credentials.js';
import type { UpgradeRequest } from './upgrade-request.js';

export interface AuthQuestionsOptions {
  /** For logs: `worker` or `stream`. */
  readonly listener: string;
  /** Milliseconds that a question may wait for its turn. */
  readonly waitMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Notes about a credential, for the requests that come with it next. */
export interface CredentialMemory {
  /** The auth function said no. Asked again it would say the same. */
  refused(): void;
  /** The auth function failed, which may pass sooner. */
  failed(): void;
}

export type Asked<T> =
  | { readonly kind: 'answered'; readonly answer: T }
  /** The credential was refused lately, and nobody was asked. */
  | { readonly kind: 'refused' }
  /** Too many questions wait, or this one has waited too long, or its client has left. */
  | { readonly kind: 'busy' };

type Turn = 'ask' | 'busy';

interface Waiter {
  settle(turn: Turn): void;
}

/**
 * The questions of one listener to its auth function: at most `LIMITS.authQuestions` at a time. Others wait, and the addresses of their
 * clients take turns. No request is refused because of its address. A credential that was refused is refused again without a question.
 */
export class AuthQuestions {
  readonly #options: AuthQuestionsOptions;
  readonly #refused: RefusedCredentials;
  readonly #line = new FairLine<Waiter>(LIMITS.authWaiting);
  readonly #full: RepeatedLine;
  readonly #again: RepeatedLine;
  #asking = 0;

  constructor(options: AuthQuestionsOptions) {
    this.#options = options;
    this.#refused = new RefusedCredentials(LIMITS.authRefused, options.clock);
    this.#full = new RepeatedLine(options.clock);
    this.#again = new RepeatedLine(options.clock);
  }

  /** Questions that are not answered yet, those that wait for their turn included. */
  get open(): number {
    return this.#asking + this.#line.size;
  }

  /** Runs `question` when it is the turn of the request. `credential` is the digest of what the request brings. */
  async ask<T>(
    request: Pick<UpgradeRequest, 'addressGroup' | 'whenGone'>,
    credential: string,
    question: (memory: CredentialMemory) => Promise<T>,
  ): Promise<Asked<T>> {
    // An auth function may decide by the address.
    const key = `${credential} ${request.addressGroup}`;
    if (this.#refused.has(key)) return this.#refuseAgain();
    if (this.#asking < LIMITS.authQuestions) this.#asking++;
    else if ((await this.#wait(request)) === 'busy') return { kind: 'busy' };
    try {
      if (this.#refused.has(key)) return this.#refuseAgain();
      const answer = await question({
        refused: () => this.#refused.add(key, LIMITS.authRefusedMs),
        failed: () => this.#refused.add(key, LIMITS.authFailedMs),
      });
      return { kind: 'answered', answer };
    } finally {
      const next = this.#line.next();
      if (next === undefined) this.#asking--;
      else next.settle('ask');
    }
  }

  /** Resolves when another question has left its place to this one. */
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
        this.#line.delete(addressGroup, waiter);
        waiter.settle('busy');
      };
      const timer = setTimeout(giveUp, this.#options.waitMs);
      const crowded = this.#line.add(addressGroup, waiter);
      if (crowded !== waiter) stopWatching = whenGone?.(giveUp);
      if (crowded === undefined) return;
      crowded.settle('busy');
      const { listener, logger } = this.#options;
      this.#full.add((times) => logger.warn('auth_queue_full', { code: 'OVERLOADED', listener, waiting: this.#line.size, times }));
    });
  }

  #refuseAgain(): { readonly kind: 'refused' } {
    const { listener, logger } = this.#options;
    this.#again.add((times) => logger.warn('auth_refused_again', { listener, times }));
    return { kind: 'refused' };
  }
}
