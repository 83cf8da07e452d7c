/**
 * Returns the heading of a document.
 *
 * @param {string} markdown
 */
export function headingIn(markdown) {
  return (/^# (.*)$/m.exec(markdown)?.[1] ?? 'Untitled').replaceAll('`', '').replaceAll('\\', '');
}

/**
 * Returns the name of a document in the side bar: `sidebar` at its head, or its heading.
 *
 * @param {string} markdown
 */
export function titleIn(markdown) {
  return /^---\n[\s\S]*?^sidebar: (.*)$[\s\S]*?^---$/m.exec(markdown)?.[1] ?? headingIn(markdown);
}
