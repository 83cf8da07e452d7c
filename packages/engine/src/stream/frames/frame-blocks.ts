/** A block is never larger, so that what is left of it when most of its frames are gone is small. */
const MOST_BYTES = 8_192;

const NONE = Buffer.alloc(0);

/**
 * Copies short frames into memory blocks that belong to one log. Node cuts a short buffer from a block that it shares with buffers of
 * other work: a log that kept such a buffer would hold the whole block.
 */
export class FrameBlocks {
  #block = NONE;
  #used = 0;

  /** Returns the frame in memory that the log may keep. `held`: bytes that the log holds already; a new block is not larger than that. */
  keep(frame: Buffer, held: number): Buffer {
    if (frame.length * 2 >= frame.buffer.byteLength) return frame;
    if (this.#block.length - this.#used < frame.length) {
      this.#block = Buffer.allocUnsafeSlow(Math.max(frame.length, Math.min(held, MOST_BYTES)));
      this.#used = 0;
    }
    const kept = this.#block.subarray(this.#used, this.#used + frame.length);
    frame.copy(kept);
    this.#used += frame.length;
    return kept;
  }
}
