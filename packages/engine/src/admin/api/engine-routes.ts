import { ENGINE_VERSION } from '../../config/engine-version.js';
import type { EngineParts } from '../../metrics/engine-parts.js';
import { reasonsNotReady } from '../../metrics/readiness.js';
import type { StreamStore } from '../../store/store.js';
import { figuresOf } from '../../store/store-figures.js';
import type { AdminRequest } from '../admin-listener.js';
import { type Answer, AnswerError, jsonAnswer } from '../answer.js';
import { PROCESS, type Row, readOnly } from '../page.js';
import type { RouteRow } from '../routes.js';

/** The paths for probes and metrics, and the figures of the engine. `scrape` returns the metrics and their content type. */
export function engineRoutes(
  parts: EngineParts,
  scrape: () => Promise<{ readonly text: string; readonly type: string }>,
): readonly RouteRow[] {
  return [
    { method: 'GET', path: '/health', need: 'probe', handle: healthy },
    { method: 'GET', path: '/ready', need: 'probe', handle: (request) => ready(parts, request) },
    {
      method: 'GET',
      path: '/metrics',
      need: 'scrape',
      handle: async ({ query }) => {
        readOnly(query);
        const { text, type } = await scrape();
        return { status: 200, body: text, type };
      },
    },
    { method: 'GET', path: '/api/engine', need: 'viewer', handle: ({ query }) => engineAnswer(parts, query) },
  ];
}

/** Names the program, so that a tool knows it before it sends a token. Strangers learn no version. */
function healthy({ query, role }: AdminRequest): Answer {
  readOnly(query);
  const health = { status: 'ok', engine: 'rivulet' };
  return jsonAnswer(200, role === 'none' ? health : { ...health, version: ENGINE_VERSION });
}

function engineAnswer(parts: EngineParts, query: string): Answer {
  readOnly(query);
  return jsonAnswer(200, engineRow(parts));
}

function ready(parts: EngineParts, { role, query }: AdminRequest): Answer {
  const { unready } = readOnly(query, 'unready');
  if (unready !== undefined && unready !== '404') throw new AnswerError(400, 'INVALID_ARGUMENTS', 'unready can only be 404');
  const reasons = reasonsNotReady(parts);
  const isReady = reasons.length === 0;
  const state = { status: isReady ? 'ready' : 'not_ready' };
  // HAProxy keeps the connections of a server whose check answers 404, and drops those of one that answers 503.
  const notReady = unready === undefined ? 503 : 404;
  return jsonAnswer(isReady ? 200 : notReady, role === 'none' ? state : { ...state, reasons });
}

/** Counts of the engine. Nothing here visits each connection or group. */
export function engineRow(parts: EngineParts): Row {
  const { streams, http, workers, fabric, channels, counters, listeners, logger, stores } = parts;
  const reasons = reasonsNotReady(parts);
  return {
    process: PROCESS,
    version: ENGINE_VERSION,
    node: process.versions.node,
    pid: process.pid,
    uptime_s: Math.floor(process.uptime()),
    ready: reasons.length === 0,
    reasons,
    listeners,
    sessions: streams?.gateway.sessions.size ?? 0,
    live_sessions: streams?.live.size ?? 0,
    watched_groups: streams?.hub.groupCount ?? 0,
    log_bytes: streams?.hub.logBytes ?? 0,
    workers: workers.size,
    functions: fabric.functions.size,
    triggers: fabric.triggers.size,
    http_requests: http?.requests ?? 0,
    channels: channels.size,
    channel_bytes: channels.held,
    log_lines_left_out: logger.linesLeftOut,
    stores: Object.fromEntries(Object.entries(stores).flatMap(([name, store]) => storeRow(name, store))),
    events: counters.read(),
  };
}

function storeRow(name: string, store: StreamStore | undefined): readonly (readonly [string, Row])[] {
  if (store === undefined) return [];
  const figures = figuresOf(store);
  if (figures === undefined) return [[name, { state: 'ok' }]];
  const { backend, state, queued, disk, server } = figures;
  const row = { backend, state, queued_changes: queued };
  if (disk !== undefined)
    return [[name, { ...row, data_bytes: disk.dataBytes, free_bytes: disk.freeBytes ?? null, needed_bytes: disk.neededBytes }]];
  return [[name, server === undefined ? row : { ...row, connected: server.connected }]];
}
