import { formatPosition, type JsonText, LIMITS, type Position } from '@rivulet/protocol';
import { JsonPayload } from '../../core/fabric/invocation.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import { requireId } from '../../store/shared/ids.js';
import type { GroupRef } from '../../store/store.js';
import type { LogEntry } from '../../stream/fanout/group-log.js';
import type { StreamModule } from '../../stream/stream-module.js';
import { systemClock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError, jsonAnswer } from '../answer.js';
import { PageWriter, PROCESS, readOnly, readPage } from '../page.js';
import type { RouteRow } from '../routes.js';
import { logRow } from './log-change.js';

const TURNS = TurnBudget.of(systemClock);
export const GROUP = '/api/streams/{stream}/groups/{group}';

/** The paths that show one group: its position, its log and its readers. */
export function groupRoutes(parts: EngineParts): readonly RouteRow[] {
  const get = (path: string, handle: RouteRow['handle']): RouteRow => ({ method: 'GET', path, need: 'viewer', handle });
  return [get(GROUP, (request) => showGroup(parts, request)), get(`${GROUP}/log`, (request) => showLog(parts, request))];
}

/** A group that nobody has written to is shown too, because clients may watch it already. */
async function showGroup({ streams, clock }: EngineParts, request: AdminRequest): Promise<Answer> {
  readOnly(request.query);
  const ref = refOf(request);
  const fanout = streams?.hub.fanout(ref);
  const since = fanout?.unavailableSince;
  const isOwn = streams?.store.keeps('get', ref.stream) === true && streams.store.keeps('list', ref.stream);
  const position =
    streams === undefined || !isOwn || since !== undefined ? undefined : (fanout?.position ?? (await positionOf(streams, ref)));
  return jsonAnswer(200, {
    process: PROCESS,
    ...ref,
    stored_by: isOwn ? 'engine' : 'worker',
    position: position === undefined ? null : formatPosition(position),
    offset: position?.offset ?? null,
    available: since === undefined,
    unavailable_ms: since === undefined ? 0 : Math.round(clock.monotonic() - since),
    subscriptions: fanout?.size ?? 0,
    log:
      fanout === undefined
        ? null
        : {
            changes: fanout.log.length,
            bytes: fanout.log.bytes,
            first_offset: fanout.log.base + 1,
            last_offset: fanout.log.head,
            oldest_ms: fanout.log.oldestTime === undefined ? null : Math.round(clock.monotonic() - fanout.log.oldestTime),
          },
  });
}

/** No item has an empty id, so the store reads only the position. */
async function positionOf({ store }: StreamModule, ref: GroupRef): Promise<Position> {
  return (await store.get(ref, '')).position;
}

/** The changes in the log, the newest first. A group that nobody watches has no log. */
async function showLog({ streams }: EngineParts, request: AdminRequest): Promise<Answer> {
  const { limit, after } = readPage(request.query);
  const ref = refOf(request);
  const before = after === undefined ? Number.POSITIVE_INFINITY : readOffset(after);
  const page = new PageWriter(TURNS);
  let last: number | undefined;
  for (;;) {
    // The log changes between two rows. A change that has left it meanwhile ends the page.
    const log = streams?.hub.fanout(ref)?.log;
    const offset = Math.min(last ?? before, (log?.head ?? 0) + 1) - 1;
    const entry: LogEntry | undefined = log?.entry(offset);
    if (entry === undefined) return page.answer();
    if (page.count >= limit || page.chars >= LIMITS.adminPageChars) return page.answer(String(offset + 1));
    await page.add(entry, logRow);
    last = offset;
  }
}

/** Publishes an event, as `stream::send`. The names of the path count, whatever the body has. */
export function sendPayload({ parameters, body }: AdminRequest): JsonPayload {
  const { stream, group } = parameters;
  const fields: JsonText = body.text.trim();
  if (!fields.startsWith('{'))
    throw new AnswerError(400, 'INVALID_ARGUMENTS', 'the body must be an object, such as {"type":"typing","data":1}');
  const names = JSON.stringify({ stream_name: stream, group_id: group }).slice(1);
  const rest = fields.slice(0, -1).trimEnd();
  return JsonPayload.ofText(rest === '{' ? `{${names}` : `${rest},${names}`);
}

function refOf({ parameters }: AdminRequest): GroupRef {
  const { stream = '', group = '' } = parameters;
  requireId(stream, 'stream');
  requireId(group, 'group');
  return { stream, group };
}

function readOffset(after: string): number {
  const offset = /^\d{1,16}$/.test(after) ? Number(after) : Number.NaN;
  if (!Number.isSafeInteger(offset)) throw new AnswerError(400, 'INVALID_ARGUMENTS', 'after must be the next of an earlier page');
  return offset;
}
