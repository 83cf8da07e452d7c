import type { EngineParts } from './engine-parts.js';

/** Figures for tests, benchmarks and operators. Counters only grow. */
export interface EngineFigures {
  readonly sessions: number;
  readonly groups: number;
  readonly logBytes: number;
  /** Number of subscriptions that flushes have visited. */
  readonly visited: number;
  readonly flushes: number;
  readonly appended: number;
  /** Number of cursors that the log no longer covered, so that they got a `sync`. */
  readonly resynced: number;
  /** Number of cursors behind the log that got each changed item once. */
  readonly compacted: number;
  /** Bytes of files that hold large answers for slow stream clients. */
  readonly spoolBytes: number;
  /** Number of large answers for which these files had no space. */
  readonly spoolRefused: number;
  /** Number of open channels. */
  readonly channels: number;
  /** Number of calls so far, of functions of workers and of the engine. */
  readonly calls: number;
  /** Number of calls that workers have not answered yet. */
  readonly callsRunning: number;
  /** Number of trigger firings that wait for earlier ones. */
  readonly firingsQueued: number;
  /** Number of HTTP requests without an answer yet. */
  readonly requests: number;
  /** Bytes that wait in channels. */
  readonly channelBytes: number;
  /** Bytes of channel messages that writers of guests have begun and not finished. */
  readonly unfinishedChannelBytes: number;
  /** How often each coded event has happened, such as `idle_connection_evicted`. An event that never happened is absent. */
  readonly events: Readonly<Record<string, number>>;
  /** The largest number of bytes that one stream session occupies now. */
  readonly largestSessionBytes: number;
  /** Number of times that the engine stopped reading a connection, because it exceeded its rates. */
  readonly rateLimited: number;
  /** Number of groups that were forgotten early, because too many lingered. */
  readonly evictedGroups: number;
  /** Number of log lines that were left out, because their kind exceeded its rate. */
  readonly logLinesLeftOut: number;
}

/** Returns the figures of an engine. The last ones visit each stream session, so this is not for scrapes. */
export function engineFigures({ streams, http, fabric, gateways, channels, counters, logger }: EngineParts): EngineFigures {
  const hub = streams?.hub;
  const sessions = [...(streams?.gateway.sessions ?? [])];
  return {
    sessions: sessions.length,
    groups: hub?.groupCount ?? 0,
    logBytes: hub?.logBytes ?? 0,
    visited: hub?.byStream.sum('visited') ?? 0,
    flushes: hub?.counters.flushes ?? 0,
    appended: hub?.byStream.sum('appended') ?? 0,
    resynced: hub?.resynced ?? 0,
    compacted: hub?.compacted ?? 0,
    spoolBytes: streams?.spool.bytes ?? 0,
    spoolRefused: streams?.spool.refused ?? 0,
    calls: fabric.counts.engine + fabric.counts.worker,
    callsRunning: fabric.counts.running,
    firingsQueued: Array.from(fabric.counts.triggers.values()).reduce((sum, { queued }) => sum + queued, 0),
    requests: http?.requests ?? 0,
    channels: channels.size,
    channelBytes: channels.held,
    unfinishedChannelBytes: channels.unfinishedBytes,
    rateLimited: gateways.reduce((sum, { rateLimited }) => sum + rateLimited, streams?.gateway.rateLimited ?? 0),
    evictedGroups: hub?.counters.evicted ?? 0,
    logLinesLeftOut: logger.linesLeftOut,
    events: counters.read(),
    largestSessionBytes: sessions.reduce((most, session) => Math.max(most, session.ownedBytes), 0),
  };
}
