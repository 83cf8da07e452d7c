/** Columns of the tables: the capabilities of each kind of client. A client is in the tables for which it has a cell. */
const CAPABILITIES = /** @type {const} */ ({
  Workers: ['calls', 'void', 'trigger types', 'triggers', 'streams', 'state', 'createStream', 'restart', 'telemetry'],
  'Stream clients': ['join', 'changes', 'events', 'order', 'reconnect', 'refusal', 'sub-protocols'],
});
/** @typedef {(typeof CAPABILITIES)[keyof typeof CAPABILITIES][number]} Capability */

/** @typedef {{ client: string, capability: string, passed: boolean }} Cell */

/**
 * The fields of a vitest test module that the matrix needs.
 * @typedef {{ result(): { state: string }, meta(): { clientMatrix?: { client: string, capability: string }[] } }} MatrixTest
 * @typedef {{ children: { allTests(): Iterable<MatrixTest> } }} MatrixModule
 */

/**
 * Returns the cells that tests stand for, one for each test and cell. Skipped tests are ignored.
 *
 * @param {Iterable<MatrixModule>} modules
 * @returns {Cell[]}
 */
export function collectCells(modules) {
  /** @type {Cell[]} */
  const cells = [];
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'skipped') continue;
      for (const { client, capability } of test.meta().clientMatrix ?? []) cells.push({ client, capability, passed: state === 'passed' });
    }
  }
  return cells;
}

/**
 * Returns the tables as Markdown. A cell is `yes` if all its tests passed, `no` if one failed, and empty if it has none.
 *
 * @param {readonly Cell[]} cells
 * @returns {string} empty when there are no cells
 */
export function matrixTables(cells) {
  return Object.entries(CAPABILITIES)
    .map(([kind, columns]) => table(kind, columns, cells))
    .filter((text) => text !== '')
    .join('\n');
}

/**
 * Returns whether a page contains the rows of the tables. Rows of clients that did not run are ignored, unless `complete` is set.
 *
 * @param {string} page
 * @param {string} tables
 * @param {boolean} complete every client was run: the page must hold no other row
 */
export function isDocumented(page, tables, complete) {
  const [documented, shown] = [rowsOf(page), rowsOf(tables)];
  return shown.size > 0 && [...shown].every((line) => documented.has(line)) && (!complete || page.includes(tables));
}

/**
 * Returns the rows of tables without the padding of their columns.
 *
 * @param {string} text
 */
function rowsOf(text) {
  const lines = text.split('\n').filter((line) => /^\|[^-]/.test(line));
  return new Set(lines.map((line) => line.replaceAll(/ +/g, ' ')));
}

/**
 * @param {string} kind
 * @param {readonly string[]} columns
 * @param {readonly Cell[]} cells
 * @returns {string}
 */
function table(kind, columns, cells) {
  const clients = [...new Set(cells.filter(({ capability }) => columns.includes(capability)).map(({ client }) => client))];
  if (clients.length === 0) return '';
  clients.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const width = Math.max(kind.length, ...clients.map((client) => client.length));
  const rows = clients.map((client) => row(client, width, columns, (column) => verdict(cells, client, column)));
  const rule = `|${'-'.repeat(width + 2)}|${columns.map((column) => '-'.repeat(column.length + 2)).join('|')}|`;
  return `${[row(kind, width, columns, (column) => column), rule, ...rows].join('\n')}\n`;
}

/**
 * @param {string} head
 * @param {number} width
 * @param {readonly string[]} columns
 * @param {(column: string) => string} cell
 */
function row(head, width, columns, cell) {
  return `| ${head.padEnd(width)} | ${columns.map((column) => cell(column).padEnd(column.length)).join(' | ')} |`;
}

/**
 * @param {readonly Cell[]} cells
 * @param {string} client
 * @param {string} column
 */
function verdict(cells, client, column) {
  const own = cells.filter((cell) => cell.client === client && cell.capability === column);
  if (own.length === 0) return '';
  return own.every(({ passed }) => passed) ? 'yes' : 'no';
}
