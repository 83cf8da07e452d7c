import type { PageCallCounts } from '../stream/calls/call-counts.js';
import type { HubCounters } from '../stream/fanout/fanout-counters.js';
import type { StreamCounts } from '../stream/fanout/stream-counts.js';
import type { ReadFigures } from '../stream/reading/requests/read-figures.js';
import type { EngineParts } from './engine-parts.js';
import type { Metric } from './metric-table.js';

/** Returns a reader of the fan-out's counters. Without streams the metric is absent. */
const hub = <T>(read: (counters: HubCounters) => T) => {
  return ({ streams }: EngineParts): T | undefined => (streams === undefined ? undefined : read(streams.hub.counters));
};

/** Returns a reader of the counts of plain HTTP reads. Without streams the metric is absent. */
const reading = <T>(read: (figures: ReadFigures) => T) => {
  return ({ streams }: EngineParts): T | undefined => (streams === undefined ? undefined : read(streams.reading.figures));
};

/** Returns a reader of the calls of stream clients. Without streams the metric is absent. */
const calls = <T>(read: (counts: PageCallCounts) => T) => {
  return ({ streams }: EngineParts): T | undefined => (streams === undefined ? undefined : read(streams.calls.counts));
};

/** The label of metrics that are counted for each stream. Names that peers choose never become its values. */
const STREAM_LABEL = { stream: 'a name of `group_bounds` without `*`; `_other` for all other streams' } as const;

/** Returns a reader of one figure of each stream that the configuration names, and of all others together. */
const ofStreams = (read: (counts: StreamCounts) => number) => {
  return ({ streams }: EngineParts) =>
    streams?.hub.byStream.entries().map(([stream, counts]) => ({ labels: { stream }, value: read(counts) }));
};

/** Returns one sample for each member of a record of counts. */
export function samplesOfRecord(label: string, counts: Readonly<Record<string, number>>) {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

/** Metrics of stream clients and of the fan-out. */
export const STREAM_METRICS: readonly Metric[] = [
  {
    name: 'rivulet_stream_connections',
    type: 'gauge',
    unit: 'connections',
    help: 'Stream clients that are connected now',
    read: ({ streams }) => streams?.gateway.sessions.size,
  },
  {
    name: 'rivulet_stream_connections_opened_total',
    type: 'counter',
    unit: 'connections',
    help: 'Stream clients that have connected',
    alert: 'rate above ten times its usual value and above 100 in 5 minutes: clients connect in a loop',
    read: ({ streams }) => (streams === undefined ? undefined : streams.gateway.opened + streams.reading.figures.eventStreamsOpened),
  },
  {
    name: 'rivulet_live_sessions',
    type: 'gauge',
    unit: 'connections',
    help: 'Sessions of operators on `/live` of the admin listener, which are no stream clients',
    read: ({ streams }) => streams?.live.size,
  },
  {
    name: 'rivulet_live_sessions_opened_total',
    type: 'counter',
    unit: 'connections',
    help: 'Sessions of operators that have opened',
    read: ({ streams }) => streams?.live.opened,
  },
  {
    name: 'rivulet_stream_event_streams',
    type: 'gauge',
    unit: 'connections',
    help: 'Stream clients among these that read an event stream by plain HTTP',
    read: ({ streams }) => streams?.reading.eventStreams,
  },
  {
    name: 'rivulet_stream_event_streams_opened_total',
    type: 'counter',
    unit: 'connections',
    help: 'Event streams that were opened',
    read: reading(({ eventStreamsOpened }) => eventStreamsOpened),
  },
  {
    name: 'rivulet_stream_event_streams_ended_total',
    type: 'counter',
    labels: { reason: '`left`, `stalled`, `expired`, `revoked`, `refused`, `restart`, `try_later`, `failed`' },
    unit: 'connections',
    help: 'Event streams that have ended, by reason. `left`: the client closed the connection, or was lost',
    read: reading(({ eventStreamsEnded }) => samplesOfRecord('reason', eventStreamsEnded)),
  },
  {
    name: 'rivulet_stream_http_reads_total',
    type: 'counter',
    labels: { kind: '`snapshot`, `changes`, `events`, `invalid`', status: '`200`, `304`, `400`, `401`, `403`, `404`, `503`' },
    unit: 'answers',
    help: 'Answers to plain HTTP reads. `changes` have `since`; the path or query of an `invalid` one means nothing',
    read: reading((figures) => Array.from(figures.answers(), ({ count: value, ...labels }) => ({ labels, value }))),
  },
  {
    name: 'rivulet_stream_http_reads_waiting',
    type: 'gauge',
    unit: 'reads',
    help: 'Long polls that have everything and wait for a change',
    read: reading(({ waiting }) => waiting),
  },
  {
    name: 'rivulet_stream_subscriptions',
    type: 'gauge',
    labels: STREAM_LABEL,
    unit: 'subscriptions',
    help: 'Groups that clients watch now, counted once for each client',
    read: ofStreams(({ subscriptions }) => subscriptions),
  },
  {
    name: 'rivulet_stream_subscriptions_catching_up',
    type: 'gauge',
    labels: STREAM_LABEL,
    unit: 'subscriptions',
    help: 'Subscriptions whose client does not have the newest change yet: it joins, resumes, or reads slowly',
    alert: 'above 100 and above 20 % of `rivulet_stream_subscriptions` for 10 minutes',
    read: ofStreams(({ subscriptions, live }) => subscriptions - live),
  },
  {
    name: 'rivulet_stream_joins_total',
    type: 'counter',
    labels: STREAM_LABEL,
    unit: 'joins',
    help: 'Joins that were admitted',
    read: ofStreams(({ joins }) => joins),
  },
  {
    name: 'rivulet_stream_joins_refused_total',
    type: 'counter',
    labels: { reason: '`refused`, `failed`, `invalid_id`, `too_many`' },
    unit: 'joins',
    help: 'Joins without effect: a join function refused it, no join function could decide, an id is invalid, or the connection has too many',
    alert: 'above 10 % of `rivulet_stream_joins_total` and above 20 in 10 minutes',
    read: hub(({ refusedJoins }) => samplesOfRecord('reason', refusedJoins)),
  },
  {
    name: 'rivulet_stream_leaves_total',
    type: 'counter',
    labels: STREAM_LABEL,
    unit: 'leaves',
    help: 'Memberships that have ended',
    read: ofStreams(({ leaves }) => leaves),
  },
  {
    name: 'rivulet_stream_groups',
    type: 'gauge',
    unit: 'groups',
    help: 'Groups with a log in memory, watched or lingering',
    read: ({ streams }) => streams?.hub.groupCount,
  },
  {
    name: 'rivulet_stream_groups_lingering',
    type: 'gauge',
    unit: 'groups',
    help: 'Groups that nobody watches now and whose log is kept for clients that come back',
    read: ({ streams }) => streams?.hub.lingeringCount,
  },
  {
    name: 'rivulet_stream_groups_unavailable',
    type: 'gauge',
    unit: 'groups',
    help: 'Watched groups that can be neither read nor written now',
    alert: 'above 0 for 1 minute',
    read: ({ streams }) => streams?.hub.unavailableCount,
  },
  {
    name: 'rivulet_stream_groups_evicted_total',
    type: 'counter',
    unit: 'groups',
    help: 'Lingering groups that were forgotten early, because too many lingered',
    read: hub(({ evicted }) => evicted),
  },
  {
    name: 'rivulet_stream_log_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes of the changes that the logs of all groups keep',
    read: ({ streams }) => streams?.hub.logBytes,
  },
  {
    name: 'rivulet_stream_changes_total',
    type: 'counter',
    labels: STREAM_LABEL,
    unit: 'changes',
    help: 'Changes of watched groups',
    read: ofStreams(({ appended }) => appended),
  },
  {
    name: 'rivulet_stream_flushes_total',
    type: 'counter',
    unit: 'flushes',
    help: 'Flushes of a group. One flush sends all changes of a turn of the event loop',
    read: hub(({ flushes }) => flushes),
  },
  {
    name: 'rivulet_stream_deliveries_total',
    type: 'counter',
    labels: STREAM_LABEL,
    unit: 'deliveries',
    help: 'Flushes that were handed to a live client, counted once for each client',
    read: ofStreams(({ visited, lagged }) => visited - lagged),
  },
  {
    name: 'rivulet_stream_lagged_total',
    type: 'counter',
    labels: STREAM_LABEL,
    unit: 'deliveries',
    help: 'Flushes that a client could not take, because its socket was full or its cursor was behind',
    alert: 'above 5 % of `rivulet_stream_deliveries_total` and above 100 in 10 minutes: clients or their networks are too slow',
    read: ofStreams(({ lagged }) => lagged),
  },
  {
    name: 'rivulet_stream_flush_wait_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the first change of a flush to the flush',
    alert: '99 % above 0.1 s for 5 minutes: the event loop is overloaded',
    read: hub(({ wait }) => wait),
  },
  {
    name: 'rivulet_stream_flush_changes',
    type: 'histogram',
    unit: 'changes',
    help: 'Changes in one flush of a group',
    read: hub(({ batch }) => batch),
  },
  {
    name: 'rivulet_stream_catch_ups_total',
    type: 'counter',
    labels: { kind: '`log`, `changes`, `sync`' },
    unit: 'answers',
    help: 'Answers to joins and lagging clients: from the log, each changed item once, or all items',
    read: hub(({ catchUps }) => samplesOfRecord('kind', catchUps)),
  },
  {
    name: 'rivulet_stream_resyncs_total',
    type: 'counter',
    labels: { reason: '`epoch`, `floor`, `ahead`, `malformed`, `backend`, `restarted`, `behind`' },
    unit: 'answers',
    help: 'Clients with a position that got all items again, by reason',
    alert:
      '`reason="epoch"` above 20 in 10 minutes and above 1 % of the joins: the store has lost a part of its history. A single client may have a foreign position',
    read: hub(({ resyncs }) => samplesOfRecord('reason', resyncs)),
  },
  {
    name: 'rivulet_stream_spool_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes of the files that hold large answers for slow clients',
    read: ({ streams }) => streams?.spool.bytes,
  },
  {
    name: 'rivulet_stream_spool_refused_total',
    type: 'counter',
    unit: 'answers',
    help: 'Large answers for which these files had no space',
    alert: 'any increase in 10 minutes',
    read: ({ streams }) => streams?.spool.refused,
  },
  {
    name: 'rivulet_stream_calls_total',
    type: 'counter',
    labels: { end: '`result`, `error`, `refused`, `timeout`, `unknown`' },
    unit: 'calls',
    help: 'Calls of functions by stream clients, by their answers. `refused`: the function did not run. `unknown`: nobody knows whether it took effect',
    alert: '`end="unknown"` above 10 in 10 minutes: workers or engines end while they run calls',
    read: calls(({ ended }) => samplesOfRecord('end', ended)),
  },
  {
    name: 'rivulet_stream_calls_replayed_total',
    type: 'counter',
    unit: 'calls',
    help: 'Repeats of calls that got the stored outcome of the first call',
    read: calls(({ replayed }) => replayed),
  },
  {
    name: 'rivulet_stream_calls_running',
    type: 'gauge',
    unit: 'calls',
    help: 'Calls of stream clients without an outcome yet, those of clients that have left included',
    alert: 'above 8000 for 5 minutes: `clientCalls` of 16384 is near',
    read: calls(({ running }) => running),
  },
  {
    name: 'rivulet_stream_call_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the frame of a call to its outcome',
    read: calls(({ seconds }) => seconds),
  },
  {
    name: 'rivulet_stream_rate_limited_total',
    type: 'counter',
    unit: 'pauses',
    help: 'Times that the engine stopped reading a client that sent more than its rates allow',
    read: ({ streams }) => streams?.gateway.rateLimited,
  },
];
