/**
 * Returns the anchor of a heading as GitHub makes it, so that the same link works in both places.
 *
 * @param {string} text
 */
export function slugOf(text) {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}
