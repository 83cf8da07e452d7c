/** Bounds the upgrades that wait for their verdict, by number and by the text of their heads. */
export class UpgradeBudget {
  readonly #most: number;
  readonly #mostChars: number;
  #count = 0;
  #chars = 0;

  constructor(most: number, mostChars: number) {
    this.#most = most;
    this.#mostChars = mostChars;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes one more upgrade. Returns `false` if the budget is used up. */
  take(chars: number): boolean {
    if (this.#count >= this.#most || this.#chars + chars > this.#mostChars) return false;
    this.#count++;
    this.#chars += chars;
    return true;
  }

  give(chars: number): void {
    this.#count--;
    this.#chars -= chars;
  }
}
