import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchEnvironment, markdown } from './measure/report.js';
import type { Effort, Scenario, ScenarioResult } from './scenario.js';
import { avalanche } from './scenarios/avalanche.js';
import { backup } from './scenarios/backup.js';
import { board } from './scenarios/board/board.js';
import { calls } from './scenarios/calls.js';
import { channel } from './scenarios/channel.js';
import { durableSets } from './scenarios/durable-sets.js';
import { idleEvents } from './scenarios/events/idle-events.js';
import { stalledEvents } from './scenarios/events/stalled-events.js';
import { fanOut } from './scenarios/fan-out.js';
import { httpTrigger } from './scenarios/http-trigger.js';
import { idleMemory } from './scenarios/idle-memory.js';
import { idleSubscriptions } from './scenarios/idle-subscriptions.js';
import { inspector } from './scenarios/inspector/inspector.js';
import { jitter } from './scenarios/jitter.js';
import { latency } from './scenarios/latency.js';
import { allStalled } from './scenarios/readers/all-stalled.js';
import { slowClient } from './scenarios/readers/slow-client.js';
import { stalledClient } from './scenarios/readers/stalled-client.js';
import { ready } from './scenarios/ready/ready.js';
import { redisFanOut } from './scenarios/redis/redis-fan-out.js';
import { redisGroups } from './scenarios/redis/redis-groups.js';
import { redisSets } from './scenarios/redis/redis-sets.js';
import { tokens } from './scenarios/tokens.js';
import { RedisServer } from './servers/redis-server.js';

const SCENARIOS: readonly Scenario[] = [
  fanOut,
  idleMemory,
  durableSets,
  backup,
  latency,
  idleSubscriptions,
  stalledClient,
  slowClient,
  allStalled,
  stalledEvents,
  idleEvents,
  jitter,
  avalanche,
  calls,
  httpTrigger,
  channel,
  ready,
  tokens,
  board,
  inspector,
  redisFanOut,
  redisSets,
  redisGroups,
];
const FULL = { runs: 5, warmUpMs: 1_500, windowMs: 4_000, scale: 1 };
const QUICK = { runs: 1, warmUpMs: 200, windowMs: 500, scale: 0.02 };

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: SCENARIOS.map(({ name }) => name).join(',') },
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    before: { type: 'string' },
    out: { type: 'string', default: fileURLToPath(new URL('../results', import.meta.url)) },
  },
});
const wanted = values.only.split(',').map((name) => {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined)
    throw new Error(`no scenario "${name}"; there are ${SCENARIOS.map((candidate) => candidate.name).join(', ')}`);
  return scenario;
});
const effort: Effort = {
  ...(values.quick ? QUICK : FULL),
  ...(values.runs === undefined ? {} : { runs: Number(values.runs) }),
  before: values.before === undefined ? undefined : resolve(values.before),
};

if (wanted.some(({ needsRedis = false }) => needsRedis)) RedisServer.require();
const results: ScenarioResult[] = [];
for (const scenario of wanted) results.push(await scenario.run(effort, (line) => void process.stderr.write(`${line}\n`)));

const where = benchEnvironment(['npm run bench', ...process.argv.slice(2)].join(' '));
const table = markdown(results, where);
mkdirSync(values.out, { recursive: true });
writeFileSync(`${values.out}/latest.json`, `${JSON.stringify({ ...where, effort, results }, undefined, 2)}\n`);
writeFileSync(`${values.out}/latest.md`, table);
process.stdout.write(table);
