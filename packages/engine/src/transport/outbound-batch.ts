import { textFrameBytes, writeTextFrame } from './websocket-frame.js';

/** UTF-16 code units that wait for the end of the turn at most. */
const MOST_UNITS = 1_048_576;

/** Collects the text messages that one connection sends in one turn of the event loop, so that they leave in one write. */
export class OutboundBatch {
  readonly #write: (frames: Buffer) => void;
  readonly #isBehind: () => boolean;
  #texts: string[] = [];
  #units = 0;
  #scheduled = false;

  /** `isBehind`: whether the peer has not read what was written before, so that a write is kept in memory. */
  constructor(write: (frames: Buffer) => void, isBehind: () => boolean = () => false) {
    this.#write = write;
    this.#isBehind = isBehind;
  }

  /** A lower bound of the bytes that wait for the end of the turn. */
  get waiting(): number {
    return this.#units;
  }

  add(text: string): void {
    this.#texts.push(text);
    this.#units += text.length;
    // Texts and the buffer that they are written to are there at the same time: for large ones, not for many of them.
    if (this.#units > MOST_UNITS) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Writes what waits, now. */
  flush(): void {
    this.#scheduled = false;
    const texts = this.#texts;
    if (texts.length === 0) return;
    this.#texts = [];
    this.#units = 0;
    const sizes = new Array<number>(texts.length);
    let total = 0;
    for (let index = 0; index < texts.length; index++) {
      const bytes = Buffer.byteLength(texts[index] as string);
      sizes[index] = bytes;
      total += textFrameBytes(bytes);
    }
    // A short buffer of `allocUnsafe` is a part of a large block, which it would hold while it waits.
    const frames = this.#isBehind() ? Buffer.allocUnsafeSlow(total) : Buffer.allocUnsafe(total);
    let at = 0;
    for (let index = 0; index < texts.length; index++) at = writeTextFrame(frames, at, texts[index] as string, sizes[index] as number);
    this.#write(frames);
  }
}
