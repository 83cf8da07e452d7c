import { type DestinationStream, destination, pino } from 'pino';
import type { LogFields, Logger } from './logger.js';

/** Characters of one field in a log line; the rest is cut. */
const MAX_FIELD_CHARACTERS = 2_000;

const STDERR = 2;

export interface LoggerOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** `default`: lines for people; `json`: one object a line. */
  readonly format: 'default' | 'json';
}

/** Logs to stderr, so that stdout is free for the ready line and the output of commands. Synchronous: what is logged before an exit is seen. */
export function createLogger(
  { level, format }: LoggerOptions,
  output: DestinationStream = destination({ fd: STDERR, sync: true }),
): Logger {
  const options = {
    level,
    messageKey: 'event',
    base: null,
    // oxlint-disable-next-line eslint/no-restricted-properties -- the time of now is always valid
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const sink = pino(options, format === 'json' ? output : { write: (line: string) => output.write(readableLine(line)) });
  return {
    debug: (event, fields) => sink.debug(plainFields(fields), event),
    info: (event, fields) => sink.info(plainFields(fields), event),
    warn: (event, fields) => sink.warn(plainFields(fields), event),
    error: (event, fields) => sink.error(plainFields(fields), event),
  };
}

/** Values that JSON has no form for become texts, and long texts are cut. */
function plainFields(fields: LogFields = {}): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return cut(value.stack ?? `${value.name}: ${value.message}`);
  if (typeof value === 'bigint') return value.toString();
  return typeof value === 'string' ? cut(value) : value;
}

function cut(text: string): string {
  return text.length > MAX_FIELD_CHARACTERS ? `${text.slice(0, MAX_FIELD_CHARACTERS)}…` : text;
}

/** `12:34:56 info event key=value`. Values that a reader could mistake (spaces, quotes, line breaks) are in JSON form. */
function readableLine(line: string): string {
  // oxlint-disable-next-line eslint/no-restricted-properties -- pino wrote this line as JSON
  const { level, time, event, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const words = [String(time).slice(11, 19), String(level), String(event)];
  for (const [key, value] of Object.entries(fields)) words.push(`${key}=${readableValue(value)}`);
  return `${words.join(' ')}\n`;
}

function readableValue(value: unknown): string {
  return typeof value === 'string' && /^[\w.:/@+%-]+$/.test(value) ? value : JSON.stringify(value);
}
