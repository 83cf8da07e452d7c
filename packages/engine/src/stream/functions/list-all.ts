import { type JsonText, RivuletError } from '@rivulet/protocol';
import { boundsOf, type NamesQuery, namesTooLarge, writeNames } from '../../store/callers/list-names.js';
import type { NamesPage } from '../../store/store.js';
import type { WorkerBackedStore } from '../worker-store/worker-backed-store.js';

/** The last group of a page. The next page of all streams begins behind it. */
export interface GroupPlace {
  readonly stream: string;
  readonly group: string;
}

export interface AllQuery extends Omit<NamesQuery, 'after'> {
  readonly after: GroupPlace | undefined;
}

/** Number of streams whose names are read at once. */
const STREAMS_AT_ONCE = 1_000;
/** Bytes of the result around its rows. */
const ENVELOPE_BYTES = 128;

/**
 * Returns the streams that have groups, with their groups, as the result of `stream::list_all`. `limit` counts groups. A stream that does
 * not fit continues in the next page.
 */
export async function listAll(store: WorkerBackedStore, query: AllQuery): Promise<JsonText> {
  const { after, limit, maxBytes } = query;
  const rows: JsonText[] = [];
  let last: GroupPlace | undefined;
  let groups = 0;
  let bytes = ENVELOPE_BYTES;
  const ended = (next: boolean) => {
    const more =
      next && last !== undefined ? `,"next":{"stream":${JSON.stringify(last.stream)},"group":${JSON.stringify(last.group)}}` : '';
    return `{"stream":[${rows.join(',')}],"count":${rows.length}${more}}`;
  };
  for await (const { id, list } of streamsFrom(store, query)) {
    const head = `{"id":${JSON.stringify(id)},"groups":[`;
    const left = maxBytes - bytes - Buffer.byteLength(head) - 3;
    if (limit !== undefined && (groups >= limit || left <= 0)) return ended(true);
    if (left <= 0) throw namesTooLarge(maxBytes);
    const rest: NamesQuery = {
      limit: limit === undefined ? undefined : limit - groups,
      after: after?.stream === id ? after.group : undefined,
      maxBytes: left,
    };
    let row: Awaited<ReturnType<typeof writeNames>>;
    try {
      row = await writeNames(await list(rest), rest);
    } catch (error) {
      // Even the first name of this stream does not fit.
      if (limit !== undefined && groups > 0 && error instanceof RivuletError && error.code === 'RESULT_TOO_LARGE') return ended(true);
      throw error;
    }
    if (row.count === 0) continue;
    rows.push(`${head}${row.text}]}`);
    bytes += Buffer.byteLength(head) + row.bytes + 3;
    groups += row.count;
    last = { stream: id, group: row.last ?? '' };
    if (row.next !== undefined) return ended(true);
  }
  return ended(false);
}

type List = (query: NamesQuery) => Promise<NamesPage>;

/** Yields the streams from that of `after` on, each with a function that lists its groups. All workers of a page are called at once. */
async function* streamsFrom(
  store: WorkerBackedStore,
  { after, limit }: AllQuery,
): AsyncIterable<{ readonly id: string; readonly list: List }> {
  if (after !== undefined) yield { id: after.stream, list: (query) => store.listedPage(after.stream, boundsOf(query)) };
  for (let behind = after?.stream; ; ) {
    const { names, more } = await store.streamsPage({ after: behind, limit: STREAMS_AT_ONCE, chars: Number.POSITIVE_INFINITY });
    const served = store.listServed(limit === undefined ? names : names.slice(0, limit));
    for (const id of names) {
      const own = served.get(id);
      yield { id, list: (query) => (own === undefined ? store.listedPage(id, boundsOf(query)) : own(boundsOf(query))) };
    }
    behind = names.at(-1);
    if (!more || behind === undefined) return;
  }
}
