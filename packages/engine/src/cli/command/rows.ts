import { printable } from '../../logging/printable.js';
import type { CommandContext } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { fail, failureOf } from './failure.js';

/** A row of a list. `value` is for programs, `cells` are for people. */
export interface Row {
  readonly value: unknown;
  readonly cells: readonly string[];
}

export interface RowsOptions {
  readonly json: boolean;
  /** The member of the JSON value that holds the rows. */
  readonly name: string;
  /** The headings of the cells. */
  readonly columns: readonly string[];
}

/** The widest column, except for the last one. A longer cell moves the rest of its row. */
const WIDEST = 40;

/**
 * Prints a list page by page, so that only one page is in memory. With `json` the output is one object, which ends with `ok` and with the
 * error if there is one. Otherwise it is a table, whose columns are as wide as those of the first page need.
 */
export async function printRows(context: CommandContext, options: RowsOptions, pages: AsyncIterable<readonly Row[]>): Promise<ExitCode> {
  const { json, name, columns } = options;
  let widths: readonly number[] | undefined;
  let rows = 0;
  if (json) context.out(`{${JSON.stringify(name)}:[`);
  try {
    for await (const page of pages) {
      if (json) context.out(page.map(({ value }) => `${rows++ === 0 ? '\n' : ',\n'}${JSON.stringify(value)}`).join(''));
      else {
        const cells = page.map((row) => row.cells.map(printable));
        const all = widths === undefined ? [columns, ...cells] : cells;
        widths ??= columns.map((_, index) => Math.min(WIDEST, Math.max(...all.map((each) => each[index]?.length ?? 0))));
        for (const each of all) context.out(lineOf(each, widths, context.columns));
      }
      await context.unread?.taken();
      if (context.outputClosed?.aborted === true) return EXIT.ok;
    }
  } catch (error) {
    if (!json) return fail(error, context, false);
    const { code, message, exit } = failureOf(error);
    context.out(`\n],"ok":false,"error":${JSON.stringify({ code, message })}}\n`);
    return exit;
  }
  if (json) context.out('\n],"ok":true}\n');
  return EXIT.ok;
}

function lineOf(cells: readonly string[], widths: readonly number[], columns = Number.POSITIVE_INFINITY): string {
  const line = cells.map((cell, index) => (index === cells.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  ');
  return `${line.length > columns ? `${line.slice(0, columns - 1)}…` : line}\n`;
}
