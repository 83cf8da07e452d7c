/** Ends a hold. The second call does nothing. */
export type Release = () => void;

/**
 * Stops the writer between two transactions. While someone holds the gate, no transaction is in flight, everything that was acknowledged
 * is in the file, and new writes wait.
 */
export class WriteGate {
  #holders = 0;
  #opened: (() => void)[] = [];
  #reached: (() => void)[] = [];
  /** The writer is between two transactions and waits here, or has nothing to do. */
  #isIdle = true;

  /** The writer calls it before each transaction. Resolves when nobody holds the gate. */
  async pass(): Promise<void> {
    while (this.#holders > 0) {
      this.#becomeIdle();
      await new Promise<void>((resolve) => {
        this.#opened.push(resolve);
      });
    }
    this.#isIdle = false;
  }

  /** The writer calls it when it has nothing left to do. */
  rest(): void {
    this.#becomeIdle();
  }

  /** Resolves when no transaction is in flight. None begins until the result is called. */
  async hold(): Promise<Release> {
    this.#holders++;
    if (!this.#isIdle) {
      await new Promise<void>((resolve) => {
        this.#reached.push(resolve);
      });
    }
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders--;
      if (this.#holders > 0) return;
      for (const resolve of this.#opened.splice(0)) resolve();
    };
  }

  #becomeIdle(): void {
    this.#isIdle = true;
    for (const resolve of this.#reached.splice(0)) resolve();
  }
}
