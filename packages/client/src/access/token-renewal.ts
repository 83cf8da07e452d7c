import type { Clock } from '../connection/clock.js';

/** Milliseconds until the client calls `getToken` again, after it failed or returned the token that the engine has. */
const AGAIN_MS = 5_000;
/** Bounds of the pause between two renewals, in milliseconds. */
const LEAST_PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 10_000;

export interface RenewalLink {
  readonly clock: Clock;
  getToken(): string | undefined | Promise<string | undefined>;
  /** Sends a token to the engine. */
  send(token: string): void;
  /** Reports that `getToken` failed. */
  failed(cause: unknown): void;
}

/**
 * Renews the token of one open connection. The engine sends `expiring` as soon as a token has less than 30 s left, which may be at once. To
 * avoid a storm of renewals, only one runs at a time, the next one begins after a pause, and an unchanged token is not sent again.
 */
export class TokenRenewal {
  readonly #link: RenewalLink;
  #known: string | undefined;
  #running: Promise<void> | undefined;
  #timer: unknown;
  #last = Number.NEGATIVE_INFINITY;
  #ended = false;

  /** `known`: the token that the engine already has. */
  constructor(link: RenewalLink, known: string | undefined) {
    this.#link = link;
    this.#known = known;
  }

  /** Renews the token now, or at the end of the pause since the last renewal. `leftMs`: the milliseconds until the token expires. */
  onExpiring(leftMs: number): void {
    if (this.#running !== undefined || this.#timer !== undefined) return;
    const pauseMs = Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, leftMs / 2 || 0));
    const waitMs = this.#last + pauseMs - this.#link.clock.now();
    if (waitMs > 0) this.#later(waitMs);
    else this.#renewInBackground();
  }

  /** Renews the token at once and sends it, even if it did not change. Resolves when the token is sent, or when `getToken` has failed. */
  async renew(): Promise<void> {
    await this.#running;
    await this.#renew(true);
  }

  /** Ends all renewals, because the connection is lost or closed. */
  end(): void {
    this.#ended = true;
    this.#link.clock.clearTimer(this.#timer);
  }

  #renew(always: boolean): Promise<void> {
    this.#link.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#last = this.#link.clock.now();
    this.#running = this.#request(always).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #request(always: boolean): Promise<void> {
    try {
      const token = await this.#link.getToken();
      if (this.#ended || !token) return;
      if (token === this.#known && !always) return this.#later(AGAIN_MS);
      this.#known = token;
      this.#link.send(token);
    } catch (error) {
      this.#link.failed(error);
      if (!this.#ended) this.#later(AGAIN_MS);
    }
  }

  #later(ms: number): void {
    this.#timer = this.#link.clock.setTimer(() => this.#renewInBackground(), ms);
  }

  #renewInBackground(): void {
    this.#renew(false).catch((cause: unknown) => this.#link.failed(cause));
  }
}
