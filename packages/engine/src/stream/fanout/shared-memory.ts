/** Memory that many readers share. It is given back once, when the cache keeps it no longer and no reader holds it. */
export class SharedMemory {
  readonly #giveBack: () => void;
  #readers = 0;
  #kept = true;
  #given = false;

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  get isRead(): boolean {
    return this.#readers > 0;
  }

  /** Adds a reader. Returns the function that ends it; further calls of that function do nothing. */
  lend(): () => void {
    this.#readers++;
    let open = true;
    return () => {
      if (open) this.#readers--;
      open = false;
      this.#settle();
    };
  }

  /** The cache keeps the memory no longer. */
  drop(): void {
    this.#kept = false;
    this.#settle();
  }

  #settle(): void {
    if (this.#kept || this.#readers > 0 || this.#given) return;
    this.#given = true;
    this.#giveBack();
  }
}
