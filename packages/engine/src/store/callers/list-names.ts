import { type JsonText, RivuletError } from '@rivulet/protocol';
import { type Clock, systemClock } from '../../structures/clock.js';
import { type NamesPage, type PageBounds, SortedNames } from '../../structures/sorted-names.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { StreamStore } from '../store.js';

/** Names that are handled between two looks at the clock. */
const NAMES_AT_ONCE = 256;

/** Which part of a list of names a caller wants. */
export interface NamesQuery {
  /** `undefined`: all, or RESULT_TOO_LARGE. */
  readonly limit: number | undefined;
  readonly after: string | undefined;
  /** UTF-8 bytes of the answer. A page ends there. */
  readonly maxBytes: number;
}

export interface NamesList {
  /** The names as JSON, with commas between them. */
  readonly text: JsonText;
  /** UTF-8 bytes of `text`. */
  readonly bytes: number;
  readonly count: number;
  /** The last name of the page. */
  readonly last: string | undefined;
  /** The same when there are others behind; `undefined` at the end of the list. */
  readonly next: string | undefined;
}

/** What a query may take from a store. */
export function boundsOf({ limit, after, maxBytes }: NamesQuery): PageBounds {
  return { after, limit: limit ?? Number.POSITIVE_INFINITY, chars: maxBytes };
}

/** A page of the groups of a stream, also of a store that has no pages. */
export async function groupsPage(store: StreamStore, stream: string, bounds: PageBounds): Promise<NamesPage> {
  return store.groupsPage === undefined ? sortedPage(await store.groups(stream), bounds) : store.groupsPage(stream, bounds);
}

export async function streamsPage(store: StreamStore, bounds: PageBounds): Promise<NamesPage> {
  return store.streamsPage === undefined ? sortedPage(await store.streams(), bounds) : store.streamsPage(bounds);
}

/** A page of names that are all there, in any order. The event loop turns meanwhile. */
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
 * Writes a page of names as JSON. With a limit it ends at the bound of bytes; without one it throws RESULT_TOO_LARGE when there are
 * more names, and so does a first name that is too large.
 */
export async function writeNames(page: NamesPage, { limit, maxBytes }: NamesQuery, clock: Clock = systemClock): Promise<NamesList> {
  const turns = TurnBudget.of(clock);
  // Joined in parts, as one join of many texts takes long.
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

export function namesTooLarge(maxBytes: number): RivuletError {
  return new RivuletError(
    'RESULT_TOO_LARGE',
    `the list is larger than the caller's message limit of ${maxBytes} bytes; page it with limit and after`,
  );
}

/** Member of an answer that says where its list goes on; nothing at the end of the list. */
export function nextText(next: string | undefined): string {
  return next === undefined ? '' : `,"next":${JSON.stringify(next)}`;
}
