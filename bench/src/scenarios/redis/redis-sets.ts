import { LoadProcess } from '../../load/load-process.js';
import { Figures, target } from '../../measure/figures.js';
import type { Effort, Scenario } from '../../scenario.js';
import { RedisServer } from '../../servers/redis-server.js';
import { startServer } from '../../servers/server-process.js';
import { runBareRedisLoop } from './bare-redis-loop-process.js';
import { recordSets } from './recorded-sets.js';

const IN_FLIGHT = 256;
const GROUPS = [1, 256] as const;

interface Turn {
  readonly redis: RedisServer;
  readonly groups: number;
  readonly effort: Effort;
  readonly figures: Figures;
}

/**
 * Measures acknowledged stream::set calls per second of one engine over one Redis, beside a bare client that runs the same script for each
 * change.
 */
export const redisSets: Scenario = {
  name: 'redis-sets',
  needsRedis: true,
  async run(effort, say) {
    const figures = new Figures();
    for (let run = 0; run < effort.runs; run++) {
      for (const groups of GROUPS) {
        say(`redis-sets run ${run + 1}/${effort.runs}: ${named(groups)}`);
        const redis = await RedisServer.start();
        try {
          const turn = { redis, groups, effort, figures };
          const recorded = await recordSets(redis, groups);
          const sides = [() => measureEngine(turn), () => measureBareLoop(turn, recorded)];
          // The second side finds existing items, so the sides take turns in going first.
          for (const side of run % 2 === 0 ? sides : sides.toReversed()) await side();
        } finally {
          await redis.stop();
        }
      }
    }
    const share = (groups: number) =>
      figures.median(`rivulet, ${named(groups)}: sets`) / figures.median(`bare client, ${named(groups)}: sets`);
    return {
      scenario: redisSets.name,
      title: 'stream::set over a Redis, one worker connection, 256 in flight',
      figures: figures.list(),
      targets: GROUPS.map((groups) => target(`rivulet / bare client, ${named(groups)}`, share(groups), 'at least', 0.5)),
      notes: [
        'The bare client (@redis/client) sends the recorded commands of an engine, one for each change, with other items and values.',
        'It shares the processor with Redis, as the engine does. The engine combines simultaneous writes of one group into one command.',
      ],
    };
  },
};

function named(groups: number): string {
  return groups === 1 ? '1 group' : `${groups} groups`;
}

async function measureEngine({ redis, groups, effort, figures }: Turn): Promise<void> {
  const server = await startServer('rivulet', { redis: redis.url });
  const load = new LoadProcess();
  try {
    const window = await load.measure({
      kind: 'saturate',
      dialect: 'rivulet',
      url: server.writeUrl,
      group: 'room',
      groups,
      inFlight: IN_FLIGHT,
      warmUpMs: effort.warmUpMs,
      windowMs: effort.windowMs,
      pid: server.pid,
      others: [redis.pid],
    });
    if (window.refused > 0) throw new Error(`${window.refused} writes were refused`);
    const [redisMs = Number.NaN] = window.others;
    const name = `rivulet, ${named(groups)}`;
    figures.add(`${name}: sets`, '/s', window.acknowledged / window.seconds);
    figures.add(`${name}: answer p50`, 'ms', window.ackP50);
    figures.add(`${name}: answer p99`, 'ms', window.ackP99);
    figures.add(`${name}: engine's CPU per set`, 'µs', ((window.serverUser + window.serverSystem) * 1_000) / window.acknowledged);
    figures.add(`${name}: Redis' CPU per set`, 'µs', (redisMs * 1_000) / window.acknowledged);
    figures.add(`${name}: load CPU`, '', window.loadCpu);
  } finally {
    await load.stop();
    await server.stop();
  }
}

async function measureBareLoop({ redis, groups, effort, figures }: Turn, recorded: readonly (readonly string[])[]): Promise<void> {
  const { warmUpMs, windowMs } = effort;
  const loop = await runBareRedisLoop({ url: redis.url, redis: redis.pid, recorded, inFlight: IN_FLIGHT, warmUpMs, windowMs });
  const name = `bare client, ${named(groups)}`;
  figures.add(`${name}: sets`, '/s', loop.perSecond);
  figures.add(`${name}: its CPU per set`, 'µs', loop.ownMicros);
  figures.add(`${name}: Redis' CPU per set`, 'µs', loop.redisMicros);
}
