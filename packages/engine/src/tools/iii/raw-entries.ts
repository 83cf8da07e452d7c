import { endOfString, parseJson } from '@rivulet/protocol';

/** A member of a JSON object. `text` is the JSON text of its value. */
export interface RawEntry {
  readonly key: string;
  readonly text: string;
}

const WHITE_SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/**
 * Returns the members of a JSON object in the order of the text. `JSON.parse` would put keys such as `7` first, and lose doubled ones.
 * Returns `undefined` when the text is no JSON object.
 */
export function rawEntries(text: string): readonly RawEntry[] | undefined {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries: RawEntry[] = [];
  let at = skip(text, text.indexOf('{') + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(text, at) + 1;
    const key = String(parseJson(text.slice(at, keyEnd)));
    let begin = skip(text, keyEnd);
    if (text.charCodeAt(begin) === COLON) begin = skip(text, begin + 1);
    const end = endOfValue(text, begin);
    entries.push({ key, text: text.slice(begin, end).trimEnd() });
    at = skip(text, text.charCodeAt(end) === COMMA ? end + 1 : end);
  }
  return entries;
}

function skip(text: string, from: number): number {
  let at = from;
  while (WHITE_SPACE.has(text.charCodeAt(at))) at++;
  return at;
}

/** Returns the index of the comma or bracket behind a value. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (OPEN.has(code)) depth++;
    else if (CLOSE.has(code)) {
      if (depth === 0) return at;
      depth--;
    } else if (code === COMMA && depth === 0) return at;
  }
  return text.length;
}
