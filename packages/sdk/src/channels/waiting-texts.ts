import { sdkError } from '../api/errors.js';

/** The most text messages that wait for the socket of a channel, and their UTF-16 code units. */
const MOST_TEXTS = 1_024;
const MOST_UNITS = 16_777_216;

/** Bounds the text messages that wait in the writer of a channel. */
export class WaitingTexts {
  #texts = 0;
  #units = 0;

  /** Counts a text until the returned function is called. Throws `QUEUE_FULL` if a bound is reached. */
  add(text: string): () => void {
    if (this.#texts >= MOST_TEXTS || this.#units + text.length > MOST_UNITS)
      throw sdkError('QUEUE_FULL', 'too many messages wait for the channel; wait for its reader');
    this.#texts++;
    this.#units += text.length;
    return () => {
      this.#texts--;
      this.#units -= text.length;
    };
  }
}
