import type { CommandInput } from './command.js';
import { EXIT } from './exit-codes.js';
import { CommandFailure } from './failure.js';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Returns the milliseconds of a duration such as `500ms`, `30s`, `5m`, `2h` or `7d`, or `undefined` for any other text. */
export function milliseconds(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  return count === undefined || unit === undefined ? undefined : Number(count) * (UNITS[unit] ?? 0);
}

/** Returns the milliseconds of an option, or `undefined` without it. Throws a usage failure. */
export function readDuration(input: CommandInput, name: string): number | undefined {
  const text = input.value(name);
  if (text === undefined) return undefined;
  const ms = milliseconds(text);
  if (ms !== undefined) return ms;
  throw new CommandFailure('INVALID_ARGUMENTS', `--${name} ${text} is no duration; write 500ms, 30s, 5m, 2h or 7d`, EXIT.usage);
}

/** Returns the value of an option that is a number from 1, or infinity without it. Throws a usage failure. */
export function readCount(input: CommandInput, name: string): number {
  const text = input.value(name);
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CommandFailure('INVALID_ARGUMENTS', `--${name} ${text} is no whole number from 1 to 999999999`, EXIT.usage);
}
