/**
 * Extracts prose and table cells from Markdown. Code blocks, headings and HTML comments are left out.
 *
 * @typedef {{ line: number, text: string }} Block
 * @typedef {{ prose: Block[], cells: Block[], long: number[] }} Page  `long`: lines of prose that are wider than `width`.
 */

const FENCE = /^\s*(```|~~~)/;
const HEADING = /^#{1,6}\s/;
const TABLE_ROW = /^\s*\|/;
const TABLE_RULE = /^\s*\|[\s|:-]+$/;
const LIST_ITEM = /^\s*([-*+]|\d+\.)\s+/;

/**
 * @param {string} text
 * @param {number} width
 * @returns {Page}
 */
export function readMarkdown(text, width) {
  /** @type {Page} */
  const page = { prose: [], cells: [], long: [] };
  /** @type {Block | undefined} */
  let paragraph;
  let fenced = false;
  let hidden = false;
  const lines = text.split('\n');
  for (const [index, raw] of lines.entries()) {
    const line = index + 1;
    if (FENCE.test(raw)) {
      fenced = !fenced;
      paragraph = undefined;
      continue;
    }
    if (hidden || raw.trimStart().startsWith('<!--')) {
      hidden = !raw.includes('-->');
      continue;
    }
    const isCode = fenced || (/^ {4}/.test(raw) && paragraph === undefined);
    if (isCode || raw.trim() === '' || HEADING.test(raw)) {
      paragraph = undefined;
      continue;
    }
    if (TABLE_ROW.test(raw)) {
      paragraph = undefined;
      if (!TABLE_RULE.test(raw)) page.cells.push(...cellsOf(raw).map((cell) => ({ line, text: cell })));
      continue;
    }
    if (raw.length > width && plainText(raw).includes(' ')) page.long.push(line);
    if (paragraph === undefined || LIST_ITEM.test(raw)) {
      paragraph = { line, text: '' };
      page.prose.push(paragraph);
    }
    paragraph.text += `${raw.replace(LIST_ITEM, '').trim()}\n`;
  }
  return page;
}

/** @param {string} row */
function cellsOf(row) {
  return row
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

/**
 * Returns the text that a reader sees: links without their addresses, and no marks of emphasis.
 *
 * @param {string} text
 */
export function plainText(text) {
  return text
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/\*\*|__/g, '')
    .replaceAll(/https?:\/\/\S+/g, 'address');
}
