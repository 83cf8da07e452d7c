import { textFrameBytes, writeTextFrame } from './websocket-frame.js';

/** Largest number of UTF-16 code units that wait for the end of the turn. */
const MOST_UNITS = 1_048_576;

/** Collects the text messages that one connection sends in one turn of the event loop, and sends them in one write. */
export class OutboundBatch {
  readonly #write: (frames: Buffer) => void;
  readonly #isBehind: () => boolean;
  #texts: string[] = [];
  #units = 0;
  #scheduled = false;

  /** `isBehind` returns whether the peer has unread bytes, so that the write will wait in memory. */
  constructor(write: (frames: Buffer) => void, isBehind: () => boolean = () => false) {
    this.#write = write;
    this.#isBehind = isBehind;
  }

  /** A lower bound of the bytes that wait for the end of the turn. */
  get waiting(): number {
    return this.#units;
  }

  /** Adds a message. It leaves at the end of the turn, or at once when the batch is full. */
  add(text: string): void {
    this.#texts.push(text);
    this.#units += text.length;
    // The texts and their encoded form are in memory at the same time, so a batch must not grow without bound.
    if (this.#units > MOST_UNITS) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Writes the collected messages now. */
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
    // A short buffer of `allocUnsafe` is a slice of a large block, and would keep that block in memory while it waits.
    const frames = this.#isBehind() ? Buffer.allocUnsafeSlow(total) : Buffer.allocUnsafe(total);
    let at = 0;
    for (let index = 0; index < texts.length; index++) at = writeTextFrame(frames, at, texts[index] as string, sizes[index] as number);
    this.#write(frames);
  }
}
