const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The error of a command that a signal has interrupted. */
export class InterruptedError extends Error {}

/**
 * Turns the first signal to end into an error at the next step of a command, so that the command removes what it has made. The second one
 * ends the process at once.
 */
export class Interruption {
  #signal: (typeof SIGNALS)[number] | undefined;
  readonly #listen = (signal: NodeJS.Signals) => {
    this.#signal = signal as (typeof SIGNALS)[number];
    this.end();
  };

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#listen);
  }

  /** Throws InterruptedError after a signal. */
  check(): void {
    if (this.#signal !== undefined) throw new InterruptedError('interrupted');
  }

  /** Ends this process by the signal that has interrupted it, so that a shell sees it. */
  raise(): void {
    this.end();
    if (this.#signal !== undefined) process.kill(process.pid, this.#signal);
  }

  /** From now on, a signal ends the process. */
  end(): void {
    for (const signal of SIGNALS) process.off(signal, this.#listen);
  }
}
