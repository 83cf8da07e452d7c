import { LoadProcess } from '../../load/load-process.js';
import { Figures, target } from '../../measure/figures.js';
import { cpuSince, cpuTime } from '../../measure/process-usage.js';
import type { Effort, Scenario } from '../../scenario.js';
import { RedisServer } from '../../servers/redis-server.js';
import { RedisTap } from '../../servers/redis-tap.js';
import { type ServerProcess, startServer } from '../../servers/server-process.js';

const GROUPS = 100_000;
/** Groups with one subscriber at the measured engine. */
const SERVED = 100;
const IN_FLIGHT = 256;
const RATIO = 'all groups / its own: ';

/**
 * Measures what Redis sends to an engine that serves 100 of 100,000 groups. Windows alternate: all groups are written, or only those 100,
 * each at the same rate.
 */
export const redisGroups: Scenario = {
  name: 'redis-groups',
  needsRedis: true,
  async run(effort, say) {
    const figures = new Figures();
    say('redis-groups: making the groups');
    await withSetup(effort, async (setup) => {
      for (let run = 0; run < effort.runs; run++) {
        say(`redis-groups run ${run + 1}/${effort.runs}`);
        await measure(setup, figures);
      }
    });
    return {
      scenario: redisGroups.name,
      title: `Data from Redis to an engine of ${SERVED} groups while ${GROUPS.toLocaleString('en')} are written`,
      figures: figures.list(),
      targets: [
        target(
          'bytes from Redis, as a multiple of those while only its own groups are written',
          figures.median(`${RATIO}bytes`),
          'at most',
          1.1,
        ),
        target('messages of Redis, likewise', figures.median(`${RATIO}messages`), 'at most', 1.1),
      ],
      notes: [
        `Another engine writes once to each of ${GROUPS.toLocaleString('en')} groups, ${IN_FLIGHT} in flight; then once to each of the ${SERVED}, evenly over the same time.`,
        'A tap between the engine and Redis counts all data of Redis: answers, published messages, and heartbeats.',
      ],
    };
  },
};

interface Setup {
  readonly writer: ServerProcess;
  readonly node: ServerProcess;
  readonly tap: RedisTap;
  readonly load: LoadProcess;
  readonly groups: number;
  readonly served: number;
}

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
    const setup = { writer, node, tap, load, groups, served };
    await writeToAll(setup);
    await load.execute({ kind: 'watch', dialect: 'rivulet', url: node.watchUrl, count: served, group: 'room', apart: true });
    await work(setup);
  } finally {
    for (const end of ends) await end();
  }
}

async function measure(setup: Setup, figures: Figures): Promise<void> {
  const { served } = setup;
  const all = await heard(setup, () => writeToAll(setup));
  const own = await heard(setup, () => writeToItsOwn(setup, all.seconds));
  for (const [name, { seconds, bytes, messages, cpuMs }] of [['all groups', all] as const, ['its own groups', own] as const]) {
    figures.add(`writes to ${name}: time`, 's', seconds);
    figures.add(`writes to ${name}: bytes from Redis`, 'B/s', bytes / seconds);
    figures.add(`writes to ${name}: messages of Redis`, '/s', messages / seconds);
    figures.add(`writes to ${name}: messages of Redis for each of its groups`, '', messages / served);
    figures.add(`writes to ${name}: CPU of the node`, 'ms/s', cpuMs / seconds);
  }
  figures.add(`${RATIO}bytes`, '', all.bytes / all.seconds / (own.bytes / own.seconds));
  figures.add(`${RATIO}messages`, '', all.messages / all.seconds / (own.messages / own.seconds));
}

async function writeToAll({ writer, load, groups }: Setup): Promise<void> {
  await load.execute({ kind: 'round', dialect: 'rivulet', url: writer.writeUrl, group: 'room', groups, inFlight: IN_FLIGHT });
}

async function writeToItsOwn({ writer, load, served }: Setup, seconds: number): Promise<void> {
  const { refused } = await load.measure({
    kind: 'pace',
    dialect: 'rivulet',
    url: writer.writeUrl,
    group: 'room',
    groups: served,
    rate: served / seconds,
    warmUpMs: 0,
    windowMs: seconds * 1_000,
    pid: writer.pid,
  });
  if (refused > 0) throw new Error(`${refused} writes were refused`);
}

/** Measures what Redis sends to the engine in a window, and the processor time that it costs. */
async function heard({ node, tap }: Setup, work: () => Promise<void>) {
  const [before, cpu, start] = [tap.counts(), cpuTime(node.pid), performance.now()];
  await work();
  const [after, { user, system }] = [tap.counts(), cpuSince(node.pid, cpu)];
  return {
    seconds: (performance.now() - start) / 1_000,
    bytes: after.bytes - before.bytes,
    messages: after.messages - before.messages,
    cpuMs: user + system,
  };
}
