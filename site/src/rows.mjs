import { slugOf } from './slug.mjs';

// Tables of the reference are long and wide. A row that begins with a name in code, such as a metric or an error code, gets an anchor, to
// which the search leads. Each cell knows the heading of its column, which a narrow screen shows beside it.

/** Places where a long name in a cell may break. */
const BREAKS = /(?<=\w)(::|[_./,|])(?=\w)/g;

/**
 * A plugin of markdown-it for tables. A row that has an anchor of its own keeps it.
 *
 * @param {any} md
 */
export function improveTables(md) {
  md.core.ruler.push('rivulet-rows', (/** @type {any} */ { tokens }) => {
    const taken = new Set(tokens.map((/** @type {any} */ token) => token.attrGet?.('id')));
    /** @type {string[]} */
    let headings = [];
    let column = 0;
    for (const [at, token] of tokens.entries()) {
      if (token.type === 'table_open') headings = [];
      if (token.type === 'tr_open') column = 0;
      if (token.type === 'th_open') headings.push(tokens[at + 1].content);
      if (token.type !== 'td_open') continue;
      token.attrSet('data-label', headings[column++] ?? '');
      for (const part of tokens[at + 1].children) if (part.type === 'code_inline') part.meta = { inCell: true };
      if (tokens[at - 1].type === 'tr_open') anchor(tokens[at - 1], tokens[at + 1].children, taken);
    }
  });
  const code = md.renderer.rules.code_inline;
  md.renderer.rules.code_inline = (/** @type {any[]} */ ...args) => {
    const html = code(...args);
    return args[0][args[1]].meta?.inCell === true
      ? html.replace(/>[^<]*</, (/** @type {string} */ text) => text.replace(BREAKS, '$1<wbr>'))
      : html;
  };
}

/** Gives a row the anchor of the name that it begins with. @param {any} row @param {any[]} parts @param {Set<string>} taken */
function anchor(row, parts, taken) {
  const own = parts.find(({ type, content }) => type === 'html_inline' && content.startsWith('<a id="'));
  const first = parts.find(({ type, content }) => type !== 'html_inline' && content.trim() !== '');
  if (first?.type !== 'code_inline') return;
  if (own !== undefined) {
    row.attrSet('data-anchor', /"([^"]*)"/.exec(own.content)?.[1] ?? '');
    return;
  }
  const plain = slugOf(first.content.replaceAll(/::|[./]/g, '-'));
  if (plain === '' || plain === '-') return;
  let id = plain;
  for (let number = 1; taken.has(id); number++) id = `${plain}-${number}`;
  taken.add(id);
  row.attrSet('id', id);
  row.attrSet('data-anchor', id);
}

/**
 * Returns whether a document has a table of four columns or more, with many rows.
 *
 * @param {string} markdown
 */
export function hasWideTable(markdown) {
  const rows = markdown.split('\n').filter((line) => line.startsWith('|') && line.split(' | ').length >= 4);
  return rows.length > 12;
}
