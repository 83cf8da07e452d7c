/**
 * Total replacements for functions of the platform that throw on strange text. The lint rules forbid the originals everywhere else,
 * because one throw in the wrong place ends the process.
 */

/** Returns the value of a JSON text, or `undefined` when the text is not JSON; no JSON text has the value `undefined`. Bound its depth first with `scanJson`. */
export function parseJson(text: string): unknown {
  try {
    // oxlint-disable-next-line eslint/no-restricted-properties -- this function is the guard
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns `text` with percent sequences in the place of reserved characters. A lone surrogate becomes U+FFFD, as in UTF-8. */
export function percentEncode(text: string): string {
  // oxlint-disable-next-line eslint/no-restricted-globals -- this function is the guard: well-formed text always has an encoding
  return encodeURIComponent(wellFormed(text));
}

/** Returns `text` without percent sequences, or `undefined` when one of them is malformed or not UTF-8. */
export function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    // oxlint-disable-next-line eslint/no-restricted-globals -- this function is the guard
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Returns `text` with U+FFFD in the place of each lone surrogate. Older browsers have no `toWellFormed`. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
