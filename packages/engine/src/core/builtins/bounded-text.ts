import { type JsonText, RivuletError } from '@rivulet/protocol';

/**
 * Writes a value as JSON, and an array in a member of it entry by entry. Throws RESULT_TOO_LARGE as soon as the text is longer than a message of
 * `maxBytes` may be: lists of what peers have registered may be much longer than that.
 */
export function boundedText(value: object, maxBytes: number): JsonText {
  const parts: JsonText[] = [];
  let chars = 0;
  const add = (text: JsonText) => {
    chars += text.length;
    // A UTF-16 code unit takes at least one byte.
    if (chars > maxBytes) throw tooLarge(maxBytes);
    parts.push(text);
  };
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    add(`${parts.length === 0 ? '' : ','}${JSON.stringify(key)}:`);
    if (!Array.isArray(member)) {
      add(JSON.stringify(member));
      continue;
    }
    add('[');
    for (const [index, entry] of member.entries()) add(`${index === 0 ? '' : ','}${JSON.stringify(entry ?? null)}`);
    add(']');
  }
  return `{${parts.join('')}}`;
}

function tooLarge(maxBytes: number): RivuletError {
  return new RivuletError(
    'RESULT_TOO_LARGE',
    `the list is larger than the caller's message limit of ${maxBytes} bytes; ask for less of it`,
  );
}
