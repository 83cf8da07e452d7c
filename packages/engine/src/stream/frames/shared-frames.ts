/** Bytes below which a frame of one's own costs less than looking for an equal one. */
const LEAST_BYTES = 65_536;
/** Frames that are known at a time. The oldest is forgotten. */
const MOST_KNOWN = 256;

/**
 * Lets readers that stall share equal large frames, so that each of them does not own a copy. It keeps no frame: when the last
 * reader has taken one, it is free.
 */
export class SharedFrames {
  readonly #known = new Map<string, WeakRef<Buffer>>();

  /** Returns an equal frame that another reader holds under this key, or this one. */
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
