import { field, isJsonObject, type JsonObject, stringField } from '@rivulet/protocol';
import type { Command, CommandContext, CommandInput } from '../command/command.js';
import type { ExitCode } from '../command/exit-codes.js';
import { readCount } from '../command/numbers.js';
import { printRows, type Row } from '../command/rows.js';
import { ADMIN_OPTIONS, type AdminApi, withAdmin } from './admin-api.js';

/** Rows of one page. The listener ends a page earlier when it is too large. */
const PAGE_ROWS = 500;

export const ROWS_OPTIONS = {
  ...ADMIN_OPTIONS,
  limit: { type: 'value', value: 'NUMBER', description: 'the most rows; else all' },
  search: { type: 'value', value: 'TEXT', description: 'only rows with this text in a name; else all' },
  json: { type: 'flag', description: 'print one JSON value on stdout' },
} as const satisfies Command['options'];

export interface AdminList {
  /** The path below `/api`. */
  readonly path: string;
  /** The member of the JSON value that holds the rows. */
  readonly name: string;
  /** The heading of each column, with the member of the row that it shows. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Prints a list of the admin API, page by page. */
export function printAdminList(input: CommandInput, context: CommandContext, { path, name, columns }: AdminList): Promise<ExitCode> {
  return withAdmin(input, context, (api) => {
    const wanted = { most: readCount(input, 'limit'), search: input.value('search') };
    const pages = pagesOf(api, path, wanted, Object.values(columns));
    return printRows(context, { json: input.flag('json'), name, columns: Object.keys(columns) }, pages);
  });
}

interface Wanted {
  readonly most: number;
  readonly search: string | undefined;
}

async function* pagesOf(api: AdminApi, path: string, { most, search }: Wanted, members: readonly string[]): AsyncGenerator<readonly Row[]> {
  let rest = most;
  let after: string | undefined;
  do {
    const page = await api.get(path, { limit: Math.min(PAGE_ROWS, rest), after, search });
    const rows = field(page, 'rows');
    const objects = Array.isArray(rows) ? rows.filter(isJsonObject) : [];
    yield objects.map((row) => ({ value: row, cells: members.map((member) => cellOf(row, member)) }));
    rest -= objects.length;
    after = stringField(page, 'next');
  } while (after !== undefined && rest > 0);
}

function cellOf(row: JsonObject, member: string): string {
  const value = field(row, member);
  if (value === undefined || value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
