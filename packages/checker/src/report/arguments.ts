import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

export interface Arguments {
  /** Seeds of the simulation; 0: none. */
  readonly seeds: number;
  /** The first seed, of the simulation and of the rounds on a real engine. */
  readonly from: number;
  readonly threads: number;
  /** Faults on a real engine; 0: none. */
  readonly cycles: number;
  /** Faults on two engines over one Redis; 0: none. */
  readonly redisCycles: number;
  /** The same over a Redis Cluster; 0: none. */
  readonly clusterCycles: number;
  /** One of them is the engine that was built in this other checkout; empty: both are this one. */
  readonly beside: string;
  /** Changes that are shown in the long run; 0: no such run. */
  readonly deliveries: number;
  /** Callbacks of the client package in a run of its own; 0: no such run. */
  readonly clientDeliveries: number;
  /** Seeds that each deliberate bug is given; 0: no bugs. */
  readonly bugSeeds: number;
  /** The page that is written; empty: none. */
  readonly out: string;
  /** One seed alone: its history goes to stdout, what it breaks to stderr. */
  readonly only: number | undefined;
  /** The deliberate bug that this seed is run with. */
  readonly bug: string | undefined;
}

export const USAGE = `usage: npm run reliability -- [--seeds 1000] [--from 1] [--threads ${availableParallelism()}] [--cycles 20] [--redis-cycles 20]
         [--cluster-cycles 20] [--beside OTHER_CHECKOUT] [--deliveries 0] [--client-deliveries 0] [--bug-seeds 60] [--out RELIABILITY.md]
       npm run reliability -- --only SEED [--bug ID] > history.jsonl`;

/** Throws with a message for the user. */
export function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      threads: { type: 'string', default: String(availableParallelism()) },
      cycles: { type: 'string', default: '20' },
      'redis-cycles': { type: 'string', default: '20' },
      'cluster-cycles': { type: 'string', default: '20' },
      beside: { type: 'string', default: '' },
      deliveries: { type: 'string', default: '0' },
      'client-deliveries': { type: 'string', default: '0' },
      'bug-seeds': { type: 'string', default: '60' },
      out: { type: 'string', default: 'RELIABILITY.md' },
      only: { type: 'string' },
      bug: { type: 'string' },
    },
  });
  return {
    seeds: count('seeds', values.seeds),
    from: count('from', values.from),
    threads: Math.max(1, count('threads', values.threads)),
    cycles: count('cycles', values.cycles),
    redisCycles: count('redis-cycles', values['redis-cycles']),
    clusterCycles: count('cluster-cycles', values['cluster-cycles']),
    beside: values.beside,
    deliveries: count('deliveries', values.deliveries),
    clientDeliveries: count('client-deliveries', values['client-deliveries']),
    bugSeeds: count('bug-seeds', values['bug-seeds']),
    out: values.out,
    only: values.only === undefined ? undefined : count('only', values.only),
    bug: values.bug,
  };
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} must be a whole number, not ${text}`);
  return value;
}
