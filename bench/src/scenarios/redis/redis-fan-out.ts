import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sinkBinary } from '../../load/clients/sink-binary.js';
import { LoadProcess } from '../../load/load-process.js';
import { Figures, target } from '../../measure/figures.js';
import type { Effort, Scenario, ScenarioResult } from '../../scenario.js';
import { RedisServer } from '../../servers/redis-server.js';
import type { ServerOptions } from '../../servers/server-options.js';
import { type ServerProcess, startServer } from '../../servers/server-process.js';

const SUBSCRIBERS = 500;
/**
 * Offered rates, in updates per second. The promise is about the first one. No server reaches the last one, so it shows the peak of each.
 */
const RATES = [100, 1_000, 16_000] as const;
/** Subscribers that measure latency, over all servers. The other ones count. */
const SAMPLED = 20;
/** Share of its processor above which the load may have limited the servers. */
const LOAD_BOUND = 0.9;

interface Side {
  readonly name: string;
  readonly server: 'rivulet' | 'socket.io';
  readonly servers: number;
  /** Whether the servers share a Redis. Otherwise the engine stores on its disk. */
  readonly over?: ServerOptions['adapter'] | 'engines';
}

const SIDES: readonly Side[] = [
  { name: 'two engines', server: 'rivulet', servers: 2, over: 'engines' },
  { name: 'one engine', server: 'rivulet', servers: 1 },
  { name: 'one engine over Redis', server: 'rivulet', servers: 1, over: 'engines' },
  { name: 'two of Socket.IO, pub/sub', server: 'socket.io', servers: 2, over: 'pub/sub' },
  { name: 'two of Socket.IO, streams', server: 'socket.io', servers: 2, over: 'streams' },
];
const [TWO, ONE, , PUB_SUB, STREAMS] = SIDES.map(({ name }) => name);

/** Measures one group with 500 subscribers at two servers that share a Redis. One writer sends updates of 200 bytes to the first server. */
export const redisFanOut: Scenario = {
  name: 'redis-fan-out',
  needsRedis: true,
  async run(effort, say) {
    const figures = new Figures();
    const loadBound = new Set<string>();
    const refused = new Set<string>();
    for (let run = 0; run < effort.runs; run++) {
      for (const side of SIDES) {
        for (const rate of RATES) {
          say(`redis-fan-out run ${run + 1}/${effort.runs}: ${side.name} at ${rate} messages/s`);
          await withServers(side, (servers, redis) => measure({ side, servers, redis, rate, effort, figures, loadBound, refused }));
        }
      }
    }
    return report(figures, loadBound, refused);
  },
};

async function withServers(
  { server, servers: count, over }: Side,
  work: (servers: readonly ServerProcess[], redis: RedisServer | undefined) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-'));
  const redis = over === undefined ? undefined : await RedisServer.start();
  const servers: ServerProcess[] = [];
  const options: ServerOptions =
    redis === undefined ? { directory } : { redis: redis.url, ...(over === 'pub/sub' || over === 'streams' ? { adapter: over } : {}) };
  try {
    while (servers.length < count) servers.push(await startServer(server, options));
    await work(servers, redis);
  } finally {
    for (const each of servers) await each.stop();
    await redis?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Measured {
  readonly side: Side;
  readonly servers: readonly ServerProcess[];
  readonly redis: RedisServer | undefined;
  readonly rate: number;
  readonly effort: Effort;
  readonly figures: Figures;
  readonly loadBound: Set<string>;
  readonly refused: Set<string>;
}

async function measure({ side, servers, redis, rate, effort, figures, loadBound, refused }: Measured): Promise<void> {
  const [first, ...others] = servers;
  if (first === undefined) throw new Error('unreachable');
  const load = new LoadProcess();
  try {
    await subscribe(load, side, servers, effort);
    const window = await load.measure({
      kind: 'pace',
      dialect: side.server,
      url: first.writeUrl,
      group: 'room',
      rate,
      warmUpMs: effort.warmUpMs,
      windowMs: effort.windowMs,
      pid: first.pid,
      others: [...others, ...(redis === undefined ? [] : [redis])].map(({ pid }) => pid),
    });
    const at = `${side.name} at ${rate}/s`;
    const [redisMs] = redis === undefined ? [] : window.others.slice(-1);
    const serversMs = window.serverUser + window.serverSystem + window.others.slice(0, others.length).reduce((sum, ms) => sum + ms, 0);
    figures.add(`${at}: deliveries`, '/s', window.deliveries / window.seconds);
    figures.add(`${at}: deliveries per change`, '', window.deliveries / window.acknowledged);
    figures.add(`${at}: delivery p50`, 'ms', window.deliveryP50);
    figures.add(`${at}: delivery p99`, 'ms', window.deliveryP99);
    figures.add(`${at}: server CPU per delivery`, 'µs', (serversMs * 1_000) / window.deliveries);
    if (redisMs !== undefined) figures.add(`${at}: Redis' CPU per change`, 'µs', (redisMs * 1_000) / window.acknowledged);
    figures.add(`${at}: load CPU`, '', window.loadCpu);
    if (window.loadCpu > LOAD_BOUND) loadBound.add(at);
    if (window.refused > 0) refused.add(at);
  } finally {
    await load.stop();
  }
}

/** Splits the subscribers evenly over the servers. */
async function subscribe(load: LoadProcess, { server: dialect }: Side, servers: readonly ServerProcess[], effort: Effort): Promise<void> {
  const count = Math.ceil((SUBSCRIBERS * effort.scale) / servers.length);
  const sampled = Math.min(SAMPLED / servers.length, count);
  const binary = sinkBinary();
  for (const { watchUrl: url } of servers) {
    const watch = { dialect, url, group: 'room' } as const;
    if (binary !== undefined) await load.execute({ kind: 'sink', binary, ...watch, count: count - sampled });
    await load.execute({ kind: 'watch', ...watch, count: binary === undefined ? count : sampled, sampled });
  }
}

function report(figures: Figures, loadBound: ReadonlySet<string>, refused: ReadonlySet<string>): ScenarioResult {
  const at100 = (name: string | undefined, what: string) => figures.median(`${name} at ${RATES[0]}/s: ${what}`);
  const peak = (name: string | undefined) => Math.max(...RATES.map((rate) => figures.median(`${name} at ${rate}/s: deliveries`)));
  const ratio = (what: string, of: string | undefined, to: string | undefined) => at100(of, what) / at100(to, what);
  const cpu = 'server CPU per delivery';
  const notes = [
    `${SUBSCRIBERS} subscribers in total, half of them at each of two servers. All writes go to the first server. "One engine" stores on its disk, durably.`,
    'Redis stores nothing on disk. It shares the processor with the servers, and has a figure of its own. The CPU of two servers is the sum of both.',
    'Updates have 200 bytes, and all servers push the same text. Rivulet stores each update in the Redis. Socket.IO only forwards it.',
    'Latency counts from the planned time of a message. Beyond its peak, Socket.IO acknowledges messages that have not reached Redis, so its latency means nothing there.',
  ];
  if (loadBound.size > 0)
    notes.push(`The load generator was the bottleneck (over ${LOAD_BOUND * 100} % of its processor) in: ${[...loadBound].join(', ')}.`);
  if (refused.size > 0) notes.push(`Some writes were refused and are in no figure: ${[...refused].join(', ')}.`);
  return {
    scenario: redisFanOut.name,
    title: 'Two servers over one Redis, 250 subscribers of one group on each',
    figures: figures.list(),
    targets: [
      target("delivery p99 at 100/s, as a multiple of one engine's", ratio('delivery p99', TWO, ONE), 'at most', 3),
      target("CPU per delivery at 100/s, as a multiple of one engine's", ratio(cpu, TWO, ONE), 'at most', 1.3),
      target("peak deliveries/s, as a multiple of Socket.IO's with its pub/sub adapter", peak(TWO) / peak(PUB_SUB), 'at least', 1),
      target("peak deliveries/s, as a multiple of Socket.IO's with its streams adapter", peak(TWO) / peak(STREAMS), 'at least', 1),
      target("CPU per delivery at 100/s, as a share of Socket.IO's with its pub/sub adapter", ratio(cpu, TWO, PUB_SUB), 'at most', 1),
      target("CPU per delivery at 100/s, as a share of Socket.IO's with its streams adapter", ratio(cpu, TWO, STREAMS), 'at most', 1),
    ],
    notes,
  };
}
