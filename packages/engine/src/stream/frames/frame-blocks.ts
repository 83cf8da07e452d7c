/** Bytes of the largest block. One frame keeps its whole block in memory, so blocks are small. */
const MOST_BYTES = 8_192;

const NONE = Buffer.alloc(0);

/**
 * Copies short frames into memory blocks that belong to one log. Node cuts a short buffer from a pool that other code shares. A log that
 * kept such a buffer would keep the whole pool.
 */
export class FrameBlocks {
  #block = NONE;
  #used = 0;

  /** Returns the frame in memory that the log may keep. `held`: bytes of the log so far; a new block is not larger than that. */
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
