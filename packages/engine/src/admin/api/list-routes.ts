import { type JsonText, LIMITS } from '@rivulet/protocol';
import { JsonPayload } from '../../core/fabric/invocation.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import { listGroup } from '../../store/callers/list-group.js';
import { nextText } from '../../store/callers/list-names.js';
import { ListSlots } from '../../store/callers/list-slots.js';
import { requireId } from '../../store/shared/ids.js';
import type { GroupRef, StoredItem } from '../../store/store.js';
import { systemClock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, textAnswer } from '../answer.js';
import { callBuiltin } from '../outcome.js';
import { PageWriter, PROCESS } from '../page.js';
import type { RouteRow } from '../routes.js';
import { pageOfNames, readSearch, type SearchQuery } from '../search.js';

const TURNS = TurnBudget.of(systemClock);
const LISTS = new ListSlots();
/** The status of a page whose first item is too large. */
const TOO_LARGE = 413;

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

/** The rows come from the store as text, and go into the page as they are. A page whose first item is too large leaves out large values. */
async function listItems(parts: EngineParts, { query, parameters }: AdminRequest): Promise<Answer> {
  const search = readSearch(query);
  const { stream = '', group = '' } = parameters;
  const { limit, after, matches } = search;
  const ref = { stream, group };
  if (matches !== undefined) return readItems(parts, ref, search);
  const payload = JsonPayload.ofValue({
    stream_name: stream,
    group_id: group,
    with_ids: true,
    with_next: true,
    limit,
    after: after ?? null,
  });
  const answer = await callBuiltin(parts.fabric, { functionId: 'stream::list', payload }, (result = '{"items":[]}') =>
    itemsAnswer(result.slice('{"items":'.length)),
  );
  return answer.status === TOO_LARGE ? readItems(parts, ref, search) : answer;
}

/** `rows`: the rest of the answer behind the name of the rows. */
function itemsAnswer(rows: JsonText): Answer {
  return textAnswer(200, `{"process":${JSON.stringify(PROCESS)},"rows":${rows}`);
}

/** Reads the items of a search, or all items, without their large values. */
async function readItems({ streams }: EngineParts, ref: GroupRef, { limit, after, matches }: SearchQuery): Promise<Answer> {
  requireId(ref.stream, 'stream');
  requireId(ref.group, 'group');
  if (streams === undefined) return itemsAnswer('[]}');
  const { rows, next } = await LISTS.run(() =>
    listGroup(streams.store.listed(ref.stream), ref, {
      row: itemRow,
      limit,
      after,
      maxBytes: LIMITS.adminItemsBytes,
      search: {
        wants: ({ item }) => matches === undefined || matches(item),
        mostItems: LIMITS.adminSearchRows,
        mostChars: LIMITS.adminSearchChars,
      },
    }),
  );
  return itemsAnswer(`${rows}${nextText(next)}}`);
}

function itemRow({ item, data }: StoredItem): JsonText {
  const id = JSON.stringify(item);
  return data.length > LIMITS.adminSchemaChars
    ? `{"id":${id},"data":null,"data_left_out":true,"chars":${data.length}}`
    : `{"id":${id},"data":${data}}`;
}
