import type { Metric } from './metric-table.js';
import { samplesOfRecord } from './stream-metrics.js';

/** Metrics of the items that end with their clients. */
export const LEASE_METRICS: readonly Metric[] = [
  {
    name: 'rivulet_leases_held',
    type: 'gauge',
    unit: 'items',
    help: 'Items that joins lease now, or that outlive a lost connection for their grace time',
    alert: 'above 80000 for 5 minutes: `leases` of 100000 is near',
    read: ({ streams }) => streams?.leases.size,
  },
  {
    name: 'rivulet_leases_taken_total',
    type: 'counter',
    unit: 'leases',
    help: 'Leases that joins have taken',
    read: ({ streams }) => streams?.leases.counts.taken,
  },
  {
    name: 'rivulet_leases_ended_total',
    type: 'counter',
    labels: { how: '`left`, `dropped`' },
    unit: 'leases',
    help: 'Leases that have ended: the client left, or its connection was lost',
    read: ({ streams }) => (streams === undefined ? undefined : samplesOfRecord('how', streams.leases.counts.ended)),
  },
  {
    name: 'rivulet_leases_expired_total',
    type: 'counter',
    unit: 'items',
    help: 'Leased items that the engine deleted, because the client did not come back within the grace time',
    read: ({ streams }) => streams?.leases.counts.expired,
  },
  {
    name: 'rivulet_leases_refused_total',
    type: 'counter',
    unit: 'leases',
    help: 'Leases that were refused, because too many are held',
    alert: 'any increase in 10 minutes',
    read: ({ streams }) => streams?.leases.counts.refused,
  },
];
