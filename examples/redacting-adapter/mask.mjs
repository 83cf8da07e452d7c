const MASKED = '***';

/**
 * @typedef {import('@rivulet/protocol').JsonText} JsonText
 * @typedef {<T extends JsonText | undefined>(text: T) => T} Mask
 */

/**
 * Returns a function that replaces every member with one of these names by `***`, at any depth. A text without them stays as it is. The
 * function parses the JSON, because a search in the text would miss `"\u0063ard"`, which is the name `card` too.
 * @param {readonly string[]} names
 * @returns {Mask}
 */
export function maskOf(names) {
  const secret = new Set(names);
  return (text) => {
    if (text === undefined || secret.size === 0) return text;
    const value = JSON.parse(text);
    return /** @type {typeof text} */ (cover(value, secret) ? JSON.stringify(value) : text);
  };
}

/**
 * Masks `value` in place. Returns whether there was a member to mask. The engine bounds the depth of values.
 * @param {unknown} value
 * @param {ReadonlySet<string>} secret
 * @returns {boolean}
 */
function cover(value, secret) {
  if (typeof value !== 'object' || value === null) return false;
  let covered = false;
  for (const [name, member] of Object.entries(value)) {
    if (!Array.isArray(value) && secret.has(name)) {
      Object.defineProperty(value, name, { value: MASKED });
      covered = true;
    } else if (cover(member, secret)) covered = true;
  }
  return covered;
}
