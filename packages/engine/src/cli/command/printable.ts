/** Returns a text with an escape sequence in place of each control character, because a terminal would obey these. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Returns a JSON value as lines for people. The result is JSON, too. */
export function jsonLines(value: unknown): string {
  // JSON.stringify escapes the other control characters.
  return `${JSON.stringify(value, null, 2).replace(/[\u007f-\u009f]/g, printable)}\n`;
}
