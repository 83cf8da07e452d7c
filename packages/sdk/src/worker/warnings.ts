export type Warn = (code: string, message: string) => void;

/** Tells what nobody waits for. Never throws. */
export class Warnings {
  readonly #tell: (code: string, message: string) => unknown;
  #telling = false;

  constructor(tell: Warn = toConsole) {
    this.#tell = tell;
  }

  /**
   * For failures of what begins now. What is begun while a warning is told may well fail for the reason of that warning: it is written to
   * the console, else each warning would be the cause of the next one.
   */
  get forThis(): Warn {
    return this.#telling ? toConsole : (code, message) => this.tell(code, message);
  }

  tell(code: string, message: string): void {
    if (this.#telling) return toConsole(code, message);
    this.#telling = true;
    try {
      const told = this.#tell(code, message);
      if (told instanceof Promise) told.catch(() => undefined);
    } catch {
      // Whoever is told may fail; there is nobody else to tell.
    } finally {
      this.#telling = false;
    }
  }
}

function toConsole(code: string, message: string): void {
  // oxlint-disable-next-line no-console -- the default of onWarning
  console.warn('[rivulet]', code, message);
}
