export interface OutboundBounds {
  readonly messages: number;
  /** UTF-16 code units, all messages together. */
  readonly units: number;
}

interface Queued {
  readonly text: string;
  readonly wanted: () => boolean;
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

  /** `false`: no room, even without what nobody wants any more. */
  add(text: string, wanted: () => boolean): boolean {
    if (!this.#fits(text)) this.#sweep();
    if (!this.#fits(text)) return false;
    this.#queued.push({ text, wanted });
    this.#units += text.length;
    return true;
  }

  /** Takes everything that is still wanted. */
  take(): string[] {
    const texts = this.#queued.filter(({ wanted }) => wanted()).map(({ text }) => text);
    this.clear();
    return texts;
  }

  clear(): void {
    this.#queued = [];
    this.#units = 0;
  }

  #fits(text: string): boolean {
    return this.#queued.length < this.#bounds.messages && this.#units + text.length <= this.#bounds.units;
  }

  #sweep(): void {
    this.#queued = this.#queued.filter(({ wanted }) => wanted());
    this.#units = this.#queued.reduce((sum, { text }) => sum + text.length, 0);
  }
}
