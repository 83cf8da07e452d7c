import { randomUUID } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { EngineProcess } from './harness/engine-process.js';
import { LoopSlices, type Slices } from './harness/loop-slices.js';
import { type Frame, RawWorker } from './harness/raw-worker.js';

/** A value of almost 1 MiB as JSON: 9,000 members of objects, numbers and texts. */
const LARGE = Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`k${String(n).padStart(5, '0')}`, n % 2 ? n : member(n)]));

function member(n: number): object {
  return {
    id: n,
    name: `a name with "quotes" and an ü ${n}`,
    tags: ['one', 'two', `three ${n}`],
    at: { x: n / 7, y: -n },
    text: 'x'.repeat(80),
  };
}
const item = (n: number) => ({ stream_name: 's', group_id: 'g', item_id: `i${n}` });
const increment = (n: number) => ['stream::update', { ...item(n), ops: [{ type: 'increment', path: 'k00000', by: 1 }] }] as const;
const many = <T>(count: number, of: (n: number) => T) => Array.from({ length: count }, (_, n) => of(n));
type Calls = readonly (readonly [string, object])[];

/** Processor time in one go that decision 15 allows for what guests cause. */
const MOST_MS = 50;

const figures: string[] = [];
afterAll(() => {
  if (process.env.RIVULET_FIGURES !== undefined) console.log(figures.join('\n'));
});

/** Sends all calls in one write, so that one read of the engine has all of them; resolves with their answers. */
async function allAtOnce(worker: RawWorker, calls: Calls): Promise<Frame[]> {
  const ids = calls.map(() => randomUUID());
  const wanted = new Set<string>(ids);
  const raw = (worker.socket as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
  raw.cork();
  for (const [index, [id, data]] of calls.entries())
    worker.send({ type: 'invokefunction', invocation_id: ids[index], function_id: id, data });
  raw.uncork();
  const answers: Frame[] = [];
  while (wanted.size > 0) {
    const answer = await worker.take('invocationresult', ({ invocation_id: id }) => wanted.has(id as string));
    wanted.delete(answer.invocation_id as string);
    answers.push(answer);
  }
  return answers;
}

async function start(storeMethod: 'file_based' | 'in_memory') {
  const slices = new LoopSlices();
  const engine = await EngineProcess.start({ storeMethod, state: ['triggers_enabled: true'], env: slices.env });
  const worker = await RawWorker.connect(engine.workerUrl);
  for (let n = 0; n < 8; n++) await worker.result('stream::set', { ...item(n), data: LARGE });
  await worker.result('stream::set', { ...item(8), data: { list: many(74_000, (n) => `${n % 10}`) } });
  await worker.result('state::set', { scope: 's', key: 'k', value: LARGE });
  worker.inbox.clear();
  return { engine, worker, measure: () => slices.take(engine.pid) };
}

const shapes: Readonly<Record<string, Calls>> = {
  'increments of one value': many(24, () => increment(0)),
  'increments of several values': many(24, (n) => increment(n % 8)),
  'increments of a state': many(24, () => ['state::update', { scope: 's', key: 'k', ops: [{ type: 'increment', path: 'k00000', by: 1 }] }]),
  'appends to a list': many(24, (n) => ['stream::update', { ...item(8), ops: [{ type: 'append', path: 'list', value: `${n}` }] }]),
  'updates by deep paths': many(24, (n) => [
    'stream::update',
    { ...item(1), ops: [{ type: 'merge', path: ['a', 'b', `c${n}`], value: { n } }] },
  ]),
  'a batch of updates': [
    ['stream::batch', batch((n) => ({ type: 'update', item_id: `i${n}`, ops: [{ type: 'remove', path: 'k00000' }] }))],
  ],
  'a batch of updates of one value': [
    ['stream::batch', batch(() => ({ type: 'update', item_id: 'i3', ops: [{ type: 'increment', path: 'k00003', by: 1 }] }))],
  ],
  'a batch of deletes': [['stream::batch', batch((n) => ({ type: 'delete', item_id: `i${n}` }))]],
};

function batch(of: (n: number) => object): object {
  return { stream_name: 's', group_id: 'g', writes: many(7, of) };
}

test.each(['file_based', 'in_memory'] as const)(
  'no shape of work holds the loop: %s',
  async (store) => {
    const { worker, measure } = await start(store);
    const longest: Record<string, number> = {};
    for (const [shape, calls] of Object.entries(shapes)) {
      await measure();
      const answers = await allAtOnce(worker, calls);
      const slices: Slices = await measure();
      worker.inbox.clear();
      expect([shape, answers.map(({ error }) => error).filter((error) => error !== undefined)]).toEqual([shape, []]);
      longest[shape] = slices.longestMs;
      figures.push(`${store} ${shape}: longest ${slices.longestMs.toFixed(1)} ms, total ${slices.totalMs.toFixed(0)} ms`);
    }
    expect(Object.entries(longest).filter(([, ms]) => ms > MOST_MS)).toEqual([]);
  },
  60_000,
);
