import { formatPosition, LIMITS } from '@rivulet/protocol';
import type { EngineParts } from '../../metrics/engine-parts.js';
import type { Membership, Subscription } from '../../stream/fanout/subscription.js';
import type { OpenRead } from '../../stream/reading/changes/change-reads.js';
import type { StreamSession } from '../../stream/session/stream-session.js';
import { systemClock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError, errorAnswer } from '../answer.js';
import { LIST_MS, PageWriter, PROCESS, type Row, readPage } from '../page.js';
import type { RouteRow } from '../routes.js';
import { readSearch } from '../search.js';

/** Entries that are skipped, and entries that are compared, before the length of the turn is checked. */
const SKIPPED_PER_CHECK = 4_096;
const SEARCHED_PER_CHECK = 256;
const TURNS = TurnBudget.of(systemClock);

/** The paths that show who is connected to the stream port. They need the viewer's token. */
export function sessionRoutes(parts: EngineParts): readonly RouteRow[] {
  const get = (path: string, handle: RouteRow['handle']): RouteRow => ({ method: 'GET', path, need: 'viewer', handle });
  return [
    get('/api/sessions', (request) => listSessions(parts, request)),
    get('/api/sessions/{session}', (request) => showSession(parts, request)),
    get('/api/reads', (request) => listReads(parts, request)),
  ];
}

/** The stream clients in the order of their connections. */
function listSessions({ streams }: EngineParts, request: AdminRequest): Promise<Answer> {
  const texts = ({ identity, knownSessionId, remoteAddress }: StreamSession) =>
    // An id that nobody has read yet does not exist, so nobody can search for it.
    [identity ?? '', knownSessionId ?? '', remoteAddress];
  return numberedPage(streams?.gateway.sessions ?? [], request, texts, sessionRow);
}

function sessionRow(session: StreamSession): Row {
  return {
    session_id: session.sessionId,
    identity: session.identity ?? null,
    address: session.remoteAddress,
    peer: session.peerAddress,
    transport: session.transport,
    connected_at_ms: session.connectedAtMs,
    expires_at_ms: session.expiresAtMs ?? null,
    subscriptions: session.subscriptions,
    positions: session.positions,
    lag: session.lag,
    unsent_bytes: session.ownedBytes,
    calls: session.unansweredCalls,
  };
}

/** One session, and a page of its joins. */
async function showSession({ streams }: EngineParts, { query, parameters }: AdminRequest): Promise<Answer> {
  const { limit, after } = readPage(query);
  const session = await sessionOf(streams?.gateway.sessions ?? [], parameters.session ?? '');
  if (session === undefined) return errorAnswer(404, 'NOT_FOUND', 'no session has this id; it may have ended');
  const page = new PageWriter(TURNS);
  let isBegun = after === undefined;
  let last: string | undefined;
  for (const [id, membership] of session.joins()) {
    if (!isBegun) {
      isBegun = id === after;
      continue;
    }
    if (page.count >= limit) return page.answer(last, { session: ownRow(session) });
    await page.add(membership, joinRow);
    last = id;
  }
  if (!isBegun) throw new AnswerError(400, 'INVALID_ARGUMENTS', 'the client has left the join that after names; begin again');
  return page.answer(undefined, { session: ownRow(session) });
}

function ownRow(session: StreamSession): Row {
  return { process: PROCESS, ...sessionRow(session) };
}

async function sessionOf(sessions: Iterable<StreamSession>, id: string): Promise<StreamSession | undefined> {
  let read = 0;
  for (const session of sessions) {
    if (++read % SKIPPED_PER_CHECK === 0) await TURNS.free(LIST_MS);
    if (session.knownSessionId === id) return session;
  }
  return undefined;
}

function joinRow({ id, item, active, outdated, subscription }: Membership): Row {
  const { fanout, lag } = subscription;
  return {
    subscription_id: id,
    stream: fanout.stream,
    group: fanout.group,
    item: item ?? null,
    state: active ? (outdated ? 'stale' : subscription.state) : 'joining',
    ...positionOf(subscription),
    lag,
  };
}

/** The position up to which the client has everything. A reader of an item skips the changes of others, without a move of its cursor. */
function positionOf({ cursor, state, history, fanout }: Subscription): Row {
  if (cursor < 0 || fanout.epoch === undefined || history !== fanout.history) return { position: null, offset: null };
  const offset = state === 'live' ? Math.max(cursor, fanout.flushed) : cursor;
  return { position: formatPosition({ epoch: fanout.epoch, offset }), offset };
}

/** The reads of changes by plain HTTP that have not ended, long polls among them, in the order of their begin. */
function listReads({ streams }: EngineParts, request: AdminRequest): Promise<Answer> {
  const texts = ({ identity, read: { remoteAddress, ref } }: OpenRead) => [identity ?? '', remoteAddress, ref.stream, ref.group];
  return numberedPage(streams?.reading.openReads() ?? [], request, texts, readRow);
}

function readRow({ identity, read }: OpenRead): Row {
  const { stream, group, item } = read.ref;
  return {
    identity: identity ?? null,
    address: read.remoteAddress,
    stream,
    group,
    item: item ?? null,
    began_at_ms: read.beganAtMs,
    waits: read.isWaiting,
    ...positionOf(read.subscription),
    lag: read.subscription.lag,
    unsent_bytes: read.buffered,
  };
}

/** Returns a page of a list whose entries have ascending numbers. The number of the last entry that was read is the cursor. */
async function numberedPage<T extends { readonly number: number }>(
  all: Iterable<T>,
  { query }: AdminRequest,
  textsOf: (entry: T) => readonly string[],
  rowOf: (entry: T) => Row,
): Promise<Answer> {
  const { limit, after, matches } = readSearch(query);
  const from = Number(after ?? 0);
  if (!/^\d{1,16}$/.test(after ?? '0') || !Number.isSafeInteger(from))
    throw new AnswerError(400, 'INVALID_ARGUMENTS', 'after must be the next of an earlier page');
  const page = new PageWriter(TURNS);
  let last = 0;
  let skipped = 0;
  let searched = 0;
  for (const entry of all) {
    if (entry.number <= from) {
      if (++skipped % SKIPPED_PER_CHECK === 0) await TURNS.free(LIST_MS);
      continue;
    }
    if (page.count >= limit || searched >= LIMITS.adminSearchRows) return page.answer(String(last));
    last = entry.number;
    if (matches !== undefined) {
      if (++searched % SEARCHED_PER_CHECK === 0) await TURNS.free(LIST_MS);
      if (!textsOf(entry).some((text) => matches(text))) continue;
    }
    await page.add(entry, rowOf);
  }
  return page.answer();
}
