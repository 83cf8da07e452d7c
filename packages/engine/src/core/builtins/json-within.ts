import { isJsonObject, type JsonText } from '@rivulet/protocol';

/** Returns a JSON value as text, or `undefined` when it has more than about this many characters. It stops reading there. */
export function jsonWithin(value: unknown, chars: number): JsonText | undefined {
  return charsLeft(value, chars) < 0 ? undefined : JSON.stringify(value);
}

/** Returns what is left of `left` characters after the value; a negative number when it does not fit. */
function charsLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return left - value.length - 2;
  if (Array.isArray(value)) {
    let rest = left - 2;
    for (const entry of value) {
      rest = charsLeft(entry, rest - 1);
      if (rest < 0) return rest;
    }
    return rest;
  }
  if (!isJsonObject(value)) return left - 4;
  let rest = left - 2;
  for (const key in value) {
    rest = charsLeft(value[key], rest - key.length - 4);
    if (rest < 0) return rest;
  }
  return rest;
}
