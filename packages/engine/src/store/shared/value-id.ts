import { endOfString, isJsonObject, type JsonText, parseJson } from '@rivulet/protocol';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/**
 * Returns the member `id` of a value as JSON text; existing clients find an item by it. The function reads the text up to that member and
 * parses nothing else, because the value may be large. It parses a text with spaces as a whole; no engine writes such a text.
 */
export function valueIdOf(data: JsonText): JsonText | undefined {
  if (!data.startsWith('{')) return undefined;
  for (let at = 1; at < data.length; at++) {
    if (data.charCodeAt(at) === CLOSE_OBJECT) return undefined;
    if (data.charCodeAt(at) !== QUOTE) return parsedId(data);
    const keyEnd = endOfString(data, at) + 1;
    if (data.charCodeAt(keyEnd) !== COLON) return parsedId(data);
    const end = endOfMember(data, keyEnd + 1);
    const key = data.slice(at, keyEnd);
    if (key === '"id"') return JSON.stringify(parseJson(data.slice(keyEnd + 1, end)));
    if (key.includes('\\') && parseJson(key) === 'id') return parsedId(data);
    at = data.charCodeAt(end) === CLOSE_OBJECT ? end - 1 : end;
  }
  return parsedId(data);
}

/** Returns the index of the comma or bracket behind a value. */
function endOfMember(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth++;
    else if ((code === CLOSE_OBJECT || code === CLOSE_ARRAY) && --depth < 0) return at;
    else if (code === COMMA && depth === 0) return at;
  }
  return text.length;
}

function parsedId(data: JsonText): JsonText | undefined {
  const value = parseJson(data);
  return isJsonObject(value) && Object.hasOwn(value, 'id') ? JSON.stringify(value.id) : undefined;
}
