import { LEASE_DATA_BYTES, utf8Length } from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import type { Clock } from '../connection/clock.js';

/**
 * The least milliseconds between two messages. The engine accepts ten a second (RV-42). Only the newest data counts, so older data is
 * dropped.
 */
const EVERY_MS = 125;

/** Sends the data of a lease: when it changes, and each time that the join is made again. */
export class LeaseSender {
  readonly #clock: Clock;
  readonly #send: (text: string) => void;
  #text: string | undefined;
  #sentAt = Number.NEGATIVE_INFINITY;
  #timer: unknown;

  constructor(clock: Clock, send: (text: string) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Replaces the data. Throws `VALUE_TOO_LARGE` above `LEASE_DATA_BYTES` of JSON. */
  set(subscriptionId: string, data: unknown): void {
    const json = JSON.stringify(data ?? null);
    if (utf8Length(json) > LEASE_DATA_BYTES)
      throw new StreamError('VALUE_TOO_LARGE', `the data of a lease is at most ${LEASE_DATA_BYTES} bytes`);
    this.#text = `{"type":"lease","data":{"subscriptionId":${JSON.stringify(subscriptionId)},"data":${json}}}`;
    this.again();
  }

  /** Sends the newest data again. Without data it does nothing. */
  again(): void {
    if (this.#text === undefined || this.#timer !== undefined) return;
    const wait = this.#sentAt + EVERY_MS - this.#clock.now();
    if (wait <= 0) this.#now(this.#text);
    else {
      this.#timer = this.#clock.setTimer(() => {
        this.#timer = undefined;
        if (this.#text !== undefined) this.#now(this.#text);
      }, wait);
    }
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#text = undefined;
  }

  #now(text: string): void {
    this.#sentAt = this.#clock.now();
    this.#send(text);
  }
}
