/** Calls a function at once, and then at most once in a while, so that a burst of changes is not a burst of renders. */
export class Throttle {
  readonly #run: () => void;
  readonly #everyMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;

  constructor(run: () => void, everyMs: number) {
    this.#run = run;
    this.#everyMs = everyMs;
  }

  /** Runs the function now, or at the end of the current wait. Several requests are one run. */
  request(): void {
    if (this.#timer === undefined) this.#now();
    else this.#isDue = true;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
  }

  #now(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#isDue) this.#now();
    }, this.#everyMs);
    this.#isDue = false;
    this.#run();
  }
}
