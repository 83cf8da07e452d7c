import { printable } from '../../logging/printable.js';

/** Returns a JSON value as lines for people. The result is JSON, too. */
export function jsonLines(value: unknown): string {
  return `${JSON.stringify(value, null, 2).split('\n').map(printable).join('\n')}\n`;
}
