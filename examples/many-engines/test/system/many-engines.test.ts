import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Change } from '@rivulet/client';
import { stablePorts } from '@rivulet/testkit/engines/stable-ports';
import { Inbox } from '@rivulet/testkit/inbox';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, onTestFinished, test } from 'vitest';
import { watchBoard } from '../../watch.mjs';

const START = fileURLToPath(new URL('../../start.mjs', import.meta.url));
const KINDS = ['WORKER', 'STREAM', 'HTTP', 'ADMIN'] as const;
const PORTS = ['REDIS_PORT', ...['', 'A_', 'B_', 'C_'].flatMap((of) => KINDS.map((kind) => `${of}${kind}_PORT`))];
const GROUP = 'written-by-the-test';

/** Runs start.mjs on free ports, and sends it commands on its standard input. */
class Example {
  readonly ports: Readonly<Record<string, number>>;
  readonly lines = new Inbox<string>();
  readonly #child: ChildProcess;
  /** No limit here: start.mjs limits the start of its programs. */
  readonly #ready: Promise<void>;

  private constructor(ports: Readonly<Record<string, number>>) {
    this.ports = ports;
    const numbers = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]));
    const child = spawn(process.execPath, [START], { env: { ...process.env, ...numbers }, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    const exited = once(child, 'exit');
    this.#ready = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.lines.push(line);
        if (line.startsWith('ready ')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`start.mjs ended with ${code}`)));
    });
    onTestFinished(async () => {
      child.kill('SIGTERM');
      const [code] = await exited;
      if (code !== 0) throw new Error(`start.mjs ended with ${code}:\n${this.lines.all.slice(-20).join('\n')}`);
    });
  }

  static async start(): Promise<Example> {
    const example = new Example(await stablePorts(PORTS));
    await example.#ready;
    await Promise.all([example.serves('a'), example.serves('b')]);
    return example;
  }

  get streamUrl(): string {
    return `ws://127.0.0.1:${this.ports.STREAM_PORT}`;
  }

  tell(command: string): void {
    this.#child.stdin?.write(`${command}\n`);
  }

  said(pattern: RegExp): Promise<string> {
    return this.lines.take((line) => pattern.test(line), `a line ${pattern}`);
  }

  /** Resolves when the engine runs and has the functions of the worker, each time that it starts. */
  async serves(engine: string): Promise<void> {
    const port = this.ports[`${engine.toUpperCase()}_WORKER_PORT`];
    await Promise.all([this.said(new RegExp(`^\\[${engine}\\] ready `)), this.said(new RegExp(`:${port}/ has the functions$`))]);
  }

  /** Connects to the engine itself, without the balancer. */
  writer(engine: string): Promise<RawWorker> {
    return RawWorker.connect(`ws://127.0.0.1:${this.ports[`${engine}_WORKER_PORT`]}`);
  }

  /** Returns the answer of a function through the balancer, as a browser gets it. */
  async board(): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.ports.HTTP_PORT}/board`);
    return response.status === 200 ? response.json() : response.status;
  }
}

/** A client of the balancer, with all frames that it got. */
class Watcher {
  readonly engines: string[] = [];
  readonly resets: string[] = [];
  readonly changes = new Inbox<Change<unknown>>();
  readonly #watching: ReturnType<typeof watchBoard>;

  constructor(example: Example) {
    const listeners = {
      onChange: (change: Change<unknown>) => this.changes.push(change),
      onReset: ({ reason }: { readonly reason: string }) => void this.resets.push(reason),
      onGap: () => void this.resets.push('gap'),
    };
    this.#watching = watchBoard(example.streamUrl, GROUP, listeners, (engine) => this.engines.push(engine));
    onTestFinished(() => this.#watching.client.close());
  }

  /** Connects clients one after another, so that the balancer counts each before the next one. */
  static async many(count: number, example: Example): Promise<Watcher[]> {
    const watchers: Watcher[] = [];
    for (let n = 0; n < count; n++) {
      const watcher = new Watcher(example);
      await watcher.#watching.view.whenLive();
      watchers.push(watcher);
    }
    return watchers;
  }

  get engine(): string | undefined {
    return this.engines.at(-1);
  }

  get told(): readonly unknown[] {
    return this.changes.all.map((change) => [change.offset, change.type, change.id, change.type === 'delete' ? undefined : change.data]);
  }

  get offsets(): readonly number[] {
    return this.changes.all.map(({ offset }) => offset);
  }

  get holds(): unknown {
    return this.#watching.view.items.map(({ data }) => data);
  }

  reached(offset: number): Promise<Change<unknown>> {
    return this.changes.take((change) => change.offset === offset, `offset ${offset}`);
  }
}

const set = (worker: RawWorker, n: number) =>
  worker.result('stream::set', { stream_name: 'board', group_id: GROUP, item_id: `i${n % 7}`, data: { id: `i${n % 7}`, n } });

/** Returns the number of clients at each engine. */
function countBy(watchers: readonly Watcher[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { engine = 'none' } of watchers) counts[engine] = (counts[engine] ?? 0) + 1;
  return counts;
}

const upTo = (last: number, after = 0) => Array.from({ length: last - after }, (_, n) => after + n + 1);

test('clients are spread over the engines, lose nothing when one is killed, and come to a new one', async () => {
  const example = await Example.start();
  const watchers = await Watcher.many(8, example);
  expect(countBy(watchers)).toEqual({ a: 4, b: 4 });

  // Two writers at two engines: all clients see one order.
  const [a, b] = [await example.writer('A'), await example.writer('B')];
  await Promise.all(upTo(200).map((n) => set(n % 2 === 0 ? a : b, n)));
  await Promise.all(watchers.map((watcher) => watcher.reached(200)));
  for (const watcher of watchers) expect(watcher.told).toEqual(watchers[0]?.told);

  // One engine dies while a writer writes to the other one.
  const moving = watchers.filter(({ engine }) => engine === 'a');
  example.tell('kill a');
  let died = false;
  void example.said(/^\[a\] ended with SIGKILL$/).then(() => {
    died = true;
  });
  let last = 200;
  while (!died) await set(b, ++last);
  for (const until = last + 300; last < until; ) await set(b, ++last);
  await Promise.all(watchers.map((watcher) => watcher.reached(last)));
  expect(countBy(watchers)).toEqual({ b: 8 });
  for (const watcher of watchers) {
    expect(watcher.engines).toEqual(moving.includes(watcher) ? ['a', 'b'] : ['b']);
    expect([watcher.resets, watcher.offsets]).toEqual([['first'], upTo(last)]);
    expect(watcher.told).toEqual(watchers[0]?.told);
  }

  // A new engine gets all new clients until it has as many as the others.
  example.tell('start c');
  await example.said(/Server streams\/c is UP/);
  const late = await Watcher.many(4, example);
  expect(countBy(late)).toEqual({ c: 4 });
  const before = last;
  const c = await example.writer('C');
  for (const until = last + 50; last < until; ) await set(last % 2 === 0 ? b : c, ++last);
  await Promise.all([...watchers, ...late].map((watcher) => watcher.reached(last)));
  for (const watcher of late) expect(watcher.offsets).toEqual(upTo(last, before));

  // An ordered stop moves the clients too, while a writer writes through the engine that stays.
  example.tell('stop b');
  const stopped = example.said(/^\[b\] ended with 0$/);
  for (const until = last + 50; last < until; ) await set(c, ++last);
  await Promise.all([...watchers, ...late].map((watcher) => watcher.reached(last)));
  await stopped;
  expect(countBy([...watchers, ...late])).toEqual({ c: 12 });
  for (const watcher of watchers) {
    expect([watcher.resets, watcher.offsets]).toEqual([['first'], upTo(last)]);
    expect(watcher.holds).toEqual(late[0]?.holds);
  }
});

test('the worker counts through the balancer and each count is made once, whichever engine is killed; its functions answer at those that are left', async () => {
  const example = await Example.start();
  const counted = async (n: number) => Number(/\d+$/.exec(await example.said(new RegExp(`^\\[worker\\] counted: ${n}$`)))?.[0]);
  await expect.poll(() => example.board()).toEqual([{ id: 'count', n: expect.any(Number) as number }]);
  const two = await counted(2);
  for (const engine of ['a', 'b']) {
    example.tell(`kill ${engine}`);
    await example.said(new RegExp(`^\\[${engine}\\] ended with SIGKILL$`));
    example.tell(`start ${engine}`);
    await example.serves(engine);
  }
  const later = example.lines.all.filter((line) => line.startsWith('[worker] counted: ')).length + 2;
  expect(await counted(later)).toBeGreaterThan(two);
  const board = (await example.board()) as readonly [{ readonly n: number }];
  const counts = example.lines.all.filter((line) => line.startsWith('[worker] counted: ')).map((line) => Number(line.slice(18)));
  expect(counts).toEqual(upTo(counts.length));
  expect(board[0].n).toBeGreaterThanOrEqual(later);
  expect(example.lines.all.filter((line) => /^\[worker\] (?:Error|ended)/.test(line))).toEqual([]);
});
