import { JSON_DEPTH, JSON_NODES } from '../shared-limits.js';

/** The result of a scan of a JSON text before it is parsed. `inexactNumbers`: a number in it can't be carried exactly by a double. */
export type JsonScan = { readonly kind: 'ok'; readonly inexactNumbers: boolean } | { readonly kind: 'refused'; readonly reason: string };

export const QUOTE = 34;
export const BACKSLASH = 92;
export const COMMA = 44;
export const OPEN_ARRAY = 91;
export const CLOSE_ARRAY = 93;
export const OPEN_OBJECT = 123;
export const CLOSE_OBJECT = 125;
export const PLUS = 43;
export const MINUS = 45;
export const ZERO = 48;
export const NINE = 57;

export const EXACT: JsonScan = { kind: 'ok', inexactNumbers: false };
export const INEXACT: JsonScan = { kind: 'ok', inexactNumbers: true };
export const TOO_DEEP: JsonScan = { kind: 'refused', reason: `nested deeper than ${JSON_DEPTH} levels` };
export const TOO_MANY_VALUES: JsonScan = { kind: 'refused', reason: `more than ${JSON_NODES} values` };

/**
 * Checks the nesting and the number of values of a JSON text, and finds numbers that a double can't carry exactly. It makes one pass and
 * allocates nothing. It runs before a text is parsed, because `JSON.parse` accepts any depth, and `JSON.stringify` overflows the stack near
 * 10,000 levels. A text that passes may still be no JSON.
 */
export function scanJson(text: string): JsonScan {
  return scan(text, JSON_NODES);
}

/** Returns whether a JSON text has more than `most` values: objects, arrays and scalars. Its depth must be within the bound. */
export function exceedsNodes(text: string, most: number): boolean {
  // Each value takes at least one character.
  return text.length > most && scan(text, most).kind === 'refused';
}

/**
 * Returns whether a JSON text is nested deeper than `most` levels. Pages load this function, so it shares no code with the scan of numbers.
 */
export function exceedsDepth(text: string, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > most) return true;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth--;
  }
  return false;
}

function scan(text: string, mostNodes: number): JsonScan {
  let depth = 0;
  let nodes = 1;
  let inexact = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > JSON_DEPTH) return TOO_DEEP;
      // This counts the first child; a comma counts each other child. The code of a closing bracket is two above that of its opening one.
      if (text.charCodeAt(at + 1) !== code + 2) nodes++;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      depth--;
    } else if (code === COMMA) {
      nodes++;
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      const end = endOfNumber(text, at);
      // A plain number of at most 15 characters is always exact. `isInexact` checks the others.
      if (!inexact && isInexact(text, at, end)) inexact = true;
      at = end - 1;
    }
    if (nodes > mostNodes) return { kind: 'refused', reason: `more than ${mostNodes} values` };
  }
  return inexact ? INEXACT : EXACT;
}

/** Returns the index of the closing quote, or the length of the text if there is none. */
export function endOfString(text: string, open: number): number {
  let close = text.indexOf('"', open + 1);
  while (close >= 0) {
    let backslashes = 0;
    while (text.charCodeAt(close - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return close;
    close = text.indexOf('"', close + 1);
  }
  return text.length;
}

/** Returns the index after the characters that may belong to a number. */
function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at++) {
    if (!isPartOfNumber(text.charCodeAt(at))) break;
  }
  return at;
}

/** Returns whether a character may belong to a number: a digit, or one of `.+-eE`. */
export function isPartOfNumber(code: number): boolean {
  return (code >= ZERO && code <= NINE) || code === 46 || code === PLUS || code === MINUS || code === 101 || code === 69;
}

function isInexact(text: string, start: number, end: number): boolean {
  let plain = true;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === 46 || code === 101 || code === 69) plain = false;
  }
  return isInexactNumber(text, start, end, plain);
}

/** Returns whether a double can't carry a number of the text exactly. `plain`: the number has no point and no exponent. */
export function isInexactNumber(text: string, start: number, end: number, plain: boolean): boolean {
  if (plain) return end - start > 15 && !Number.isSafeInteger(Number(text.slice(start, end)));
  return end - start > 3 && !canBeSentBack(Number(text.slice(start, end)));
}

/** The smallest number that JSON writes with an exponent. */
const WRITTEN_WITH_EXPONENT = 1e21;

/**
 * Returns whether the engine accepts a number again that it sent as JSON. Infinity is no JSON. JSON writes some numbers beyond ±(2^53−1)
 * without an exponent. Such a number looks like an integer that a double can't carry, and the engine refuses it.
 */
export function canBeSentBack(value: number): boolean {
  const size = Math.abs(value);
  return Number.isFinite(value) && (size <= Number.MAX_SAFE_INTEGER || size >= WRITTEN_WITH_EXPONENT);
}
