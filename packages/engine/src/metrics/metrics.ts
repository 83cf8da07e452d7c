import { LEASE_METRICS } from './lease-metrics.js';
import type { Metric } from './metric-table.js';
import { STORE_METRICS } from './store-metrics.js';
import { STREAM_METRICS } from './stream-metrics.js';
import { TOKEN_METRICS } from './token-metrics.js';
import { WORK_METRICS } from './work-metrics.js';

/** All metrics of the engine, in the order of docs/metrics.md. The metrics of Node and of the process come from the library. */
export const METRICS: readonly Metric[] = [...STREAM_METRICS, ...LEASE_METRICS, ...STORE_METRICS, ...WORK_METRICS, ...TOKEN_METRICS];
