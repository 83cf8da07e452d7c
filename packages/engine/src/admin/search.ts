import { LIMITS } from '@rivulet/protocol';
import type { NamesPage, PageBounds } from '../structures/sorted-names.js';
import type { TurnBudget } from '../structures/turn-budget.js';
import { AnswerError } from './answer.js';
import { LIST_MS, type PageQuery, pageQueryOf, readOnly } from './page.js';

/** Longest search, in UTF-16 code units. No name is longer. */
const MOST_CHARS = 1_024;
/** Names that are compared before the length of the turn is checked. */
const NAMES_AT_ONCE = 256;

/** Returns whether a text belongs to the result of a search. */
export type Matches = (text: string) => boolean;

export interface SearchQuery extends PageQuery {
  /** `undefined`: the request has no `search`. */
  readonly matches: Matches | undefined;
}

/** Reads `limit`, `after` and `search`, and `worker` where a list takes it. Throws `AnswerError`. */
export function readSearch(query: string, ...more: readonly 'worker'[]): SearchQuery & { readonly worker: string | undefined } {
  const { limit, after, search, worker } = readOnly(query, 'limit', 'after', 'search', ...more);
  const page = { ...pageQueryOf({ limit, after }), worker };
  if (search === undefined || search === '') return { ...page, matches: undefined };
  if (search.length > MOST_CHARS) throw new AnswerError(400, 'INVALID_ARGUMENTS', `search may have ${MOST_CHARS} characters`);
  const wanted = search.toLowerCase();
  return { ...page, matches: (text) => text.toLowerCase().includes(wanted) };
}

interface Found {
  readonly names: readonly string[];
  /** The name after which the next page begins; `undefined` at the end of the list. */
  readonly next: string | undefined;
}

/** Returns a page of names. A search reads at most `LIMITS.adminSearchRows` names, so its page may be short and have a successor. */
export async function pageOfNames(
  read: (bounds: PageBounds) => Promise<NamesPage>,
  { limit, after, matches }: SearchQuery,
  turns: TurnBudget,
): Promise<Found> {
  const chars = LIMITS.adminPageChars;
  if (matches === undefined) {
    const { names, more } = await read({ limit, after, chars });
    return { names, next: more ? names.at(-1) : undefined };
  }
  const found: string[] = [];
  let last = after;
  for (let left: number = LIMITS.adminSearchRows; left > 0; ) {
    const { names, more } = await read({ limit: left, after: last, chars });
    for (const [index, name] of names.entries()) {
      if (index % NAMES_AT_ONCE === 0) await turns.free(LIST_MS);
      last = name;
      if (matches(name) && found.push(name) === limit) return { names: found, next: more || index < names.length - 1 ? last : undefined };
    }
    if (!more || names.length === 0) return { names: found, next: undefined };
    left -= names.length;
  }
  return { names: found, next: last };
}
