import type { Clock } from '../structures/clock.js';
import type { LogFields, Logger } from './logger.js';

/** A field of a line in memory. Texts are cut. */
export type KeptValue = string | number | boolean | null;

/** A line of level warn or error. */
export interface RecentLine {
  /** Grows from one line to the next. */
  readonly number: number;
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly level: 'warn' | 'error';
  readonly event: string;
  readonly fields: Readonly<Record<string, KeptValue>>;
}

/** How often an event was logged, and when the last time. */
export interface EventTimes {
  readonly times: number;
  readonly lastMs: number;
}

export interface LogMemoryBounds {
  /** Largest number of kept lines. */
  readonly all: number;
  /** Largest number of one event, so that an event which repeats displaces no other. */
  readonly ofEvent: number;
}

/** Names of events that are counted apart. The names come from the code, which has fewer. */
const EVENTS = 1_000;
const FIELDS = 16;
const FIELD_CHARS = 256;

/** Keeps the newest warnings and errors of the log in memory, and counts all events. It keeps no more of a line than the log has. */
export class LogMemory {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #bounds: LogMemoryBounds;
  /** The oldest line comes first. */
  readonly #kept: RecentLine[] = [];
  /** Number of kept lines of each event. */
  readonly #keptOf = new Map<string, number>();
  readonly #events = new Map<string, { times: number; lastMs: number }>();
  #number = 0;

  constructor(clock: Pick<Clock, 'now'>, bounds: LogMemoryBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /** Returns a logger that notes each line here, and then passes it on. */
  tap(logger: Logger): Logger {
    const noted = (level: 'debug' | 'info' | 'warn' | 'error') => (event: string, fields?: LogFields) => {
      this.#note(level, event, fields);
      logger[level](event, fields);
    };
    return {
      isDebug: logger.isDebug === true,
      debug: noted('debug'),
      info: noted('info'),
      warn: noted('warn'),
      error: noted('error'),
    };
  }

  /** Yields the lines before this number, the newest first. */
  *before(number = Number.POSITIVE_INFINITY): IterableIterator<RecentLine> {
    for (const line of this.#kept.toReversed()) if (line.number < number) yield line;
  }

  /** Returns how often an event was logged since the start; `undefined` when it never was. */
  timesOf(event: string): EventTimes | undefined {
    return this.#events.get(event);
  }

  #note(level: 'debug' | 'info' | 'warn' | 'error', event: string, fields: LogFields | undefined): void {
    const { times } = fields ?? {};
    this.#count(event, typeof times === 'number' ? times : 1);
    if (event === 'log_lines_left_out') this.#countLeftOut(fields?.of);
    if (level === 'warn' || level === 'error')
      this.#keep({ number: ++this.#number, atMs: this.#clock.now(), level, event, fields: keptFields(fields) });
  }

  #count(event: string, times: number): void {
    const count = this.#events.get(event);
    const lastMs = this.#clock.now();
    if (count !== undefined) {
      count.times += times;
      count.lastMs = lastMs;
    } else if (this.#events.size < EVENTS) this.#events.set(event, { times, lastMs });
  }

  /** Counts the lines that the bounded logger left out. */
  #countLeftOut(of: unknown): void {
    if (typeof of !== 'object' || of === null) return;
    for (const [event, lines] of Object.entries(of)) if (typeof lines === 'number') this.#count(event, lines);
  }

  #keep(line: RecentLine): void {
    const kept = this.#keptOf.get(line.event) ?? 0;
    this.#kept.push(line);
    this.#keptOf.set(line.event, kept + 1);
    if (kept >= this.#bounds.ofEvent) this.#drop(this.#kept.findIndex(({ event }) => event === line.event));
    else if (this.#kept.length > this.#bounds.all) this.#drop(0);
  }

  #drop(index: number): void {
    for (const { event } of this.#kept.splice(index, 1)) {
      const kept = (this.#keptOf.get(event) ?? 1) - 1;
      if (kept === 0) this.#keptOf.delete(event);
      else this.#keptOf.set(event, kept);
    }
  }
}

function keptFields(fields: LogFields = {}): Record<string, KeptValue> {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, FIELDS)
      .map(([key, value]) => [key, keptValue(value)]),
  );
}

function keptValue(value: unknown): KeptValue {
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return cut(typeof value === 'string' ? value : textOf(value));
}

function textOf(value: unknown): string {
  if (value instanceof Error) return value.stack ?? `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch (error) {
    // The value has a cycle, or contains a BigInt.
    return String(error);
  }
}

function cut(text: string): string {
  // The copy does not keep the whole text in memory.
  return text.length > FIELD_CHARS ? `${Buffer.from(text.slice(0, FIELD_CHARS)).toString()}…` : text;
}
