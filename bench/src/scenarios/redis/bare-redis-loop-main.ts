import { json } from 'node:stream/consumers';
import { createClient } from '@redis/client';
import { itemOf, updateText } from '../../load/clients/update.js';
import { cpuSince, cpuTime } from '../../measure/process-usage.js';
import type { BareRedisLoop, BareRedisReport } from './bare-redis-loop-process.js';

// The upper bound for one connection of the client: it sends one command for each change of a stream::set, and does nothing else.
const { url, redis, recorded, inFlight, warmUpMs, windowMs } = (await json(process.stdin)) as BareRedisLoop;

/** A recorded command, and which of its words contain the item and its value. */
interface Seen {
  readonly words: readonly string[];
  readonly value: number;
  /** Words with the name of the item, each with the texts around it. */
  readonly items: readonly { readonly at: number; readonly around: readonly string[] }[];
}

function look(words: readonly string[]): Seen {
  const value = words.findIndex((word) => word.includes('"pad":"'));
  const { id: item } = JSON.parse(words[value] ?? '{}') as { id?: string };
  if (item === undefined) throw new Error('no value was seen');
  const items = words.flatMap((word, at) => (at !== value && word.includes(item) ? [{ at, around: word.split(item) }] : []));
  if (items.length === 0) throw new Error('no item was seen');
  return { words, value, items };
}

function wordsOf({ words, value, items }: Seen, call: number): string[] {
  const made = [...words];
  made[value] = updateText(call, call);
  for (const { at, around } of items) made[at] = around.join(itemOf(call));
  return made;
}

const seen = recorded.map(look);
// The default of the client is a timer for each command, which is slower.
const client = createClient({ url, commandOptions: { timeout: 0 } });
await client.connect();

let written = 0;
let calls = 0;
async function writeOne(): Promise<void> {
  const call = calls++;
  const next = seen[call % seen.length];
  if (next === undefined) throw new Error('nothing was recorded');
  const reply: unknown = await client.sendCommand(wordsOf(next, call));
  if (!Array.isArray(reply) || reply[0] !== 'done') throw new Error(`the script answered ${String(reply)}`);
}

let running = true;
async function lane(): Promise<void> {
  while (running) {
    await writeOne();
    written += 1;
  }
}

const elapse = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const lanes = Array.from({ length: inFlight }, lane);
await elapse(warmUpMs);
const before = written;
const own = cpuTime(process.pid);
const server = cpuTime(redis);
const start = performance.now();
await elapse(windowMs);
const count = written - before;
const perSecond = (count / (performance.now() - start)) * 1_000;
const micros = (pid: number, since: typeof own) => {
  const { user, system } = cpuSince(pid, since);
  return ((user + system) * 1_000) / count;
};
const report: BareRedisReport = { perSecond, ownMicros: micros(process.pid, own), redisMicros: micros(redis, server) };
running = false;
await Promise.all(lanes);
await client.close();
process.stdout.write(JSON.stringify(report));
