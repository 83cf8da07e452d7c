import { ENGINE_VERSION } from '../config/engine-version.js';
import type { TriggerCounts } from '../core/fabric/call-counts.js';
import type { EngineParts } from './engine-parts.js';
import type { Metric } from './metric-table.js';
import { reasonsNotReady } from './readiness.js';
import { samplesOfRecord } from './stream-metrics.js';

/**
 * Events that an alert names. They are shown from the start, because Prometheus sees no increase in a series whose first value is not 0. A
 * test compares them with ops/monitoring/rules.yml.
 */
export const ALERTED_EVENTS = { connection_dropped: 0, upgrade_refused_401: 0 } as const;

const TRIGGER_TYPES = {
  type: '`stream`, `stream:join`, `stream:leave`, `state`, `subscribe`, `engine::functions-available`, `engine::workers-available`',
} as const;

/** Returns a reader of one figure of each trigger type. The type `http` has metrics of its own. */
const ofTriggers = (read: (counts: TriggerCounts) => number) => {
  return ({ fabric }: EngineParts) =>
    [...fabric.counts.triggers].filter(([type]) => type !== 'http').map(([type, counts]) => ({ labels: { type }, value: read(counts) }));
};

/** Metrics of workers, calls, triggers, HTTP, channels, and of the engine as a whole. */
export const WORK_METRICS: readonly Metric[] = [
  {
    name: 'rivulet_workers',
    type: 'gauge',
    unit: 'connections',
    help: 'Workers and guests that are connected now',
    read: ({ workers }) => workers.size,
  },
  {
    name: 'rivulet_worker_rate_limited_total',
    type: 'counter',
    unit: 'pauses',
    help: 'Times that the engine stopped reading a worker that sent more than its rates allow',
    read: ({ gateways }) => gateways.reduce((sum, { rateLimited }) => sum + rateLimited, 0),
  },
  {
    name: 'rivulet_functions',
    type: 'gauge',
    unit: 'functions',
    help: 'Functions that can be called now',
    read: ({ fabric }) => fabric.functions.size,
  },
  {
    name: 'rivulet_trigger_bindings',
    type: 'gauge',
    unit: 'bindings',
    help: 'Registered triggers',
    read: ({ fabric }) => fabric.triggers.size,
  },
  {
    name: 'rivulet_calls_total',
    type: 'counter',
    labels: { target: '`engine`, `worker`, `none`' },
    unit: 'calls',
    help: 'Calls of functions of the engine, of functions of workers, and of functions that nobody has registered',
    alert: '`target="none"` above 10 in 5 minutes, for 5 minutes: a worker is missing',
    read: ({ fabric: { counts } }) => samplesOfRecord('target', { engine: counts.engine, worker: counts.worker, none: counts.notFound }),
  },
  {
    name: 'rivulet_calls_failed_total',
    type: 'counter',
    labels: { target: '`engine`, `worker`' },
    unit: 'calls',
    help: 'Calls that ended with an error',
    alert: 'above 5 % of `rivulet_calls_total` and above 20 in 10 minutes',
    read: ({ fabric: { counts } }) => samplesOfRecord('target', { engine: counts.engineFailed, worker: counts.workerFailed }),
  },
  {
    name: 'rivulet_calls_running',
    type: 'gauge',
    unit: 'calls',
    help: 'Calls that workers have not answered yet',
    alert: 'above 10000 for 5 minutes: workers are too slow',
    read: ({ fabric }) => fabric.counts.running,
  },
  {
    name: 'rivulet_call_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from a call until its worker has answered',
    read: ({ fabric }) => fabric.counts.seconds,
  },
  {
    name: 'rivulet_triggers_fired_total',
    type: 'counter',
    labels: TRIGGER_TYPES,
    unit: 'firings',
    help: 'Calls of the functions of triggers',
    read: ofTriggers(({ fired }) => fired),
  },
  {
    name: 'rivulet_triggers_skipped_total',
    type: 'counter',
    labels: TRIGGER_TYPES,
    unit: 'firings',
    help: 'Firings that a condition function has prevented',
    read: ofTriggers(({ skipped }) => skipped),
  },
  {
    name: 'rivulet_triggers_failed_total',
    type: 'counter',
    labels: TRIGGER_TYPES,
    unit: 'firings',
    help: 'Firings whose function or condition failed, or did not answer in time',
    alert: 'above 1 % of `rivulet_triggers_fired_total` and above 10 in 10 minutes',
    read: ofTriggers(({ failed }) => failed),
  },
  {
    name: 'rivulet_triggers_queued',
    type: 'gauge',
    labels: TRIGGER_TYPES,
    unit: 'firings',
    help: 'Firings that wait for earlier firings of the same trigger',
    alert: 'above 5000 for 5 minutes: beyond `pendingPerTrigger` the oldest firings are dropped',
    read: ofTriggers(({ queued }) => queued),
  },
  {
    name: 'rivulet_triggers_dropped_total',
    type: 'counter',
    labels: TRIGGER_TYPES,
    unit: 'firings',
    help: 'Firings that were dropped, because too many waited',
    alert: 'any increase in 10 minutes',
    read: ofTriggers(({ dropped }) => dropped),
  },
  {
    name: 'rivulet_http_requests_open',
    type: 'gauge',
    unit: 'requests',
    help: 'HTTP requests without a whole answer',
    read: ({ http }) => http?.requests,
  },
  {
    name: 'rivulet_http_responses_total',
    type: 'counter',
    labels: { result: '`1xx`, `2xx`, `3xx`, `4xx`, `5xx`, `aborted`' },
    unit: 'responses',
    help: 'HTTP requests that have ended, by the class of their status, or `aborted` when the client left before an answer',
    alert: '`result="5xx"` above 5 % of all and above 20 in 10 minutes',
    read: ({ http }) => (http === undefined ? undefined : samplesOfRecord('result', http.figures.results)),
  },
  {
    name: 'rivulet_http_response_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the head of an HTTP request to the end of its response',
    read: ({ http }) => http?.figures.seconds,
  },
  { name: 'rivulet_channels', type: 'gauge', unit: 'channels', help: 'Open channels', read: ({ channels }) => channels.size },
  {
    name: 'rivulet_channel_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes that wait in channels',
    read: ({ channels }) => channels.held,
  },
  {
    name: 'rivulet_channel_unfinished_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes of channel messages that writers of guests have begun and not finished',
    read: ({ channels }) => channels.unfinishedBytes,
  },
  {
    name: 'rivulet_event_loop_delay_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How late the timers of the process are, measured five times a second',
    alert: '99 % above 0.1 s for 5 minutes: the engine has too much to do',
    read: ({ loop }) => loop.seconds,
  },
  {
    name: 'rivulet_event_loop_active_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Time in which the event loop was not idle',
    alert: 'rate above 0.9 for 10 minutes',
    read: () => performance.eventLoopUtilization().active / 1_000,
  },
  {
    name: 'rivulet_connections',
    type: 'gauge',
    unit: 'connections',
    help: 'Open TCP connections of all listeners',
    alert: 'above 80 % of `rivulet_descriptors_limit`',
    read: ({ descriptors }) => descriptors.connections,
  },
  {
    name: 'rivulet_descriptors_limit',
    type: 'gauge',
    unit: 'descriptors',
    help: 'Descriptors that the process may open (`ulimit -n`)',
    read: ({ descriptors }) => (Number.isFinite(descriptors.limit) ? descriptors.limit : undefined),
  },
  {
    name: 'rivulet_events_total',
    type: 'counter',
    labels: { event: 'names of the code, such as `connection_dropped` and `upgrade_refused_401`' },
    unit: 'events',
    help: 'Refusals and limits that were hit, by the name of the event',
    alert:
      '`connection_dropped` above 10 in 5 minutes; rate of `upgrade_refused_401` above ten times its usual value and above 50 in 10 minutes',
    read: ({ counters }) => samplesOfRecord('event', { ...ALERTED_EVENTS, ...counters.read() }),
  },
  {
    name: 'rivulet_log_lines_left_out_total',
    type: 'counter',
    unit: 'lines',
    help: 'Log lines that were left out, because their kind exceeded its rate',
    read: ({ logger }) => logger.linesLeftOut,
  },
  {
    name: 'rivulet_ready',
    type: 'gauge',
    unit: '0 or 1',
    help: 'Whether the engine is ready, as `/ready` says',
    alert: '0 for 1 minute',
    read: (parts) => Number(reasonsNotReady(parts).length === 0),
  },
  {
    name: 'rivulet_build_info',
    type: 'gauge',
    labels: { version: 'version of the engine' },
    unit: '1',
    help: 'The version of the engine. The value is always 1',
    read: () => [{ labels: { version: ENGINE_VERSION }, value: 1 }],
  },
];
