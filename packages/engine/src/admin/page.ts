import { LIMITS } from '@rivulet/protocol';
import { queryParameters } from '../http/request/request-target.js';
import { type Answer, AnswerError, jsonAnswer } from './answer.js';

/** Name of the process in each row. An engine of one process has this one. */
export const PROCESS = 'main';

/** Rows of a page without `limit`. */
const ROWS = 100;
/** Longest `after`: a cursor, or a name with all its characters encoded. */
const MOST_AFTER_CHARS = 4_096;

/** The page that a request wants. */
export interface PageQuery {
  readonly limit: number;
  /** The `next` of the page before, or `undefined` for the first page. */
  readonly after: string | undefined;
}

export type Row = Readonly<Record<string, unknown>>;

/** Reads `limit` and `after`. Throws `AnswerError`. Other parameters are an error too, because a misspelt one would change the page. */
export function readPage(query: string): PageQuery {
  const { limit, after, ...others } = queryParameters(query);
  refuseOthers(others);
  return {
    limit: limit === undefined ? ROWS : readWhole('limit', limit, LIMITS.adminPageRows),
    after: after === undefined || after === '' ? undefined : readAfter(after),
  };
}

/** Reads a whole number from 1 to `most`. Throws `AnswerError`. */
export function readWhole(name: string, text: string, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw new AnswerError(400, 'INVALID_ARGUMENTS', `${name} must be a whole number from 1 to ${most}`);
  return value;
}

export function refuseOthers(others: Readonly<Record<string, string>>): void {
  const [name] = Object.keys(others);
  if (name !== undefined)
    throw new AnswerError(400, 'INVALID_ARGUMENTS', `this path has no parameter ${JSON.stringify(name.slice(0, 64))}`);
}

function readAfter(after: string): string {
  if (after.length > MOST_AFTER_CHARS) throw new AnswerError(400, 'INVALID_ARGUMENTS', 'after must be the next of an earlier page');
  return after;
}

/** Returns a page of rows. `next` is absent at the end of the list. */
export function pageAnswer(rows: readonly Row[], next: string | undefined): Answer {
  const named = rows.map((row) => ({ process: PROCESS, ...row }));
  return jsonAnswer(200, next === undefined ? { rows: named } : { rows: named, next });
}

/** Returns the page of a list that is sorted by `keyOf`. The key of the last row is the cursor, so rows may come and go between pages. */
export function pageOfSorted<T>(
  all: readonly T[],
  { limit, after }: PageQuery,
  keyOf: (entry: T) => string,
): { readonly entries: readonly T[]; readonly next: string | undefined } {
  const from = after === undefined ? 0 : firstAfter(all, after, keyOf);
  const entries = all.slice(from, from + limit);
  const last = entries.at(-1);
  return { entries, next: last === undefined || from + limit >= all.length ? undefined : keyOf(last) };
}

function firstAfter<T>(all: readonly T[], after: string, keyOf: (entry: T) => string): number {
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyOf(all[middle] as T) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
