const FIRST_BYTES = 4_096;

/** How an append went. `no_room`: the memory of all bodies together is used up. */
export type Appended = 'taken' | 'too_large' | 'no_room';

/**
 * Bytes that arrive in pieces, as one buffer that doubles. Pieces are copied: a client that sends one byte at a time costs one byte each,
 * not an object each.
 */
export class BodyBuffer {
  readonly #most: number;
  readonly #take: (bytes: number) => boolean;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  /** `take` takes memory for the buffer from a budget; the buffer never gives it back itself. */
  constructor(most: number, take: (bytes: number) => boolean) {
    this.#most = most;
    this.#take = take;
  }

  get content(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  append(piece: Buffer): Appended {
    const length = this.#length + piece.length;
    if (length > this.#most) return 'too_large';
    if (length > this.#buffer.length && !this.#grow(length)) return 'no_room';
    piece.copy(this.#buffer, this.#length);
    this.#length = length;
    return 'taken';
  }

  #grow(length: number): boolean {
    const capacity = Math.min(this.#most, Math.max(length, this.#buffer.length * 2, FIRST_BYTES));
    if (!this.#take(capacity - this.#buffer.length)) return false;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
    return true;
  }
}
