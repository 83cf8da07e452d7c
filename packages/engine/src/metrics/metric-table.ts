import type { BucketCounts } from '../logging/bucket-counts.js';
import type { EngineParts } from './engine-parts.js';

/** One value, with the labels that the metric declares. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface BucketSample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly counts: BucketCounts;
}

interface MetricBase {
  readonly name: string;
  /** Label names, each with its bounded set of values for docs/metrics.md. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Unit of the values for docs/metrics.md. */
  readonly unit: string;
  /** Meaning, for the scrape and for docs/metrics.md. */
  readonly help: string;
  /** When to alert, for docs/metrics.md. @default no alert */
  readonly alert?: string;
}

/**
 * A metric. `read` returns its values at the moment of a scrape. It must cost the same whatever the number of connections and groups, so
 * it reads counts that the parts of the engine keep, and never visits each connection.
 */
export type Metric = MetricBase &
  (
    | { readonly type: 'counter' | 'gauge'; readonly read: (parts: EngineParts) => number | undefined | readonly Sample[] }
    | { readonly type: 'histogram'; readonly read: (parts: EngineParts) => BucketCounts | undefined | readonly BucketSample[] }
  );
