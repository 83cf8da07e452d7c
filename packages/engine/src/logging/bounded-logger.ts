import type { Clock } from '../structures/clock.js';
import type { LogFields, Logger } from './logger.js';

/** Lines in a second. */
export interface LineRates {
  /** Lines of one event, at one level. */
  readonly ofEvent: number;
  /** The same at level debug, which somebody turns on to see more. */
  readonly ofDebugEvent: number;
  /** Events with a bound of their own. */
  readonly special: Readonly<Record<string, number>>;
  /** Lines of all events. */
  readonly all: number;
}

/** Kinds that are counted apart; further ones share a count. The engine has fewer. */
const KINDS = 1_000;
const SECOND_MS = 1_000;

interface Kind {
  readonly most: number;
  /** Monotonic milliseconds at which its second began. */
  since: number;
  lines: number;
  leftOut: number;
}

/**
 * Passes on a bounded number of lines of each kind (an event at one level) in each second, so that no peer fills the log or keeps the
 * engine busy with it. The line `log_lines_left_out` says a second later how many lines of each event were left out.
 */
export class BoundedLogger implements Logger {
  readonly debug: Logger['debug'];
  readonly info: Logger['info'];
  readonly warn: Logger['warn'];
  readonly error: Logger['error'];
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #rates: LineRates;
  readonly #levels: Map<string, Kind>[] = [];
  readonly #all: Kind;
  #linesLeftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Logger, clock: Pick<Clock, 'monotonic'>, rates: LineRates) {
    this.#logger = logger;
    this.#clock = clock;
    this.#rates = rates;
    this.#all = { most: rates.all, since: clock.monotonic(), lines: 0, leftOut: 0 };
    this.debug = this.#bounded('debug', rates.ofDebugEvent);
    this.info = this.#bounded('info', rates.ofEvent);
    this.warn = this.#bounded('warn', rates.ofEvent);
    this.error = this.#bounded('error', rates.ofEvent);
  }

  /** Lines left out so far. */
  get linesLeftOut(): number {
    return this.#linesLeftOut;
  }

  /** Says now what was left out. */
  close(): void {
    this.#report();
  }

  #bounded(level: keyof Logger, most: number): Logger['info'] {
    const kinds = new Map<string, Kind>();
    this.#levels.push(kinds);
    return (event: string, fields?: LogFields): void => {
      const kind = this.#kindOf(kinds, event, this.#rates.special[event] ?? most);
      if (this.#passes(kind) && this.#passes(this.#all)) {
        this.#logger[level](event, fields);
        return;
      }
      kind.leftOut++;
      this.#linesLeftOut++;
      this.#timer ??= setTimeout(() => this.#report(), SECOND_MS).unref();
    };
  }

  #kindOf(kinds: Map<string, Kind>, event: string, most: number): Kind {
    const name = kinds.has(event) || kinds.size < KINDS ? event : 'other';
    let kind = kinds.get(name);
    if (kind === undefined) {
      kind = { most, since: this.#clock.monotonic(), lines: 0, leftOut: 0 };
      kinds.set(name, kind);
    }
    return kind;
  }

  #passes(kind: Kind): boolean {
    if (kind.lines >= kind.most) {
      const now = this.#clock.monotonic();
      if (now - kind.since < SECOND_MS) return false;
      kind.since = now;
      kind.lines = 0;
    }
    kind.lines++;
    return true;
  }

  #report(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const of: Record<string, number> = {};
    let lines = 0;
    for (const kinds of this.#levels) {
      for (const [name, kind] of kinds) {
        if (kind.leftOut === 0) continue;
        of[name] = (of[name] ?? 0) + kind.leftOut;
        lines += kind.leftOut;
        kind.leftOut = 0;
      }
    }
    if (lines > 0) this.#logger.warn('log_lines_left_out', { lines, of });
  }
}
