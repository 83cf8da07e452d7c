import { pino } from 'pino';
import { type LineOutput, NonBlockingOutput, nonBlocking } from './line-output.js';
import type { LogFields, Logger } from './logger.js';
import { printable } from './printable.js';

/** Characters of one field in a log line. The rest is cut off. */
const MAX_FIELD_CHARACTERS = 2_000;

/** Fields of one line. Further fields are left out. */
const MAX_FIELDS = 32;
/** Bytes of lines that wait while nobody reads stderr. */
const BUFFER_BYTES = 1_048_576;
/** Milliseconds that the exit of the process waits until somebody reads the last lines. */
const EXIT_FLUSH_MS = 500;

const STDERR = 2;

export interface LoggerOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** `text` writes lines for people, `json` writes one object a line. `auto` means `text` on a terminal, and `json` elsewhere. */
  readonly format: 'auto' | 'text' | 'json';
}

/**
 * Returns a logger that writes to stderr. Stdout stays free for the ready line and for the output of commands. A line is in the kernel when
 * the call returns, so lines before a crash are visible. A stalled reader delays nothing. See `NonBlockingOutput`.
 */
export function createLogger({ level, format }: LoggerOptions, output?: LineOutput): Logger {
  const options = {
    level,
    messageKey: 'event',
    base: null,
    // oxlint-disable-next-line eslint/no-restricted-properties -- the time of now is always valid
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const to = output ?? standardError((lost) => logger.warn('log_lines_lost', { lines: sum(lost), of: lost }));
  let kind = '';
  const isJson = format === 'json' || (format === 'auto' && !process.stderr.isTTY);
  const write = isJson ? (line: string) => to.write(line, kind) : (line: string) => to.write(readableLine(line), kind);
  const sink = pino(options, { write });
  const log = (at: 'debug' | 'info' | 'warn' | 'error') => (event: string, fields?: LogFields) => {
    if (!sink.isLevelEnabled(at)) return;
    kind = event;
    sink[at](plainFields(fields), event);
  };
  const isDebug = sink.isLevelEnabled('debug');
  const logger: Logger = { isDebug, debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  return logger;
}

function standardError(onLoss: (lost: Readonly<Record<string, number>>) => void): LineOutput {
  const output = new NonBlockingOutput(nonBlocking(STDERR), { bufferBytes: BUFFER_BYTES, onLoss });
  process.once('exit', () => output.flush(EXIT_FLUSH_MS));
  return output;
}

function sum(lost: Readonly<Record<string, number>>): number {
  return Object.values(lost).reduce((total, lines) => total + lines, 0);
}

/** Turns values that JSON cannot represent into texts, and cuts long values. */
function plainFields(fields: LogFields = {}): LogFields {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, MAX_FIELDS)
      .map(([key, value]) => [key, plainValue(value)]),
  );
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return cut(value.stack ?? `${value.name}: ${value.message}`);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string') return cut(value);
  if (typeof value !== 'object' || value === null) return value;
  const text = jsonOf(value);
  return text.length > MAX_FIELD_CHARACTERS ? cut(text) : value;
}

function jsonOf(value: object): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch (error) {
    // The value has a cycle, or contains a BigInt.
    return String(error);
  }
}

function cut(text: string): string {
  return text.length > MAX_FIELD_CHARACTERS ? `${text.slice(0, MAX_FIELD_CHARACTERS)}…` : text;
}

/**
 * Formats `2026-11-30T12:34:56.789+01:00 info event key=value`, in local time with its zone. Values with spaces, quotes or line breaks are
 * in JSON form, without any character that a terminal would obey.
 */
function readableLine(line: string): string {
  // oxlint-disable-next-line eslint/no-restricted-properties -- the line is JSON of pino
  const { level, time, event, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const words = [localTime(new Date(String(time))), String(level), String(event)];
  for (const [key, value] of Object.entries(fields)) words.push(`${key}=${readableValue(value)}`);
  return `${words.join(' ')}\n`;
}

/** Returns the local time with the offset of its zone from UTC. */
function localTime(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, '0');
  const local = new Date(Number(time) + offset * 60_000);
  // oxlint-disable-next-line eslint/no-restricted-properties -- the time of a log line is always valid
  return `${local.toISOString().slice(0, -1)}${offset < 0 ? '-' : '+'}${two(offset / 60)}:${two(offset % 60)}`;
}

function readableValue(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/@+%-]+$/.test(value) ? value : printable(JSON.stringify(value));
}
