import { parseJson } from '../json/guards.js';
import type { JsonObject } from '../json/json-fields.js';
import { endOfString } from '../json/json-scan.js';

/** Longest value, in UTF-16 code units, that is read from a frame that can't be parsed: an id of any allowed length, fully escaped. */
const VALUE_UNITS = 8_192;
const KEY_UNITS = 256;

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;

/**
 * The values of some keys at the top of an object whose text is refused or is no JSON: enough to tell whoever waits for it. One pass
 * without recursion; nothing nested is looked at, values beyond a bound are left out, and of a key that is repeated the last counts,
 * as in `JSON.parse`. Empty for a text that is not one whole object.
 */
export function readFrameHead(text: string, keys: ReadonlySet<string>): JsonObject {
  const none = Object.create(null) as Record<string, unknown>;
  const start = skipSpace(text, 0);
  if (text[start] !== '{') return none;
  const head = Object.create(null) as Record<string, unknown>;
  let depth = 0;
  let key: string | undefined;
  /** Where the value of a wanted key begins; −1 while a key is read, or when the value is not wanted. */
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
      if (depth === 1 && value < 0) {
        const name = parse(text.slice(at, close + 1), close + 1 - at, KEY_UNITS);
        key = typeof name === 'string' && keys.has(name) ? name : undefined;
      }
      at = close;
    } else if (isOpening(code)) {
      depth++;
    } else if (isClosing(code)) {
      if (depth === 1) take(at);
      if (--depth === 0) {
        ended = skipSpace(text, at + 1) === text.length;
        break;
      }
    } else if (depth === 1 && code === COLON) {
      value = at + 1;
    } else if (depth === 1 && code === COMMA) {
      take(at);
    }
  }
  return ended ? head : none;
}

function parse(text: string, units: number, most: number): unknown {
  return units > most ? undefined : parseJson(text);
}

/** Objects and arrays: `{` and `[`, `}` and `]` differ in one bit. */
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
