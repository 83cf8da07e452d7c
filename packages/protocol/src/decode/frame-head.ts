import { parseJson } from '../json/guards.js';
import type { JsonObject } from '../json/json-fields.js';
import { endOfString } from '../json/json-scan.js';

/**
 * The longest value, in UTF-16 code units, that is read from a frame. An id of the longest allowed length fits, even if it is fully
 * escaped.
 */
const VALUE_UNITS = 8_192;
const KEY_UNITS = 256;

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;

/**
 * Returns the values of some keys at the top of a JSON object, or of the objects in it (`level` 2). It works for a text that is refused or
 * is no JSON, so that the engine can answer the peer that waits. It makes one pass without recursion. It skips nested values and values
 * above a bound. The last value of a repeated key counts, as in `JSON.parse`. The result is empty for a text that is not one whole object.
 */
export function readFrameHead(text: string, keys: ReadonlySet<string>, level: 1 | 2 = 1): JsonObject {
  const none = Object.create(null) as Record<string, unknown>;
  const start = skipSpace(text, 0);
  if (text[start] !== '{') return none;
  const head = Object.create(null) as Record<string, unknown>;
  let depth = 0;
  let key: string | undefined;
  /** The index at which the value of a wanted key begins. −1 while a key is read, and for a value that is not wanted. */
  let value = -1;
  let ended = false;
  const take = (end: number) => {
    if (key !== undefined && value >= 0) head[key] = parse(text.slice(value, end), end - value, VALUE_UNITS);
    key = undefined;
    value = -1;
  };
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const close = endOfString(text, at);
      if (close === text.length) return none;
      if (depth === level && value < 0) {
        const name = parse(text.slice(at, close + 1), close + 1 - at, KEY_UNITS);
        key = typeof name === 'string' && keys.has(name) ? name : undefined;
      }
      at = close;
    } else if (isOpening(code)) {
      depth++;
    } else if (isClosing(code)) {
      if (depth === level) take(at);
      if (--depth === 0) {
        ended = skipSpace(text, at + 1) === text.length;
        break;
      }
    } else if (depth === level && code === COLON) {
      value = at + 1;
    } else if (depth === level && code === COMMA) {
      take(at);
    }
  }
  return ended ? head : none;
}

function parse(text: string, units: number, most: number): unknown {
  return units > most ? undefined : parseJson(text);
}

/** Returns whether a character opens an object or an array. `{` and `[` differ in one bit, and so do `}` and `]`. */
function isOpening(code: number): boolean {
  return (code | 32) === 123;
}

function isClosing(code: number): boolean {
  return (code | 32) === 125;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\r\n'.includes(text[at] as string)) at++;
  return at;
}
