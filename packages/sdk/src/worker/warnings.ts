/** Reports a warning: an error code and a message. */
export type Warn = (code: string, message: string) => void;

/** Reports failures that no caller waits for to the `onWarning` of the application. Never throws. */
export class Warnings {
  readonly #onWarning: (code: string, message: string) => unknown;
  #isReporting = false;

  constructor(onWarning: Warn = toConsole) {
    this.#onWarning = onWarning;
  }

  /**
   * Returns the function that reports failures of a call that begins now. A call that `onWarning` makes may fail for the same reason as the
   * warning. Its failure goes to the console. Otherwise each warning would cause the next one.
   */
  get forThis(): Warn {
    return this.#isReporting ? toConsole : (code, message) => this.report(code, message);
  }

  report(code: string, message: string): void {
    if (this.#isReporting) return toConsole(code, message);
    this.#isReporting = true;
    try {
      const result = this.#onWarning(code, message);
      if (result instanceof Promise) result.catch(() => undefined);
    } catch {
      // `onWarning` itself failed, and there is no other place to report it.
    } finally {
      this.#isReporting = false;
    }
  }
}

function toConsole(code: string, message: string): void {
  // oxlint-disable-next-line no-console -- the default of onWarning
  console.warn('[rivulet]', code, message);
}
