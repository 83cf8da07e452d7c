export interface OutboundBounds {
  readonly messages: number;
  /** UTF-16 code units, all messages together. */
  readonly units: number;
}

/** Why what waited is never sent: nobody wanted it any more when its turn came or its place was needed; or the connection is closed for good. */
export type Dropped = 'unwanted' | 'closed';

interface Queued {
  readonly text: string;
  readonly wanted: () => boolean;
  readonly dropped: (why: Dropped) => void;
}

/** What is to be sent once there is a connection: first in, first out, and bounded. */
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

  /** `false`: no room, even without what nobody wants any more; then `dropped` is not called. */
  add(text: string, wanted: () => boolean = () => true, dropped: (why: Dropped) => void = () => {}): boolean {
    if (!this.#fits(text)) this.#sweep();
    if (!this.#fits(text)) return false;
    this.#queued.push({ text, wanted, dropped });
    this.#units += text.length;
    return true;
  }

  /** Takes everything that is still wanted, and tells the rest. */
  take(): string[] {
    const texts: string[] = [];
    for (const { text, wanted, dropped } of this.#empty()) {
      if (wanted()) texts.push(text);
      else dropped('unwanted');
    }
    return texts;
  }

  /** Tells everything that it is never sent. */
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
    // Told last: who hears of it may add something.
    for (const { dropped } of unwanted) dropped('unwanted');
  }
}
