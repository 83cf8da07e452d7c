import { tokensOf } from './json-tokens.js';

/**
 * Returns the text of one field of an object, as it stands in the JSON text of the object. Numbers keep digits that JavaScript would lose.
 * Returns `undefined` if the text is no JSON object with this field.
 */
export function valueText(text: string, field: string): string | undefined {
  const found = tokensOf(text);
  if (found.kind !== 'ok') return undefined;
  const { tokens } = found;
  const name = JSON.stringify(field);
  let depth = 0;
  let begin: number | undefined;
  for (const [index, { kind, text: word, at }] of tokens.entries()) {
    // A comma at the depth of the fields, or the last bracket, ends the value.
    if (begin !== undefined && depth === 1 && (kind === 'comma' || kind === 'close')) return text.slice(begin, at).trim();
    if (kind === 'open') depth++;
    else if (kind === 'close') depth--;
    else if (begin === undefined && depth === 1 && kind === 'string' && word === name && tokens[index + 1]?.kind === 'colon')
      begin = tokens[index + 2]?.at;
  }
  return undefined;
}
