import { endOfString } from './json-scan.js';

/** The length up to which a text has too few keys to take much time. */
export const SHORT_TEXT = 16_384;
/** The number of members from which on `JSON.parse` makes a hash table of an object. */
export const WIDE_OBJECT = 128;
export const MOST_LEVELS = 66;

const QUOTE = 34;
const COLON = 58;
const OPEN_OBJECT = 123;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
const CLOSE_OBJECT = 125;
/** The character codes of space, tab, line feed and carriage return are at most this one. */
const SPACE = 32;

/**
 * Returns whether a JSON text has more than `most` different keys, or more than `most` members in objects of `WIDE_OBJECT` and more
 * members. `JSON.parse` takes about 4 µs for each of these, a hundred times the time of other values. So they have a bound of their own.
 * The caller must bound the depth first, with `scanJson`.
 */
export function exceedsKeys(text: string, most: number): boolean {
  if (text.length <= SHORT_TEXT) return false;
  const keys = new Set<string>();
  // The members of the open objects, by depth.
  const members = new Uint32Array(MOST_LEVELS);
  let depth = 0;
  let wide = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      let after = end + 1;
      while (text.charCodeAt(after) <= SPACE) after++;
      if (text.charCodeAt(after) === COLON) {
        keys.add(text.slice(at + 1, end));
        const count = ((members[depth] as number) += 1);
        if (count === WIDE_OBJECT) wide += WIDE_OBJECT;
        else if (count > WIDE_OBJECT) wide++;
        if (keys.size > most || wide > most) return true;
        at = after;
      } else {
        at = end;
      }
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth >= MOST_LEVELS) return true;
      members[depth] = 0;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      if (depth > 0) depth--;
    }
  }
  return false;
}

export function tooManyKeys(most: number): string {
  return `more than ${most} different keys, or as many in objects of 128 and more; send lists, or several messages`;
}
