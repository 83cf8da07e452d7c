/**
 * The outcome of a check: `true`, or the reason why it failed.
 * @typedef {true | string} Outcome
 */

/**
 * The measurement of one runtime. `conformance`: the rules that hold, and the ids of those that fail, with the engine on this runtime.
 * `engine` and `peers`: the checks of the two smoke runs by their names.
 *
 * @typedef {{
 *   id: string, name: string, version: string,
 *   conformance: { hold: number, failing: readonly string[] },
 *   engine: Readonly<Record<string, Outcome>>, peers: Readonly<Record<string, Outcome>>,
 * }} Measurement
 */

/** @typedef {{ date: string, platform: string, measurements: readonly Measurement[] }} Measured */

/**
 * Reasons why a runtime does not support something, by `runtime/side/check`. The page shows them. A failure without one fails the command.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const UNSUPPORTED = {
  'node-20/peers/own WebSocket': 'Node 20 has no WebSocket of its own. Give the class of `ws` as the option `WebSocket` of the client.',
};

/**
 * Returns the tables of docs/runtimes.md: one for the engine, one for SDK and client, and the reasons.
 *
 * @param {Measured} measured
 */
export function matrixOf({ date, platform, measurements }) {
  const head = ['', ...measurements.map(({ name, version }) => `${name} (${version})`)];
  /** @type {string[]} */
  const reasons = [];
  /** @param {'engine' | 'peers'} side @param {Measurement} measurement @param {string} check */
  const cell = (side, { id, [side]: outcomes }, check) => {
    if (outcomes[check] === true) return 'yes';
    const reason = UNSUPPORTED[`${id}/${side}/${check}`];
    if (reason === undefined) return outcomes[check] === undefined ? '' : 'no';
    if (!reasons.includes(reason)) reasons.push(reason);
    return `no (${reasons.indexOf(reason) + 1})`;
  };
  /** @param {'engine' | 'peers'} side */
  const rowsOf = (side) =>
    [...new Set(measurements.flatMap((each) => Object.keys(each[side])))].map((check) => [
      check,
      ...measurements.map((each) => cell(side, each, check)),
    ]);
  const conformance = measurements.map(({ conformance: { hold, failing } }) => `${hold} of ${hold + failing.length}`);
  const engine = table([['Engine', ...head.slice(1)], ['conformance, rules that hold', ...conformance], ...rowsOf('engine')]);
  const peers = table([['SDK and client', ...head.slice(1)], ...rowsOf('peers')]);
  const list = reasons.map((reason, n) => `${n + 1}. ${reason}`);
  return [`Measured on ${date}, ${platform}:`, engine, peers, ...(list.length === 0 ? [] : [list.join('\n')])].join('\n\n');
}

/**
 * Returns the failures without a documented reason, one line for each.
 *
 * @param {readonly Measurement[]} measurements
 */
export function unexplained(measurements) {
  return measurements.flatMap(({ id, conformance: { failing }, engine, peers }) => [
    ...failing.map((rule) => `${id}/conformance/${rule}`),
    ...Object.entries({ engine, peers }).flatMap(([side, outcomes]) =>
      Object.entries(outcomes)
        .filter(([check, outcome]) => outcome !== true && UNSUPPORTED[`${id}/${side}/${check}`] === undefined)
        .map(([check, outcome]) => `${id}/${side}/${check}: ${outcome}`),
    ),
  ]);
}

/**
 * Returns a page with these tables in place of what it has between two marks. Throws when a mark is missing.
 *
 * @param {string} page @param {string} matrix
 */
export function withMatrix(page, matrix) {
  const section = /<!-- measured -->[\s\S]*?<!-- end -->/;
  if (!section.test(page)) throw new Error('the page has no place for the tables: give it the lines <!-- measured --> and <!-- end -->');
  return page.replace(section, () => `<!-- measured -->\n\n${matrix}\n\n<!-- end -->`);
}

/** @param {readonly (readonly string[])[]} rows */
function table(rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return lines.join('\n');
}
