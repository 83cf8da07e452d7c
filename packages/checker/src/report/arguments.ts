import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { count } from '../command-line.js';

export interface Arguments {
  /** Number of seeds of the simulation; 0 skips it. */
  readonly seeds: number;
  /** The first seed of the simulation and of the rounds on real engines. */
  readonly from: number;
  readonly threads: number;
  /** Number of faults on a real engine; 0 skips them. */
  readonly cycles: number;
  /** Number of faults on two engines over one Redis; 0 skips them. */
  readonly redisCycles: number;
  /** Number of faults on two engines over a Redis Cluster; 0 skips them. */
  readonly clusterCycles: number;
  /** A checkout with another build for one of the two engines; empty if both are this build. */
  readonly beside: string;
  /** Number of changes in the long run; 0 skips it. */
  readonly deliveries: number;
  /** Number of callbacks in the run of the client package; 0 skips it. */
  readonly clientDeliveries: number;
  /** Number of power cuts of stores with `durability: commit`; 0 skips them. */
  readonly powerCuts: number;
  /** Number of power cuts of stores with `durability: relaxed`; 0 skips them. */
  readonly relaxedCuts: number;
  /** Number of starts of a second owner in another PID namespace; 0 skips them. */
  readonly lockStarts: number;
  /** Number of damages of closed stores; 0 skips them. */
  readonly damages: number;
  /** Number of backups that are restored and compared; 0 skips them. */
  readonly backups: number;
  /** Number of seeds to try for each deliberate bug; 0 skips the bugs. */
  readonly bugSeeds: number;
  /** File of the report; empty for none. */
  readonly out: string;
  /** Runs this seed only. Its history goes to stdout, and its violations go to stderr. */
  readonly only: number | undefined;
  /** Deliberate bug for this seed. */
  readonly bug: string | undefined;
}

export const USAGE = `usage: npm run reliability -- [--seeds 1000] [--from 1] [--threads ${availableParallelism()}] [--cycles 20] [--redis-cycles 20]
         [--cluster-cycles 20] [--beside OTHER_CHECKOUT] [--deliveries 0] [--client-deliveries 0] [--power-cuts 150]
         [--relaxed-cuts 150] [--lock-starts 20] [--damages 50] [--backups 2] [--bug-seeds 60] [--out RELIABILITY.md]
       npm run reliability -- --only SEED [--bug ID] > history.jsonl`;

/** Parses the arguments of the command. Throws an error with a message for the user when one is invalid. */
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
      'power-cuts': { type: 'string', default: '150' },
      'relaxed-cuts': { type: 'string', default: '150' },
      'lock-starts': { type: 'string', default: '20' },
      damages: { type: 'string', default: '50' },
      backups: { type: 'string', default: '2' },
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
    powerCuts: count('power-cuts', values['power-cuts']),
    relaxedCuts: count('relaxed-cuts', values['relaxed-cuts']),
    lockStarts: count('lock-starts', values['lock-starts']),
    damages: count('damages', values.damages),
    backups: count('backups', values.backups),
    bugSeeds: count('bug-seeds', values['bug-seeds']),
    out: values.out,
    only: values.only === undefined ? undefined : count('only', values.only),
    bug: values.bug,
  };
}
