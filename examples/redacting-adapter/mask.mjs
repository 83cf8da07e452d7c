const MASKED = '***';

/**
 * @typedef {import('@rivulet/protocol').JsonText} JsonText
 * @typedef {<T extends JsonText | undefined>(text: T) => T} Mask
 */

/**
 * Puts `***` in place of every member with one of these names, at any depth. A text without them comes back as it was written. It reads
 * the JSON instead of searching the text: `"\u0063ard"` is the name `card` too.
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
 * Changes `value` in place; answers whether there was anything to change. Depth is bounded: the engine takes no deeper value.
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
