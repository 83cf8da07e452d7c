/** The bounds of a queue of texts. */
export interface OutboundBounds {
  /** The most texts. */
  readonly messages: number;
  /** The most UTF-16 code units of all texts together. */
  readonly units: number;
}

/**
 * Why a text is never sent. `unwanted`: its sender no longer waited when its turn came, or when the queue needed its place. `closed`: the
 * connection is closed for good.
 */
export type Dropped = 'unwanted' | 'closed';

interface Queued {
  readonly text: string;
  readonly wanted: () => boolean;
  readonly dropped: (why: Dropped) => void;
}

/** Holds texts until there is a connection. It is bounded, and sends the oldest text first. */
export class OutboundQueue {
  readonly #bounds: OutboundBounds;
  #queued: Queued[] = [];
  #units = 0;

  constructor(bounds: OutboundBounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#queued.length;
  }

  /**
   * Adds a text. Returns false, and never calls `dropped`, if the queue is full even after it removed all unwanted texts. `wanted` says
   * whether the sender still waits. `dropped` is called at most once, when the text will never be sent.
   */
  add(text: string, wanted: () => boolean = () => true, dropped: (why: Dropped) => void = () => {}): boolean {
    if (!this.#fits(text)) this.#sweep();
    if (!this.#fits(text)) return false;
    this.#queued.push({ text, wanted, dropped });
    this.#units += text.length;
    return true;
  }

  /** Removes all texts. Returns those that are still wanted, and calls `dropped` for the others. */
  take(): string[] {
    const texts: string[] = [];
    for (const { text, wanted, dropped } of this.#empty()) {
      if (wanted()) texts.push(text);
      else dropped('unwanted');
    }
    return texts;
  }

  /** Removes all texts, and calls `dropped` for each of them. */
  clear(): void {
    for (const { dropped } of this.#empty()) dropped('closed');
  }

  #empty(): Queued[] {
    const queued = this.#queued;
    this.#queued = [];
    this.#units = 0;
    return queued;
  }

  #fits(text: string): boolean {
    return this.#queued.length < this.#bounds.messages && this.#units + text.length <= this.#bounds.units;
  }

  #sweep(): void {
    const unwanted: Queued[] = [];
    this.#queued = this.#queued.filter((each) => each.wanted() || (unwanted.push(each), false));
    this.#units = this.#queued.reduce((sum, { text }) => sum + text.length, 0);
    // Called last, because a sender that hears of it may add a text.
    for (const { dropped } of unwanted) dropped('unwanted');
  }
}
