import { type Clock, paceOf } from '../structures/clock.js';
import type { LogFields, Logger } from './logger.js';

/** Bounds of log lines in a second. */
export interface LineRates {
  /** Number of lines of one event at one level. */
  readonly ofEvent: number;
  /** Number of lines of one event at level debug, which an operator turns on to see more. */
  readonly ofDebugEvent: number;
  /** Number of lines of events that have their own bound. */
  readonly special: Readonly<Record<string, number>>;
  /** Number of lines of all events together. */
  readonly all: number;
}

/** Number of kinds that are counted apart. Further kinds share one count. The engine has fewer. */
const KINDS = 1_000;
const SECOND_MS = 1_000;

interface Kind {
  readonly most: number;
  /** Monotonic milliseconds at which the current second of this kind began. */
  since: number;
  lines: number;
  leftOut: number;
}

/**
 * Passes on a bounded number of lines of each kind (an event at one level) in each second. So no peer can fill the log or keep the engine
 * busy with it. A second later, the line `log_lines_left_out` reports how many lines of each event were left out.
 */
export class BoundedLogger implements Logger {
  readonly isDebug: boolean;
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

  constructor(logger: Logger, clock: Pick<Clock, 'monotonic' | 'pace'>, rates: LineRates) {
    this.#logger = logger;
    this.isDebug = logger.isDebug === true;
    this.#clock = paceOf(clock);
    this.#rates = rates;
    this.#all = { most: rates.all, since: this.#clock.monotonic(), lines: 0, leftOut: 0 };
    this.debug = this.#bounded('debug', rates.ofDebugEvent);
    this.info = this.#bounded('info', rates.ofEvent);
    this.warn = this.#bounded('warn', rates.ofEvent);
    this.error = this.#bounded('error', rates.ofEvent);
  }

  /** Number of lines that were left out. */
  get linesLeftOut(): number {
    return this.#linesLeftOut;
  }

  /** Reports the lines that were left out, at once. */
  close(): void {
    this.#report();
  }

  #bounded(level: 'debug' | 'info' | 'warn' | 'error', most: number): Logger['info'] {
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
