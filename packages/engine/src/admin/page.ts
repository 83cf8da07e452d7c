import { LIMITS } from '@rivulet/protocol';
import { queryParameters } from '../http/request/request-target.js';
import type { TurnBudget } from '../structures/turn-budget.js';
import { type Answer, AnswerError, textAnswer } from './answer.js';

/** Name of the process in each row. An engine of one process has this one. */
export const PROCESS = 'main';

/**
 * Milliseconds of work on a list in one turn. Node runs two turns without a look at its timers: one that a request begins, and one that
 * waits for the end of that one. Both together stay below 10 ms.
 */
export const LIST_MS = 4;
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
  return pageQueryOf(readOnly(query, 'limit', 'after'));
}

/** Returns the page of these parameters. Throws `AnswerError`. */
export function pageQueryOf({ limit, after }: Readonly<Record<string, string | undefined>>): PageQuery {
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

/** Writes a page row by row, so that no turn of the event loop pays for all rows. */
export class PageWriter {
  readonly #turns: TurnBudget;
  readonly #rows: string[] = [];
  #chars = 0;

  constructor(turns: TurnBudget) {
    this.#turns = turns;
  }

  get count(): number {
    return this.#rows.length;
  }

  /** UTF-16 code units of the rows. */
  get chars(): number {
    return this.#chars;
  }

  async add<T>(entry: T, rowOf: (entry: T) => Row): Promise<void> {
    await this.#turns.free(LIST_MS);
    const row = JSON.stringify({ process: PROCESS, ...rowOf(entry) });
    this.#chars += row.length;
    this.#rows.push(row);
  }

  async addAll<T>(entries: readonly T[], rowOf: (entry: T) => Row): Promise<void> {
    for (const entry of entries) await this.add(entry, rowOf);
  }

  /** Returns the page. `next` is absent at the end of the list. `beside` has further members of the answer. */
  answer(next?: string, beside: Row = {}): Answer {
    const end = next === undefined ? '' : `,"next":${JSON.stringify(next)}`;
    const others = Object.entries(beside).map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`);
    return textAnswer(200, `{"rows":[${this.#rows.join(',')}]${end}${others.join('')}}`);
  }
}

/** Refuses all parameters but the named ones. Throws `AnswerError`. */
export function readOnly(query: string, ...names: readonly string[]): Readonly<Record<string, string | undefined>> {
  const parameters = queryParameters(query);
  refuseOthers(Object.fromEntries(Object.entries(parameters).filter(([name]) => !names.includes(name))));
  return parameters;
}

export interface Selection<T> {
  /** Largest number of entries. */
  readonly limit: number;
  /** Returns whether an entry belongs to the list, and comes after the page before. */
  readonly isAfter: (entry: T) => boolean;
  readonly compare: (one: T, other: T) => number;
}

/** Entries that are read, or sorted into the page, before the length of the turn is checked. */
const ENTRIES_AT_ONCE = 256;

/**
 * Returns the first entries of an unsorted list, in order, and whether more follow. It reads the list over several turns and keeps one
 * page and some entries, so no turn pays for the whole list. Entries that come or go meanwhile may be in the page or not.
 */
export async function firstOf<T>(
  all: Iterable<T>,
  { limit, isAfter, compare }: Selection<T>,
  turns: TurnBudget,
): Promise<{ readonly entries: readonly T[]; readonly more: boolean }> {
  // One entry more than the page shows whether the list goes on.
  const most = limit + 1;
  const kept: T[] = [];
  /** The greatest entry that can still be needed. */
  let bound: T | undefined;
  let read = 0;
  let unsorted = 0;
  for (const entry of all) {
    if (read++ % ENTRIES_AT_ONCE === 0) await turns.free(LIST_MS);
    if (!isAfter(entry) || (bound !== undefined && compare(entry, bound) >= 0)) continue;
    kept.push(entry);
    if (++unsorted < ENTRIES_AT_ONCE) continue;
    await turns.free(LIST_MS);
    // The entries before the new ones are in order already, so this costs little.
    kept.sort(compare);
    unsorted = 0;
    if (kept.length > most) kept.length = most;
    bound = kept[limit];
  }
  await turns.free(LIST_MS);
  kept.sort(compare);
  return { entries: kept.slice(0, limit), more: kept.length > limit };
}
