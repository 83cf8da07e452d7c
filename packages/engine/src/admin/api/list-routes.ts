import { LIMITS } from '@rivulet/protocol';
import { JsonPayload } from '../../core/fabric/invocation.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import { listGroup } from '../../store/callers/list-group.js';
import { nextText } from '../../store/callers/list-names.js';
import { ListSlots } from '../../store/callers/list-slots.js';
import { requireId } from '../../store/shared/ids.js';
import type { GroupRef } from '../../store/store.js';
import { systemClock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, textAnswer } from '../answer.js';
import { callBuiltin } from '../outcome.js';
import { PageWriter, PROCESS } from '../page.js';
import type { RouteRow } from '../routes.js';
import { type Matches, pageOfNames, readSearch, type SearchQuery } from '../search.js';

const TURNS = TurnBudget.of(systemClock);
const LISTS = new ListSlots();

type Searching = SearchQuery & { readonly matches: Matches };

/** The lists of streams, groups and items. They need the viewer's token. */
export function listRoutes(parts: EngineParts): readonly RouteRow[] {
  const get = (path: string, handle: RouteRow['handle']): RouteRow => ({ method: 'GET', path, need: 'viewer', handle });
  return [
    get('/api/streams', (request) => listStreams(parts, request)),
    get('/api/streams/{stream}/groups', (request) => listGroups(parts, request)),
    get('/api/streams/{stream}/groups/{group}/items', (request) => listItems(parts, request)),
  ];
}

async function listStreams({ streams }: EngineParts, { query }: AdminRequest): Promise<Answer> {
  const search = readSearch(query);
  if (search.after !== undefined) requireId(search.after, 'after');
  const page = new PageWriter(TURNS);
  if (streams === undefined) return page.answer();
  const { names, next } = await pageOfNames((bounds) => streams.store.streamsPage(bounds), search, TURNS);
  await page.addAll(names, (stream) => ({ stream }));
  return page.answer(next);
}

/** The groups that have an item, with the figures of those that clients watch. */
async function listGroups({ streams }: EngineParts, { query, parameters }: AdminRequest): Promise<Answer> {
  const search = readSearch(query);
  const { stream = '' } = parameters;
  requireId(stream, 'stream');
  if (search.after !== undefined) requireId(search.after, 'after');
  const page = new PageWriter(TURNS);
  if (streams === undefined) return page.answer();
  const { names, next } = await pageOfNames((bounds) => streams.store.groupsPage(stream, bounds), search, TURNS);
  await page.addAll(names, (group) => {
    const fanout = streams.hub.fanout({ stream, group });
    return { stream, group, subscriptions: fanout?.size ?? 0, log_changes: fanout?.log.length ?? 0, log_bytes: fanout?.log.bytes ?? 0 };
  });
  return page.answer(next);
}

/** The rows come from the store as text, and go into the page as they are. */
function listItems(parts: EngineParts, { query, parameters }: AdminRequest): Promise<Answer> {
  const search = readSearch(query);
  const { stream = '', group = '' } = parameters;
  const { limit, after, matches } = search;
  if (matches !== undefined) return searchItems(parts, { stream, group }, { ...search, matches });
  const payload = JsonPayload.ofValue({
    stream_name: stream,
    group_id: group,
    with_ids: true,
    with_next: true,
    limit,
    after: after ?? null,
  });
  return callBuiltin(parts.fabric, { functionId: 'stream::list', payload }, (result = '{"items":[]}') =>
    textAnswer(200, `{"process":${JSON.stringify(PROCESS)},"rows":${result.slice('{"items":'.length)}`),
  );
}

/** The items whose id matches. The search reads the group as a list does, so it finds what has been written before. */
async function searchItems({ streams }: EngineParts, ref: GroupRef, { limit, after, matches }: Searching): Promise<Answer> {
  requireId(ref.stream, 'stream');
  requireId(ref.group, 'group');
  const { rows, next } =
    streams === undefined
      ? { rows: '[]', next: undefined }
      : await LISTS.run(() =>
          listGroup(streams.store.listed(ref.stream), ref, {
            row: ({ item, data }) => `{"id":${JSON.stringify(item)},"data":${data}}`,
            limit,
            after,
            maxBytes: LIMITS.adminItemsBytes,
            search: { wants: ({ item }) => matches(item), mostItems: LIMITS.adminSearchRows, mostChars: LIMITS.adminSearchChars },
          }),
        );
  return textAnswer(200, `{"process":${JSON.stringify(PROCESS)},"rows":${rows}${nextText(next)}}`);
}
