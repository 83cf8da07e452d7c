import { collectDefaultMetrics, Registry } from 'prom-client';
import { BucketCounts } from '../logging/bucket-counts.js';
import { systemClock } from '../structures/clock.js';
import { TurnBudget } from '../structures/turn-budget.js';
import type { EngineParts } from './engine-parts.js';
import type { BucketSample, Metric, Sample } from './metric-table.js';

/**
 * Metrics of the library that cost too much. Some list all handles or all descriptors of the process, which takes more than 10 ms at some
 * thousand sockets. Its metrics of the event loop need a timer that wakes an idle process; `LoopDelay` measures the delay instead.
 */
const COSTLY = /^(?:nodejs_active_(?:handles|resources|requests)(?:_total)?|process_open_fds|nodejs_eventloop_lag_\w+)$/;
/** The timer of the event loop's metrics, in milliseconds. The library cannot leave it out, so it practically never fires. */
const NEVER_MS = 2_147_483_647;

const TURNS = TurnBudget.of(systemClock);

interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Writes the metrics of an engine in the text format of Prometheus. Each value is read when a scrape asks for it. */
export class Scrape {
  readonly #registry = new Registry();
  #running: Promise<string> | undefined;

  constructor(parts: EngineParts, metrics: readonly Metric[]) {
    for (const metric of metrics) this.#add(metric, parts);
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: NEVER_MS });
    for (const { name } of this.#registry.getMetricsAsArray()) if (COSTLY.test(name)) this.#registry.removeSingleMetric(name);
  }

  /** Returns the text of one scrape. Scrapes at the same time share it. */
  async text(): Promise<{ readonly text: string; readonly type: string }> {
    this.#running ??= this.#write().finally(() => {
      this.#running = undefined;
    });
    return { text: await this.#running, type: this.#registry.contentType };
  }

  /** Writes one metric after another, over several turns of the event loop when one turn would be long. */
  async #write(): Promise<string> {
    const written: string[] = [];
    for (const { name } of this.#registry.getMetricsAsArray()) {
      await TURNS.free();
      written.push(await this.#registry.getSingleMetricAsString(name));
    }
    return `${written.join('\n\n')}\n`;
  }

  /** Adds a metric that another part of the engine counts. The classes of the library would count by themselves. */
  #add(metric: Metric, parts: EngineParts): void {
    const { name, type, help } = metric;
    const about = { name, type, help, aggregator: 'sum' };
    const shown = { ...about, reset() {}, get: async () => ({ ...about, values: valuesOf(metric, parts) }) };
    this.#registry.registerMetric(shown as unknown as Parameters<Registry['registerMetric']>[0]);
  }
}

function valuesOf(metric: Metric, parts: EngineParts): readonly Value[] {
  if (metric.type === 'histogram') {
    const read = metric.read(parts) ?? [];
    const samples = read instanceof BucketCounts ? [{ counts: read }] : read;
    return samples.flatMap((sample) => bucketValues(metric.name, sample));
  }
  const read = metric.read(parts) ?? [];
  const samples: readonly Sample[] = typeof read === 'number' ? [{ value: read }] : read;
  return samples.map(({ labels = {}, value }) => ({ labels, value }));
}

function bucketValues(name: string, { labels = {}, counts }: BucketSample): readonly Value[] {
  const cumulative = counts.cumulative();
  return [
    ...counts.bounds.map((le, at) => ({ metricName: `${name}_bucket`, labels: { le: String(le), ...labels }, value: cumulative[at] ?? 0 })),
    { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: counts.count },
    { metricName: `${name}_sum`, labels, value: counts.sum },
    { metricName: `${name}_count`, labels, value: counts.count },
  ];
}
