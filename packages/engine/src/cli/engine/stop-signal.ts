/** Milliseconds for an ordered stop. Supervisors kill after 30 s, so this is less. */
const STOP_DEADLINE_MS = 28_000;

export type StopSignal = 'SIGTERM' | 'SIGINT';

/**
 * Watches the signals that stop the engine. The first SIGTERM or SIGINT asks for an ordered stop. A second one, or the deadline after the
 * first, calls `giveUp`.
 */
export class StopSignals {
  /** Resolves at the first signal. */
  readonly first: Promise<StopSignal>;
  readonly #giveUp: (reason: string) => void;
  readonly #listener: (signal: StopSignal) => void;
  #asked = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(giveUp: (reason: string) => void) {
    this.#giveUp = giveUp;
    const { promise, resolve } = withResolver<StopSignal>();
    this.first = promise;
    this.#listener = (signal) => {
      if (this.#asked) {
        this.#giveUp(`second ${signal}`);
        return;
      }
      this.#asked = true;
      this.#deadline = setTimeout(() => this.#giveUp(`not stopped after ${STOP_DEADLINE_MS} ms`), STOP_DEADLINE_MS);
      resolve(signal);
    };
    process.on('SIGTERM', this.#listener);
    process.on('SIGINT', this.#listener);
  }

  close(): void {
    clearTimeout(this.#deadline);
    process.off('SIGTERM', this.#listener);
    process.off('SIGINT', this.#listener);
  }
}

function withResolver<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
