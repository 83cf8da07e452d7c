import { setTimeout as passes } from 'node:timers/promises';
import { connect, type StreamError } from '@rivulet/client';
import { optimistic } from '@rivulet/client/optimistic';
import { InvocationError, registerWorker } from '@rivulet/sdk';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { balance } from '@rivulet/testkit/links/balancer';
import { ChaosProxy } from '@rivulet/testkit/links/chaos-proxy';
import { Random } from '@rivulet/testkit/random';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { OptimisticWatch } from '../harness/optimistic-watch.js';

/** Optimistic writes of each case. `RIVULET_OPTIMISTIC_WRITES=1000` is the campaign of docs/reliability-harness.md. */
const WRITES = Number(process.env.RIVULET_OPTIMISTIC_WRITES ?? 150);
const SEED = Number(process.env.RIVULET_OPTIMISTIC_SEED ?? 16);
const TIMEOUT = 600_000 + WRITES * 600;
const GROUPS = ['g0', 'g1', 'g2'];
const ITEMS = ['i0', 'i1', 'i2', 'i3'];
/** Calls that the page makes without waiting for answers. */
const MOST_OPEN = 12;
const EXPOSED = ['expose_functions:', '  - match("app::*")'];
/** Ends of a call after which the item has either value. */
const UNKNOWN = new Set(['OUTCOME_UNKNOWN', 'TIMEOUT', 'invocation_stopped']);

interface Write {
  readonly group: string;
  readonly id: string;
  readonly n: number;
  /** True: the function refuses the write. */
  readonly refuse: boolean;
  /** Milliseconds that the function takes. */
  readonly ms: number;
}

/** The functions of the page. Workers of several engines share this object, as replicas of one program share a database. */
class Functions {
  /** How often each write has run, by its number. */
  readonly runs = new Map<number, number>();
  /** The writes of one item run one after another. */
  readonly #lanes = new Map<string, Promise<unknown>>();
  readonly #newest = new Map<string, number>();

  /** Runs a write. `set` stores the value. */
  run(write: Write, set: (write: Write) => Promise<unknown>): Promise<unknown> {
    this.runs.set(write.n, (this.runs.get(write.n) ?? 0) + 1);
    const lane = `${write.group}/${write.id}`;
    const before = this.#lanes.get(lane) ?? Promise.resolve();
    const run = before.catch(() => {}).then(() => this.#write(lane, write, set));
    this.#lanes.set(lane, run);
    return run;
  }

  async #write(lane: string, write: Write, set: (write: Write) => Promise<unknown>): Promise<number> {
    await passes(write.ms);
    if (write.refuse) throw new InvocationError({ code: 'REFUSED', message: 'not this one' });
    // A frame of a killed engine may arrive behind a later write of the same item, over another engine.
    if (write.n < (this.#newest.get(lane) ?? 0)) throw new InvocationError({ code: 'REFUSED', message: 'a later write has run' });
    this.#newest.set(lane, write.n);
    await set(write);
    return write.n;
  }
}

async function runCase(engines: readonly EngineProcess[], random: Random): Promise<void> {
  const functions = new Functions();
  for (const engine of engines) {
    const worker = registerWorker(engine.workerUrl, { onWarning: () => {} });
    onTestFinished(() => worker.shutdown());
    const set = ({ group, id, n }: Write) =>
      worker.trigger({ function_id: 'stream::set', payload: { stream_name: 'tasks', group_id: group, item_id: id, data: { n } } });
    worker.registerFunction('app::write', (write: Write) => functions.run(write, set));
    worker.registerFunction('app::write_again', (write: Write) => functions.run(write, set), { metadata: { idempotent: true } });
    if (engine === engines[0]) for (const group of GROUPS) for (const id of ITEMS) await set({ group, id, n: 0, refuse: false, ms: 0 });
  }
  const proxies = await Promise.all(engines.map(({ ports }) => ChaosProxy.to({ host: '127.0.0.1', port: ports.stream }, random, () => {})));
  onTestFinished(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });
  const watch = new OptimisticWatch();
  class LookedAt extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols);
      // A page draws after the turn. The promises of calls that the frame ended have told the watch by then.
      this.on('message', () => setImmediate(() => watch.look()));
    }
  }
  const client = connect(await balance(proxies.map(({ port }) => `ws://127.0.0.1:${port}`)), {
    WebSocket: LookedAt,
    optimistic,
    silenceMs: 500,
    runtime: { random: () => 0 },
  });
  onTestFinished(() => client.close());
  for (const group of GROUPS) {
    watch.add(client.subscribeGroup('tasks', group), group, ITEMS);
    for (const id of ITEMS.slice(0, 2)) watch.add(client.subscribeItem('tasks', group, id), group, [id]);
  }
  await Promise.all(watch.views.map((view) => view.whenLive()));

  const calls = new Set<Promise<void>>();
  /** Writes of the function that may run twice. */
  const repeatable = new Set<number>();
  let restart = Promise.resolve();
  for (let n = 1; n <= WRITES; n++) {
    const write: Write = {
      group: random.pick(GROUPS),
      id: random.pick(ITEMS),
      n,
      refuse: random.chance(0.15),
      ms: random.between(0, 8),
    };
    if (random.chance(0.2)) repeatable.add(n);
    const name = repeatable.has(n) ? 'app::write_again' : 'app::write';
    const item = watch.item(write.group, write.id);
    const call: Promise<void> = client
      .call(name, write, { optimistic: (draft) => draft.group('tasks', write.group).set(write.id, { n }) })
      .then(
        () => item.confirmed(n),
        (error: StreamError) => item.failed(n, error.code, UNKNOWN.has(error.code)),
      )
      .then(() => void calls.delete(call));
    item.called(n);
    // The page draws after this turn. It must see its own write.
    watch.look();
    calls.add(call);
    if (n % 9 === 0) disturb(random.pick(proxies), random);
    if (n % 50 === 0) restart = restart.then(() => killed(random.pick(engines)));
    while (calls.size >= MOST_OPEN || (calls.size > 0 && random.chance(0.2))) await Promise.race(calls);
  }
  await restart;
  for (const proxy of proxies) proxy.heal();
  await Promise.all(calls);
  await Promise.all(watch.views.map((view) => view.whenLive()));
  const engine = engines[0] as EngineProcess;
  const reader = registerWorker(engine.workerUrl, { onWarning: () => {} });
  onTestFinished(() => reader.shutdown());
  for (const group of GROUPS) {
    const items = await reader.trigger<object, { readonly n: number }[]>({
      function_id: 'stream::list',
      payload: { stream_name: 'tasks', group_id: group },
    });
    const truth = items.map(({ n }) => ({ n, pending: undefined }));
    await expect.poll(() => watch.shownIn(group, ITEMS)).toEqual(truth);
  }
  expect([...watch.findings]).toEqual([]);
  expect([...functions.runs].filter(([n, runs]) => runs > 1 && !repeatable.has(n))).toEqual([]);
  const { confirmed = 0, REFUSED: refused = 0, ...others } = watch.ends();
  expect(Object.keys(others).filter((code) => !UNKNOWN.has(code) && code !== 'function_not_found')).toEqual([]);
  expect(confirmed).toBeGreaterThan(WRITES / 8);
  expect(refused).toBeGreaterThan(0);
}

async function killed(engine: EngineProcess): Promise<void> {
  await engine.kill();
  await engine.start();
}

function disturb(proxy: ChaosProxy, random: Random): void {
  const what = random.below(4);
  if (what === 0) proxy.reset();
  else if (what === 1) proxy.cutAfter(random.between(1, 2_000));
  else if (what === 2) proxy.latency(random.between(0, 20), random.between(0, 10));
  else proxy.heal();
}

it('one engine: each optimistic write ends, runs at most once, and no view shows an old value', { timeout: TIMEOUT }, async () => {
  await runCase([await EngineProcess.start({ stream: EXPOSED })], new Random(SEED));
});

it('two engines over a Redis: the same', { timeout: TIMEOUT }, async () => {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.kill());
  const adapter = `{ name: redis, config: { redis_url: 'redis://127.0.0.1:${redis.port}' } }`;
  const options = { stream: EXPOSED, adapter };
  await runCase([await EngineProcess.start(options), await EngineProcess.start(options)], new Random(SEED + 1));
});
