/** Bytes below which a copy of a frame costs less than the search for an equal one. */
const LEAST_BYTES = 65_536;
/** Number of frames that are known at a time. A new one replaces the oldest. */
const MOST_KNOWN = 256;

/**
 * Lets readers that stall share equal large frames. Otherwise each of them would own a copy. The references are weak: a frame is free when
 * the last reader has taken it.
 */
export class SharedFrames {
  readonly #known = new Map<string, WeakRef<Buffer>>();

  /** Returns an equal frame that another reader still holds under this key; otherwise returns `frame`. */
  share(key: string, frame: Buffer): Buffer {
    if (frame.length < LEAST_BYTES) return frame;
    const held = this.#known.get(key)?.deref();
    if (held?.equals(frame) === true) return held;
    this.#known.delete(key);
    this.#known.set(key, new WeakRef(frame));
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return frame;
  }
}
