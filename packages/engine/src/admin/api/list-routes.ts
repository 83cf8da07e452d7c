import { LIMITS } from '@rivulet/protocol';
import { type Builtin, namespaceOf, type Registration } from '../../core/fabric/function-registry.js';
import { JsonPayload } from '../../core/fabric/invocation.js';
import type { WorkerSession } from '../../core/workers/worker-session.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import { listGroup } from '../../store/callers/list-group.js';
import { nextText } from '../../store/callers/list-names.js';
import { ListSlots } from '../../store/callers/list-slots.js';
import { requireId } from '../../store/shared/ids.js';
import type { GroupRef } from '../../store/store.js';
import type { StreamSession } from '../../stream/session/stream-session.js';
import { systemClock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError, textAnswer } from '../answer.js';
import { callBuiltin } from '../outcome.js';
import { firstOf, LIST_MS, PageWriter, PROCESS, type Row } from '../page.js';
import type { RouteRow } from '../routes.js';
import { type Matches, pageOfNames, readSearch, type SearchQuery } from '../search.js';

/** Sessions that are skipped before the length of the turn is checked. */
const SKIPPED_PER_CHECK = 4_096;
/** Sessions that are compared with a search before the length of the turn is checked. */
const SEARCHED_PER_CHECK = 256;
const TURNS = TurnBudget.of(systemClock);
const LISTS = new ListSlots();

type Searching = SearchQuery & { readonly matches: Matches };

/** The lists of `/api`. They need the viewer's token. */
export function listRoutes(parts: EngineParts): readonly RouteRow[] {
  const get = (path: string, handle: RouteRow['handle']): RouteRow => ({ method: 'GET', path, need: 'viewer', handle });
  return [
    get('/api/streams', (request) => listStreams(parts, request)),
    get('/api/streams/{stream}/groups', (request) => listGroups(parts, request)),
    get('/api/streams/{stream}/groups/{group}/items', (request) => listItems(parts, request)),
    get('/api/sessions', (request) => listSessions(parts, request)),
    get('/api/workers', (request) => listWorkers(parts, request)),
    get('/api/functions', (request) => listFunctions(parts, request)),
    get('/api/triggers', (request) => listTriggers(parts, request)),
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

/** The stream clients in the order of their connections. A long list is skipped over several turns. */
async function listSessions({ streams }: EngineParts, { query }: AdminRequest): Promise<Answer> {
  const { limit, after, matches } = readSearch(query);
  const from = Number(after ?? 0);
  if (!/^\d{1,16}$/.test(after ?? '0') || !Number.isSafeInteger(from))
    throw new AnswerError(400, 'INVALID_ARGUMENTS', 'after must be the next of an earlier page');
  const page = new PageWriter(TURNS);
  let last = 0;
  let skipped = 0;
  let searched = 0;
  for (const session of streams?.gateway.sessions ?? []) {
    if (session.number <= from) {
      if (++skipped % SKIPPED_PER_CHECK === 0) await TURNS.free(LIST_MS);
      continue;
    }
    if (page.count >= limit || searched >= LIMITS.adminSearchRows) return page.answer(String(last));
    if (matches !== undefined) {
      if (++searched % SEARCHED_PER_CHECK === 0) await TURNS.free(LIST_MS);
      last = session.number;
      if (!isFound(session, matches)) continue;
    }
    await page.add(session, sessionRow);
    last = session.number;
  }
  return page.answer();
}

/** An id that nobody has read yet does not exist, so nobody can search for it. */
function isFound(session: StreamSession, matches: Matches): boolean {
  const { identity, knownSessionId: id, remoteAddress } = session;
  return (identity !== undefined && matches(identity)) || (id !== undefined && matches(id)) || matches(remoteAddress);
}

function sessionRow(session: StreamSession): Row {
  return {
    session_id: session.sessionId,
    identity: session.identity ?? null,
    address: session.remoteAddress,
    peer: session.peerAddress,
    transport: session.transport,
    subscriptions: session.subscriptions,
    positions: session.positions,
    lag: session.lag,
    unsent_bytes: session.ownedBytes,
  };
}

async function listWorkers({ workers }: EngineParts, request: AdminRequest): Promise<Answer> {
  const texts = ({ workerId, announcement, namespace, remoteAddress }: WorkerSession) => [
    workerId,
    announcement?.name ?? '',
    namespace,
    remoteAddress,
  ];
  return sortedPage(workers.sessions(), request, ({ workerId }) => workerId, workerRow, texts);
}

function workerRow(session: WorkerSession): Row {
  const { announcement, access } = session;
  return {
    worker_id: session.workerId,
    name: announcement?.name ?? null,
    namespace: session.namespace,
    kind: access === undefined ? 'trusted' : 'guest',
    runtime: announcement?.runtime ?? null,
    version: announcement?.version ?? null,
    pid: announcement?.pid ?? null,
    address: session.remoteAddress,
    connected_at_ms: session.connectedAt,
    functions: session.functionIds.length,
    active_calls: session.runningCalls,
  };
}

async function listFunctions({ fabric, introspection }: EngineParts, { query }: AdminRequest): Promise<Answer> {
  const { limit, after, matches } = readSearch(query);
  const last = after === undefined ? undefined : readFunctionCursor(after);
  const isAfter = (entry: Registration | Builtin) =>
    (last === undefined || compareFunctions(entry, last.id, last.namespace) > 0) &&
    (matches === undefined || matches(entry.id) || matches(namespaceOf(entry)));
  const compare = (one: Registration | Builtin, other: Registration | Builtin) => compareFunctions(one, other.id, namespaceOf(other));
  const { entries, more } = await firstOf(fabric.functions.entries(), { limit, isAfter, compare }, TURNS);
  const rowOf = (entry: Registration | Builtin): Row => {
    const [row] = introspection.functionRows([entry]);
    return {
      function_id: entry.id,
      namespace: namespaceOf(entry),
      worker_name: row?.worker_name,
      description: entry.description ?? null,
    };
  };
  const end = more ? entries.at(-1) : undefined;
  const page = new PageWriter(TURNS);
  await page.addAll(entries, rowOf);
  return page.answer(end === undefined ? undefined : functionCursor(end));
}

/** The length of the namespace comes first, because both names may have any character. */
function functionCursor(entry: Registration | Builtin): string {
  const namespace = namespaceOf(entry);
  return `${namespace.length}:${namespace}${entry.id}`;
}

function readFunctionCursor(cursor: string): { readonly id: string; readonly namespace: string } {
  const [head = '', digits] = /^(\d{1,3}):/.exec(cursor) ?? [];
  if (digits === undefined) throw new AnswerError(400, 'INVALID_ARGUMENTS', 'after must be the next of an earlier page');
  const end = head.length + Number(digits);
  return { id: cursor.slice(end), namespace: cursor.slice(head.length, end) };
}

function compareFunctions(entry: Registration | Builtin, id: string, namespace: string): number {
  return compareNames(entry.id, id) || compareNames(namespaceOf(entry), namespace);
}

async function listTriggers({ fabric, introspection }: EngineParts, request: AdminRequest): Promise<Answer> {
  return sortedPage(
    fabric.triggers.eachBinding(),
    request,
    ({ id }) => id,
    (binding) => {
      const [row] = introspection.bindingRows([binding]);
      return {
        id: binding.id,
        trigger_type: binding.type,
        function_id: binding.functionId,
        namespace: row?.namespace,
        worker_name: row?.worker_name,
        state: row?.state,
        config_summary: row?.config_summary,
      };
    },
    ({ id, type, functionId }) => [id, type, functionId],
  );
}

/**
 * Returns the page of a list in the order of its keys. A search looks into `textsOf`. The key of the last row is the cursor, so rows may
 * come and go between pages.
 */
async function sortedPage<T>(
  all: Iterable<T>,
  { query }: AdminRequest,
  keyOf: (entry: T) => string,
  rowOf: (entry: T) => Row,
  textsOf: (entry: T) => readonly string[],
): Promise<Answer> {
  const { limit, after, matches } = readSearch(query);
  const isAfter = (entry: T) =>
    (after === undefined || keyOf(entry) > after) && (matches === undefined || textsOf(entry).some((text) => matches(text)));
  const compare = (one: T, other: T) => compareNames(keyOf(one), keyOf(other));
  const { entries, more } = await firstOf(all, { limit, isAfter, compare }, TURNS);
  const end = more ? entries.at(-1) : undefined;
  const page = new PageWriter(TURNS);
  await page.addAll(entries, rowOf);
  return page.answer(end === undefined ? undefined : keyOf(end));
}

function compareNames(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
