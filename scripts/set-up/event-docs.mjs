/** A row of docs/log-events.md: the anchor and the name of the event, its level, its meaning and its remedy. */
const ROW = /^\| <a id="(\w+)"><\/a>`\w+` \| [^|]+ \| (.*) \| (.*) \|$/gm;

/**
 * Returns the meaning and the remedy of each event of the log, as the inspector shows them. A link becomes its text, because the page has
 * no documents to lead to. Names in backticks stay.
 *
 * @param {string} text docs/log-events.md
 * @returns {Record<string, { meaning: string, remedy: string }>}
 */
export function eventDocs(text) {
  const plain = (/** @type {string} */ cell) => cell.replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1').replaceAll('\\|', '|');
  return Object.fromEntries(
    Array.from(text.matchAll(ROW), ([, event = '', meaning = '', remedy = '']) => [
      event,
      { meaning: plain(meaning), remedy: plain(remedy) },
    ]),
  );
}
