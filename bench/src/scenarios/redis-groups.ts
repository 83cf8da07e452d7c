import { LoadProcess } from '../load/load-process.js';
import { Figures, target } from '../measure/figures.js';
import type { Effort, Scenario } from '../scenario.js';
import { RedisServer } from '../servers/redis-server.js';
import { RedisTap } from '../servers/redis-tap.js';
import { type ServerProcess, startServer } from '../servers/server-process.js';

const GROUPS = 100_000;
/** Of them the node has subscribers of so many, one of each. */
const SERVED = 100;
/** Writes per second to all groups together; in one window each group gets one. */
const RATE = 5_000;
const IN_FLIGHT = 256;
const WHAT = ['all groups', 'its own groups'] as const;
/** Of the writes of a window; with less the writer was held up, and its rate was another one. */
const KEPT = 0.95;

type Written = (typeof WHAT)[number];

interface Setup {
  readonly writer: ServerProcess;
  readonly node: ServerProcess;
  readonly tap: RedisTap;
  readonly load: LoadProcess;
  readonly groups: number;
  readonly served: number;
}

/** What a node hears from Redis that serves 100 of 100,000 groups, while all of them are written and while only its own are, each as often. */
export const redisGroups: Scenario = {
  name: 'redis-groups',
  needsRedis: true,
  async run(effort, say) {
    const figures = new Figures();
    const late = new Set<Written>();
    say('redis-groups: making the groups');
    await withSetup(effort, async (setup) => {
      for (let run = 0; run < effort.runs; run++) {
        // Whoever comes second meets longer histories: they take turns in going first.
        for (const what of run % 2 === 0 ? WHAT : WHAT.toReversed()) {
          say(`redis-groups run ${run + 1}/${effort.runs}: writes to ${what}`);
          if (!(await measure(setup, what, figures))) late.add(what);
        }
      }
    });
    const ratio = (figure: string) => {
      const [all, own] = WHAT.map((what) => figures.median(`writes to ${what}: ${figure}`));
      return (all ?? Number.NaN) / (own ?? Number.NaN);
    };
    return {
      scenario: redisGroups.name,
      title: `What a node of ${SERVED} groups hears from Redis while ${GROUPS.toLocaleString('en')} are written`,
      figures: figures.list(),
      targets: [
        target('bytes from Redis, as a multiple of those while only its own groups are written', ratio('bytes from Redis'), 'at most', 1.1),
        target('messages of Redis, likewise', ratio('messages of Redis'), 'at most', 1.1),
      ],
      notes: [
        `${RATE.toLocaleString('en')} writes/s at another node, to ${GROUPS.toLocaleString('en')} groups in turn or at the same pace to the ${SERVED} alone.`,
        'A tap between the node and Redis counts what Redis sends, all of it: heartbeats, answers to what the node asks, and what is published.',
        ...(late.size === 0 ? [] : [`The writer was held up, so that its rate was lower, in: ${[...late].join(', ')}.`]),
      ],
    };
  },
};

async function withSetup(effort: Effort, work: (setup: Setup) => Promise<void>): Promise<void> {
  const groups = Math.ceil(GROUPS * effort.scale);
  const served = Math.min(SERVED, Math.ceil(SERVED * effort.scale * 10));
  const ends: (() => Promise<void>)[] = [];
  try {
    const redis = await RedisServer.start();
    ends.unshift(() => redis.stop());
    const tap = await RedisTap.open(redis.port);
    ends.unshift(() => tap.close());
    const writer = await startServer('rivulet', { redis: redis.url });
    ends.unshift(() => writer.stop());
    const node = await startServer('rivulet', { redis: tap.url });
    ends.unshift(() => node.stop());
    const load = new LoadProcess();
    ends.unshift(() => load.stop());
    await load.tell({ kind: 'round', dialect: 'rivulet', url: writer.writeUrl, group: 'room', groups, inFlight: IN_FLIGHT });
    await load.tell({ kind: 'watch', dialect: 'rivulet', url: node.watchUrl, count: served, group: 'room', apart: true });
    await work({ writer, node, tap, load, groups, served });
  } finally {
    for (const end of ends) await end();
  }
}

/** Answers whether the writer kept its pace. */
async function measure({ writer, node, tap, load, groups, served }: Setup, what: Written, figures: Figures): Promise<boolean> {
  const round = what === 'all groups' ? groups : served;
  const seconds = groups / RATE;
  const before = tap.counts();
  const window = await load.measure({
    kind: 'pace',
    dialect: 'rivulet',
    url: writer.writeUrl,
    group: 'room',
    groups: round,
    rate: round / seconds,
    warmUpMs: 0,
    windowMs: seconds * 1_000,
    pid: node.pid,
  });
  const { bytes, messages } = tap.counts();
  const name = `writes to ${what}`;
  figures.add(`${name}: acknowledged`, '/s', window.acknowledged / window.seconds);
  figures.add(`${name}: bytes from Redis`, 'B/s', (bytes - before.bytes) / window.seconds);
  figures.add(`${name}: messages of Redis`, '/s', (messages - before.messages) / window.seconds);
  figures.add(`${name}: deliveries`, '/s', window.deliveries / window.seconds);
  figures.add(`${name}: CPU of the node`, 'ms/s', (window.serverUser + window.serverSystem) / window.seconds);
  return window.acknowledged >= KEPT * window.sent && window.sent >= KEPT * round;
}
