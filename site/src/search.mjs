// Which parts of a page the search knows, and which words it finds in them.

/** @typedef {{ anchor: string, titles: string[], text: string }} Section */

/** Headings of the reference of the packages that say nothing alone. */
const GENERIC = new Set([
  'Type Parameters',
  'Parameters',
  'Returns',
  'Call Signature',
  'Extends',
  'Extended by',
  'Overrides',
  'Inherited from',
]);

/**
 * Divides the HTML of a page at its headings, and at table rows with an anchor. So a search for a metric or an error code finds its row.
 *
 * @param {string} html
 * @returns {Generator<Section>}
 */
export function* sectionsOf(html) {
  const parts = html.split(/<h([1-6]) id="([^"]*)"[^>]*>([\s\S]*?)<\/h\1>/);
  /** @type {string[]} */
  const titles = [];
  for (let at = 1; at < parts.length; at += 4) {
    const [level = '1', anchor = '', heading = '', body = ''] = parts.slice(at, at + 4);
    titles.length = Math.min(titles.length, Number(level) - 1);
    titles[Number(level) - 1] = textOf(heading.replace(/<a class="header-anchor"[\s\S]*?<\/a>/, ''));
    const path = titles.filter((title) => title !== undefined);
    if (GENERIC.has(path.at(-1) ?? '') || path.slice(0, -1).includes('Type Declaration')) continue;
    const rows = [...body.matchAll(/<tr[^>]* data-anchor="([^"]*)"[^>]*>([\s\S]*?)<\/tr>/g)];
    const rest = rows.reduce((text, [row]) => text.replace(row, ''), body);
    yield { anchor, titles: path, text: textOf(rest) };
    for (const [, id = '', row = ''] of rows) {
      const [first = '', ...cells] = row.split('</td>').map(textOf);
      yield { anchor: id, titles: [...path, first], text: cells.join(' ') };
    }
  }
}

/** @param {string} html */
function textOf(html) {
  return html
    .replaceAll('<wbr>', '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replace(/&#x?[0-9a-f]+;|&[a-z]+;/gi, (entity) => (entity === '&amp;' ? '&' : ' '))
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * Returns the words of a text. A name with `::`, `_`, `-`, `.` or `/` is one word, and its parts are words too. The page that searches gets
 * the source of this function, so it uses nothing from outside.
 *
 * @param {string} text
 * @param {string} [field] the field that is indexed; absent in a search, which then takes whole names only
 * @returns {string[]}
 */
export function tokenize(text, field) {
  const words = text.split(/[\s,;()[\]{}<>"'`|=!?…“”]+/u).map((word) => word.replace(/^[^\p{L}\p{N}$@_]+|[^\p{L}\p{N}_$*]+$/gu, ''));
  const names = words.filter((word) => word !== '');
  if (field === undefined) return names;
  return names.flatMap((name) => {
    const parts = name.split(/[^\p{L}\p{N}]+/u).filter((part) => part !== '' && part !== name);
    return [name, ...parts];
  });
}

/** How the search ranks. A name that has a sign in it must match as it is; a plain word may have a typing mistake. */
export const SEARCH_OPTIONS = {
  combineWith: 'AND',
  prefix: true,
  /** @param {string} term */
  fuzzy: (term) => (/[^a-z]/i.test(term) || term.length < 5 ? false : 0.2),
  boost: { title: 6, text: 1, titles: 2 },
  // A section that has the word as its whole title comes first. Documents explain a name, and the reference of the packages declares it.
  /** @param {string} id @param {string} term @param {{ title?: string }} [stored] */
  boostDocument: (id, term, stored) =>
    (/\/(api|guides|tutorials|bench)\/|\/changelog\./.test(id) ? 0.5 : 1) * (stored?.title?.toLowerCase() === term ? 4 : 1),
};
