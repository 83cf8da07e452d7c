import { describe, expect, it } from 'vitest';
import { newCallCounts } from '../../src/core/fabric/call-counts.js';
import { TokenCounts } from '../../src/core/jwt/token-counts.js';
import { HttpFigures } from '../../src/http/http-figures.js';
import type { EngineParts } from '../../src/metrics/engine-parts.js';
import { LoopDelay } from '../../src/metrics/loop-delay.js';
import { METRICS } from '../../src/metrics/metrics.js';
import { newCommitFigures } from '../../src/store/store-figures.js';
import { newPageCallCounts } from '../../src/stream/calls/call-counts.js';
import { newHubCounters } from '../../src/stream/fanout/fanout-counters.js';
import { CountsByStream } from '../../src/stream/fanout/stream-counts.js';
import { ReadFigures } from '../../src/stream/reading/requests/read-figures.js';

/** Returns a collection whose size may be read, and nothing else: a scrape must not cost by the number of its entries. */
function countedOnly(size: number): object {
  return new Proxy(
    { size },
    {
      get(target, key) {
        if (key === 'size') return target.size;
        throw new Error(`a scrape reads ${String(key)} of a collection`);
      },
    },
  );
}

const store = {
  figures: () => ({
    backend: 'lmdb',
    state: 'ok',
    queued: 1,
    commits: newCommitFigures(),
    disk: { dataBytes: 1, reusableBytes: 1, freeBytes: 1, neededBytes: 1, endedReads: 1 },
    server: { connected: true, lost: 1 },
  }),
};

const parts = {
  stage: () => 'running',
  listeners: [],
  streams: {
    gateway: { sessions: countedOnly(10_000), opened: 10_000, rateLimited: 1 },
    live: { size: 1, opened: 1 },
    hub: {
      counters: newHubCounters(),
      // More than the configuration may name.
      byStream: new CountsByStream(Array.from({ length: 1_000 }, (_, n) => `s${n}`)),
      groupCount: 10_000,
      lingeringCount: 1,
      unavailableCount: 1,
      logBytes: 1,
      isAnythingUnavailable: false,
    },
    spool: { bytes: 1, refused: 1 },
    reading: { eventStreams: 10_000, figures: new ReadFigures() },
    jwt: { counts: new TokenCounts() },
    calls: { counts: newPageCallCounts() },
    leases: { size: 1, counts: { taken: 1, ended: { left: 1, dropped: 1 }, expired: 1, refused: 1 } },
  },
  http: { requests: 1, figures: new HttpFigures() },
  stores: { stream: store, state: store },
  fabric: { counts: newCallCounts(), functions: countedOnly(1_000), triggers: countedOnly(1_000) },
  workers: countedOnly(10_000),
  gateways: [{ rateLimited: 1 }, { rateLimited: 1, jwt: { counts: new TokenCounts() } }],
  channels: { size: 1, held: 1, unfinishedBytes: 1 },
  descriptors: { connections: 10_000, limit: 65_536 },
  loop: new LoopDelay(),
  counters: { read: () => ({ connection_dropped: 1 }) },
  logger: { linesLeftOut: 1 },
} as unknown as EngineParts;

describe('a scrape', () => {
  it.each(METRICS.map((metric) => [metric.name, metric] as const))(
    'reads %s without a look at each connection, group or function',
    (_name, metric) => {
      expect(metric.read(parts)).toBeDefined();
    },
  );

  it('has fewer than 2,000 series', () => {
    const series = METRICS.map((metric) => {
      const read = metric.read(parts) ?? [];
      if (metric.type !== 'histogram') return Array.isArray(read) ? read.length : 1;
      const samples = Array.isArray(read) ? (read as { counts: { bounds: readonly number[] } }[]).map(({ counts }) => counts) : [read];
      return (samples as { bounds: readonly number[] }[]).reduce((sum, { bounds }) => sum + bounds.length + 3, 0);
    });
    expect(series.reduce((sum, count) => sum + count, 0)).toBeLessThan(2_000);
  });
});
