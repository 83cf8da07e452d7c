import { LIMITS } from '@rivulet/protocol';
import { namespaceOf } from '../core/fabric/function-registry.js';
import { JsonPayload } from '../core/fabric/invocation.js';
import type { WorkerSession } from '../core/workers/worker-session.js';
import type { EngineParts } from '../metrics/engine-parts.js';
import type { StreamSession } from '../stream/session/stream-session.js';
import { systemClock } from '../structures/clock.js';
import { TurnBudget } from '../structures/turn-budget.js';
import type { AdminRequest } from './admin-listener.js';
import { type Answer, AnswerError, textAnswer } from './answer.js';
import { callBuiltin } from './outcome.js';
import { PROCESS, pageAnswer, pageOfSorted, type Row, readPage } from './page.js';
import type { RouteRow } from './routes.js';

/** Sessions that are skipped before the length of the turn is checked. */
const SKIPPED_PER_CHECK = 4_096;
const TURNS = TurnBudget.of(systemClock);

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
  const { limit, after } = readPage(query);
  if (streams === undefined) return pageAnswer([], undefined);
  const { names, more } = await streams.store.streamsPage({ limit, after, chars: LIMITS.adminPageChars });
  return pageAnswer(
    names.map((stream) => ({ stream })),
    more ? names.at(-1) : undefined,
  );
}

/** The groups that have an item, with the figures of those that clients watch. */
async function listGroups({ streams }: EngineParts, { query, parameters }: AdminRequest): Promise<Answer> {
  const { limit, after } = readPage(query);
  const { stream = '' } = parameters;
  if (streams === undefined) return pageAnswer([], undefined);
  const { names, more } = await streams.store.groupsPage(stream, { limit, after, chars: LIMITS.adminPageChars });
  const rows = names.map((group): Row => {
    const { subscriptions = 0, logChanges = 0, logBytes = 0 } = streams.hub.watched(stream, group) ?? {};
    return { stream, group, subscriptions, log_changes: logChanges, log_bytes: logBytes };
  });
  return pageAnswer(rows, more ? names.at(-1) : undefined);
}

/** The rows come from the store as text, and go into the page as they are. */
function listItems({ fabric }: EngineParts, { query, parameters }: AdminRequest): Promise<Answer> {
  const { limit, after } = readPage(query);
  const { stream = '', group = '' } = parameters;
  const payload = JsonPayload.ofValue({
    stream_name: stream,
    group_id: group,
    with_ids: true,
    with_next: true,
    limit,
    after: after ?? null,
  });
  return callBuiltin(fabric, { functionId: 'stream::list', payload }, (result = '{"items":[]}') =>
    textAnswer(200, `{"process":${JSON.stringify(PROCESS)},"rows":${result.slice('{"items":'.length)}`),
  );
}

/** The stream clients in the order of their connections. A long list is skipped over several turns. */
async function listSessions({ streams }: EngineParts, { query }: AdminRequest): Promise<Answer> {
  const { limit, after } = readPage(query);
  const from = after === undefined ? 0 : Number(after);
  if (!Number.isSafeInteger(from)) throw new AnswerError(400, 'INVALID_ARGUMENTS', 'after must be the next of an earlier page');
  const rows: Row[] = [];
  let last = 0;
  let skipped = 0;
  for (const session of streams?.gateway.sessions ?? []) {
    if (session.number <= from) {
      if (++skipped % SKIPPED_PER_CHECK === 0) await TURNS.free();
      continue;
    }
    if (rows.length >= limit) return pageAnswer(rows, String(last));
    await TURNS.free();
    rows.push(sessionRow(session));
    last = session.number;
  }
  return pageAnswer(rows, undefined);
}

function sessionRow(session: StreamSession): Row {
  return {
    session_id: session.sessionId,
    identity: session.identity ?? null,
    address: session.remoteAddress,
    subscriptions: session.subscriptions,
    positions: session.positions,
    lag: session.lag,
    unsent_bytes: session.ownedBytes,
  };
}

function listWorkers({ workers }: EngineParts, { query }: AdminRequest): Answer {
  const all = workers.sessions().toSorted((one, other) => (one.workerId < other.workerId ? -1 : 1));
  const { entries, next } = pageOfSorted(all, readPage(query), ({ workerId }) => workerId);
  return pageAnswer(entries.map(workerRow), next);
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

function listFunctions({ fabric, introspection }: EngineParts, { query }: AdminRequest): Answer {
  const keyOf = (entry: Parameters<typeof namespaceOf>[0]) => `${entry.id} ${namespaceOf(entry)}`;
  const all = fabric.functions.list().toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  const { entries, next } = pageOfSorted(all, readPage(query), keyOf);
  const rows = introspection.functionRows(entries).map((row) => ({
    function_id: row.function_id,
    namespace: row.namespace,
    worker_name: row.worker_name,
    description: row.description ?? null,
  }));
  return pageAnswer(rows, next);
}

function listTriggers({ fabric, introspection }: EngineParts, { query }: AdminRequest): Answer {
  const all = fabric.triggers.bindings().sort((one, other) => (one.id < other.id ? -1 : 1));
  const { entries, next } = pageOfSorted(all, readPage(query), ({ id }) => id);
  const rows = introspection.bindingRows(entries).map((row) => ({
    id: row.id,
    trigger_type: row.trigger_type,
    function_id: row.function_id,
    namespace: row.namespace,
    worker_name: row.worker_name,
    state: row.state,
    config_summary: row.config_summary,
  }));
  return pageAnswer(rows, next);
}
