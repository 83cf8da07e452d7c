/** Bytes up to which an answer is sent at once. */
const SMALL_BYTES = 65_536;
/** Bytes of large answers that are sent in one turn of the event loop. */
const TURN_BYTES = 1_048_576;

interface Waiting {
  readonly bytes: number;
  readonly send: () => void;
}

/** Spreads large answers over turns of the event loop. Otherwise thousands of them would fill their sockets before anything else runs. */
export class SendPace {
  /** Answers that wait for their turn, the oldest first. */
  readonly #waiting = new Set<Waiting>();
  #spent = 0;
  #begun = false;

  /** Calls `send` now, or in a later turn. */
  run(bytes: number, send: () => void): void {
    if (bytes <= SMALL_BYTES) return send();
    this.#waiting.add({ bytes, send });
    this.#send();
    if (this.#begun) return;
    this.#begun = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#spent = 0;
    this.#send();
    this.#begun = this.#spent > 0;
    if (this.#begun) setImmediate(() => this.#turn());
  }

  #send(): void {
    for (const waiting of this.#waiting) {
      if (this.#spent >= TURN_BYTES) break;
      this.#waiting.delete(waiting);
      this.#spent += waiting.bytes;
      waiting.send();
    }
  }
}
