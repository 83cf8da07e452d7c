import { type JsonText, RivuletError } from '@rivulet/protocol';
import { type Clock, systemClock } from '../../structures/clock.js';
import { type NamesPage, type PageBounds, SortedNames } from '../../structures/sorted-names.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { StreamStore } from '../store.js';

/** Names that are processed between two reads of the clock. */
const NAMES_AT_ONCE = 256;

/** The page of a list of names that a caller wants. */
export interface NamesQuery {
  /** Names of the page. `undefined`: all names, or RESULT_TOO_LARGE. */
  readonly limit: number | undefined;
  /** The page begins behind this name; `undefined`: at the first name. */
  readonly after: string | undefined;
  /** The largest answer in UTF-8 bytes. A page ends before it would be larger. */
  readonly maxBytes: number;
}

export interface NamesList {
  /** The names as JSON texts, with commas between them. */
  readonly text: JsonText;
  /** UTF-8 bytes of `text`. */
  readonly bytes: number;
  readonly count: number;
  /** The last name of the page; `undefined` when the page is empty. */
  readonly last: string | undefined;
  /** The last name of the page when the list goes on; `undefined` at its end. */
  readonly next: string | undefined;
}

/** Returns the bounds of the page that a store must return for a query. */
export function boundsOf({ limit, after, maxBytes }: NamesQuery): PageBounds {
  return { after, limit: limit ?? Number.POSITIVE_INFINITY, chars: maxBytes };
}

/** Returns a page of the groups of a stream, also from a store without `groupsPage`. */
export async function groupsPage(store: StreamStore, stream: string, bounds: PageBounds): Promise<NamesPage> {
  return store.groupsPage === undefined ? sortedPage(await store.groups(stream), bounds) : store.groupsPage(stream, bounds);
}

/** Returns a page of the streams, also from a store without `streamsPage`. */
export async function streamsPage(store: StreamStore, bounds: PageBounds): Promise<NamesPage> {
  return store.streamsPage === undefined ? sortedPage(await store.streams(), bounds) : store.streamsPage(bounds);
}

/** Returns a page from all names, which may have any order. The event loop turns meanwhile. */
export async function sortedPage(names: readonly string[], bounds: PageBounds, clock: Clock = systemClock): Promise<NamesPage> {
  const turns = TurnBudget.of(clock);
  const sorted = new SortedNames(bounds);
  for (const [index, name] of names.entries()) {
    if (index % NAMES_AT_ONCE === 0) await turns.free();
    sorted.add(name);
  }
  return sorted.page(bounds);
}

/**
 * Writes a page of names as JSON. With a limit, the page ends at the bound of bytes. Without a limit, the function throws RESULT_TOO_LARGE
 * when the names do not fit. It also throws it when the first name does not fit.
 */
export async function writeNames(page: NamesPage, { limit, maxBytes }: NamesQuery, clock: Clock = systemClock): Promise<NamesList> {
  const turns = TurnBudget.of(clock);
  // One join of all texts would take too long, so each slice joins its own.
  const parts: JsonText[] = [];
  let texts: JsonText[] = [];
  let count = 0;
  let bytes = 0;
  let { more } = page;
  for (const [index, name] of page.names.entries()) {
    if (index % NAMES_AT_ONCE === 0) {
      if (texts.length > 0) parts.push(texts.join(','));
      texts = [];
      await turns.free();
    }
    const text = JSON.stringify(name);
    const size = Buffer.byteLength(text) + (index === 0 ? 0 : 1);
    if (bytes + size > maxBytes) {
      if (index === 0) throw namesTooLarge(maxBytes);
      more = true;
      break;
    }
    bytes += size;
    count++;
    texts.push(text);
  }
  if (more && limit === undefined) throw namesTooLarge(maxBytes);
  if (texts.length > 0) parts.push(texts.join(','));
  const last = page.names[count - 1];
  return { text: parts.join(','), bytes, count, last, next: more ? last : undefined };
}

/** The error for a list that does not fit the message limit of its caller. */
export function namesTooLarge(maxBytes: number): RivuletError {
  return new RivuletError(
    'RESULT_TOO_LARGE',
    `the list is larger than the caller's message limit of ${maxBytes} bytes; page it with limit and after`,
  );
}

/** Returns the member `next` of an answer as JSON; an empty text at the end of the list. */
export function nextText(next: string | undefined): string {
  return next === undefined ? '' : `,"next":${JSON.stringify(next)}`;
}
