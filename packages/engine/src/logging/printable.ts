/**
 * Characters that change how a terminal shows the rest: control characters, line breaks of Unicode, and marks that turn the direction of
 * writing.
 */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Returns a text with an escape sequence in place of each character that a terminal would obey. A JSON text keeps its meaning. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
