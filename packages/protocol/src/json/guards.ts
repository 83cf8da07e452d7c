/**
 * This file replaces functions of the platform that throw on strange text. The replacements return a result for any text. The lint rules
 * forbid the originals everywhere else, because one throw in the wrong place ends the process.
 */

/**
 * Returns the value of a JSON text, or `undefined` if the text is not JSON. No JSON text has the value `undefined`. The caller must bound
 * the depth first, with `scanJson`.
 */
export function parseJson(text: string): unknown {
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- this function is the guard
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns a text with percent sequences in place of reserved characters. A lone surrogate becomes U+FFFD, as in UTF-8. */
export function percentEncode(text: string): string {
  // oxlint-disable-next-line eslint/no-restricted-globals -- this function is the guard: well-formed text always has an encoding
  return encodeURIComponent(wellFormed(text));
}

/** Returns a text without percent sequences, or `undefined` if one of them is malformed or not UTF-8. */
export function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    // oxlint-disable-next-line eslint/no-restricted-globals -- this function is the guard
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Returns a text with U+FFFD in place of each lone surrogate. Older browsers have no `toWellFormed`. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
