import type { Clock } from '../connection/clock.js';

/** The milliseconds without an answer to any call after which the client finds out whether the server knows calls. */
const ASK_MS = 1_000;
/** A name that no subscription has. The engine answers a join to an impossible name at once. */
export const QUESTION_ID = 'calls';
/** A call without a function. A server that knows calls refuses it at once. */
const QUESTION = `{"type":"call","data":{"callId":"${QUESTION_ID}"}}`;

/** The services of the client that the question needs. */
export interface QuestionLink {
  readonly clock: Clock;
  /** Sends a text on the open connection. Without an open connection it drops the text. */
  send(text: string): void;
  /** Whether the server has shown that it is a Rivulet, by its positions. */
  hasPositions(): boolean;
  /** Sends a join to an impossible name. */
  sendProbe(subscriptionId: string): void;
}

/**
 * Finds out whether the server of a connection knows calls. An older Rivulet ignores a call, so its client would wait in vain. When no call
 * is answered in time, the client sends a question that only a server with calls answers, and behind it a join that every Rivulet answers.
 */
export class ServerQuestion {
  readonly #link: QuestionLink;
  #timer: unknown;
  /** Whether the server of this connection has answered a call. */
  isKnown = false;

  constructor(link: QuestionLink) {
    this.#link = link;
  }

  onLost(): void {
    this.isKnown = false;
    this.#link.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  /** Asks later, unless a call is answered until then. `isDue` says whether a call still waits for its answer. */
  askLater(isDue: () => boolean): void {
    this.#timer ??= this.#link.clock.setTimer(() => {
      this.#timer = undefined;
      if (this.isKnown || !isDue()) return;
      if (this.#link.hasPositions()) {
        this.ask();
        this.#link.sendProbe(QUESTION_ID);
      } else this.askLater(isDue);
    }, ASK_MS);
  }

  /** Sends a question that a server which knows calls answers at once. */
  ask(): void {
    this.#link.send(QUESTION);
  }
}
