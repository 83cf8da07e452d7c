import { figuresOf, type StoreFigures } from '../store/store-figures.js';
import type { EngineParts } from './engine-parts.js';
import type { Metric, Sample } from './metric-table.js';

const LABELS = { store: '`stream`, `state`' } as const;

/** Returns the figures of the stores that report them, by the name of the store. */
function figures({ stores }: EngineParts): readonly { readonly store: string; readonly figures: StoreFigures }[] {
  return Object.entries(stores).flatMap(([store, each]) => {
    const found = figuresOf(each);
    return found === undefined ? [] : [{ store, figures: found }];
  });
}

/** Returns a reader of one value of each store. A store without the value has no sample. */
const each = (read: (figures: StoreFigures) => number | undefined) => {
  return (parts: EngineParts): readonly Sample[] =>
    figures(parts).flatMap(({ store, figures: found }) => {
      const value = read(found);
      return value === undefined ? [] : [{ labels: { store }, value }];
    });
};

const STATES = ['ok', 'full', 'failed', 'unavailable'] as const;

/** Metrics of the stores of streams and state. A store in memory has none. */
export const STORE_METRICS: readonly Metric[] = [
  {
    name: 'rivulet_store_state',
    type: 'gauge',
    labels: { ...LABELS, state: '`ok`, `full`, `failed`, `unavailable`' },
    unit: '0 or 1',
    help: 'State of the store: 1 for the present state, 0 for the others',
    alert: '`state="ok"` is 0 for 1 minute',
    read: (parts) =>
      figures(parts).flatMap(({ store, figures: { state } }) =>
        STATES.map((name) => ({ labels: { store, state: name }, value: Number(name === state) })),
      ),
  },
  {
    name: 'rivulet_store_commits_total',
    type: 'counter',
    labels: LABELS,
    unit: 'transactions',
    help: 'Transactions, or scripts of a Redis, that became durable',
    read: each(({ commits }) => commits.seconds.count),
  },
  {
    name: 'rivulet_store_changes_total',
    type: 'counter',
    labels: LABELS,
    unit: 'changes',
    help: 'Changes that became durable',
    read: each(({ commits }) => commits.changes),
  },
  {
    name: 'rivulet_store_writes_failed_total',
    type: 'counter',
    labels: LABELS,
    unit: 'writes',
    help: 'Writes that failed because of the store or its server',
    alert: 'more than 5 in 5 minutes',
    read: each(({ commits }) => commits.failed),
  },
  {
    name: 'rivulet_store_queued_changes',
    type: 'gauge',
    labels: LABELS,
    unit: 'changes',
    help: 'Writes that wait for a transaction or for the server',
    alert: 'above 10000 for 1 minute: `queuedWrites` of 65536 is near',
    read: each(({ queued }) => queued),
  },
  {
    name: 'rivulet_store_commit_seconds',
    type: 'histogram',
    labels: LABELS,
    unit: 'seconds',
    help: 'Time of one transaction until it is durable',
    alert: '99 % above 0.25 s for 10 minutes: the disk or the server is slow',
    read: (parts) => figures(parts).map(({ store, figures: { commits } }) => ({ labels: { store }, counts: commits.seconds })),
  },
  {
    name: 'rivulet_store_commit_writes',
    type: 'histogram',
    labels: LABELS,
    unit: 'writes',
    help: 'Writes in one transaction',
    read: (parts) => figures(parts).map(({ store, figures: { commits } }) => ({ labels: { store }, counts: commits.batch })),
  },
  {
    name: 'rivulet_store_data_bytes',
    type: 'gauge',
    labels: LABELS,
    unit: 'bytes',
    help: 'Size of the data file',
    read: each(({ disk }) => disk?.dataBytes),
  },
  {
    name: 'rivulet_store_reusable_bytes',
    type: 'gauge',
    labels: LABELS,
    unit: 'bytes',
    help: 'Bytes of the data file that hold nothing and will be used again',
    read: each(({ disk }) => disk?.reusableBytes),
  },
  {
    name: 'rivulet_store_disk_free_bytes',
    type: 'gauge',
    labels: LABELS,
    unit: 'bytes',
    help: 'Free bytes of the disk of the store',
    alert: 'below twice `rivulet_store_disk_needed_bytes`',
    read: each(({ disk }) => disk?.freeBytes),
  },
  {
    name: 'rivulet_store_disk_needed_bytes',
    type: 'gauge',
    labels: LABELS,
    unit: 'bytes',
    help: 'Free bytes below which the store refuses writes',
    read: each(({ disk }) => disk?.neededBytes),
  },
  {
    name: 'rivulet_store_reads_ended_total',
    type: 'counter',
    labels: LABELS,
    unit: 'reads',
    help: 'Reads that the store has ended, because their readers were too slow',
    read: each(({ disk }) => disk?.endedReads),
  },
  {
    name: 'rivulet_redis_connected',
    type: 'gauge',
    labels: LABELS,
    unit: '0 or 1',
    help: 'Whether every Redis server of the store is connected and has sent its canary',
    alert: '0 for 15 seconds',
    read: each(({ server }) => (server === undefined ? undefined : Number(server.connected))),
  },
  {
    name: 'rivulet_redis_lost_total',
    type: 'counter',
    labels: LABELS,
    unit: 'connections',
    help: 'Connections to a Redis server that were lost',
    alert: 'more than 3 in 10 minutes',
    read: each(({ server }) => server?.lost),
  },
];
