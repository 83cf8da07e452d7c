import type { EventTimes, RecentLine } from '../../logging/log-memory.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import { LIMIT_EVENTS } from '../../metrics/limit-events.js';
import { systemClock } from '../../structures/clock.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError, jsonAnswer } from '../answer.js';
import { PageWriter, type Row, readOnly, readPage } from '../page.js';
import type { RouteRow } from '../routes.js';
import { engineRow } from './engine-routes.js';

const TURNS = TurnBudget.of(systemClock);

/** The paths that show how an engine is: figures of the last minutes, limits that it has reached, and its newest warnings. */
export function overviewRoutes(parts: EngineParts): readonly RouteRow[] {
  const get = (path: string, handle: RouteRow['handle']): RouteRow => ({ method: 'GET', path, need: 'viewer', handle });
  return [
    get('/api/overview', (request) => overview(parts, request)),
    get('/api/limits-hit', (request) => limitsHit(parts, request)),
    get('/api/warnings', (request) => warnings(parts, request)),
  ];
}

/** The figures of `/api/engine`, and the samples after `since`. */
function overview(parts: EngineParts, { query, role }: AdminRequest): Answer {
  const { since = '0' } = readOnly(query, 'since');
  const sinceMs = readNumber('since', since);
  const { samples, clock } = parts;
  return jsonAnswer(200, {
    ...engineRow(parts),
    access: role,
    now_ms: clock.now(),
    now: samples.newest ?? null,
    samples: samples.after(sinceMs),
  });
}

/** The limits that were reached since the start, the latest first. */
async function limitsHit({ logMemory }: EngineParts, { query }: AdminRequest): Promise<Answer> {
  readOnly(query);
  const hits = Object.keys(LIMIT_EVENTS).flatMap((event) => {
    const times = logMemory.timesOf(event);
    return times === undefined ? [] : [{ event, times }];
  });
  const page = new PageWriter(TURNS);
  await page.addAll(
    hits.toSorted((one, other) => other.times.lastMs - one.times.lastMs),
    limitRow,
  );
  return page.answer();
}

function limitRow({ event, times: { times, lastMs } }: { readonly event: string; readonly times: EventTimes }): Row {
  const { limits = [], section = '' } = LIMIT_EVENTS[event] ?? {};
  return { event, limits, times, last_ms: lastMs, docs: `limits.md#${section}` };
}

/** The newest warnings and errors of the log, the newest first. */
async function warnings({ logMemory }: EngineParts, { query }: AdminRequest): Promise<Answer> {
  const { limit, after } = readPage(query);
  const page = new PageWriter(TURNS);
  let last = 0;
  for (const line of logMemory.before(after === undefined ? undefined : readNumber('after', after))) {
    if (page.count >= limit) return page.answer(String(last));
    await page.add(line, warningRow);
    last = line.number;
  }
  return page.answer();
}

function warningRow({ number, atMs, level, event, fields }: RecentLine): Row {
  return { number, at_ms: atMs, level, event, fields, docs: `log-events.md#${event}` };
}

function readNumber(name: string, text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new AnswerError(400, 'INVALID_ARGUMENTS', `${name} must be a whole number of an earlier answer`);
  return value;
}
