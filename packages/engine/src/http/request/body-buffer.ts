const FIRST_BYTES = 4_096;

/** The result of an append. `no_room` means that all bodies together have used up their memory. */
export type Appended = 'taken' | 'too_large' | 'no_room';

/**
 * Collects the pieces of a body in one buffer, which doubles when it is full. It copies the pieces, so a client that sends single bytes
 * costs one byte each and not one object each.
 */
export class BodyBuffer {
  readonly #most: number;
  readonly #take: (bytes: number) => boolean;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  /** `take` takes memory for the buffer from a budget. The buffer never returns it. */
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
