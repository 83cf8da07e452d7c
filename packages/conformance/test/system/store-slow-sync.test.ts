import { setTimeout } from 'node:timers/promises';
import { LIMITS } from '@rivulet/protocol';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { LoopDelay } from '@rivulet/testkit/measures/loop-delay';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';
import { endFaults, ONE_FILE_THREAD, underPassingStrace, underStrace } from '../harness/disk-faults.js';

const SYNC_MS = 5_000;
/** The first delayed sync is after the start; then some others follow. */
const SLOW = underStrace('fdatasync', `delay_enter=${SYNC_MS * 1_000}:when=15+30`);
/** A sync that takes longer counts as the delayed one. A round in which another sync was slow is repeated. */
const PATIENT_MS = 2_000;
const MOST_ROUNDS = 5;
const group = { stream_name: 's', group_id: 'g' };

interface SlowWrite {
  readonly n: number;
  readonly begun: number;
  readonly answer: Promise<Frame>;
}

/** Writes numbers one after the other until a write waits for a delayed sync. */
async function untilSlow(worker: RawWorker, first: number): Promise<SlowWrite> {
  for (let n = first; n < first + 200; n++) {
    const begun = performance.now();
    const answer = worker.call('stream::set', { ...group, item_id: 'm', data: { n } });
    if ((await Promise.race([answer, setTimeout(PATIENT_MS)])) === undefined) return { n, begun, answer };
  }
  throw new Error('no sync was slow');
}

test('F5 RG-5 while a sync takes 5 s, writes wait and nothing of them shows; everything else goes on', async () => {
  const loop = new LoopDelay();
  const engine = await EngineProcess.start({ wrapper: SLOW, env: { ...loop.env, ...ONE_FILE_THREAD } });
  const worker = await RawWorker.connect(engine.workerUrl);
  const other = await RawWorker.connect(engine.workerUrl);
  const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/s/g`);
  await watcher.take('sync');
  let next = 0;
  let delayed = false;
  for (let round = 0; !delayed && round < MOST_ROUNDS; round++) {
    await loop.take(engine.pid);
    const slow = await untilSlow(worker, next);
    next = slow.n + 2;
    const later = other.call('stream::set', { ...group, item_id: 'm', data: { n: slow.n + 1 } });
    const early: number[] = [];
    let turns = 0;
    while (performance.now() - slow.begun < SYNC_MS - 1_000) {
      await watcher.settled();
      await other.settled();
      const joiner = await StreamSocket.open(`${engine.streamUrl}/stream/s/g`);
      const shown = [(await joiner.take('sync')).event.data, ...watcher.inbox.all.map(({ event }) => event.data)].flat();
      const seenMs = performance.now() - slow.begun;
      // The delayed sync cannot end before that, however busy the machine is.
      if (seenMs < SYNC_MS) early.push(...shown.map((value) => (value as { n: number }).n).filter((n) => n >= slow.n));
      if (seenMs < SYNC_MS) turns++;
      await joiner.close();
      await setTimeout(100);
    }
    const { maxMs } = await loop.take(engine.pid);
    expect((await slow.answer).error).toBeUndefined();
    delayed = performance.now() - slow.begun > SYNC_MS - 500;
    await later;
    await watcher.take('update', ({ event }) => (event.data as { n: number }).n === slow.n + 1);
    if (!delayed) continue;
    expect({ early, answered: turns > 0 }).toEqual({ early: [], answered: true });
    // A sync on the event loop would block it for all of that time.
    expect(maxMs).toBeLessThan(SYNC_MS - 1_000);
  }
  expect(delayed).toBe(true);
  expect(await engine.stop()).toBe(0);
});

/** Counts the outcomes of `count` calls. Calls `refused` for each one that failed. */
function answersOf(worker: RawWorker, count: number, outcomes: Map<string, number>, refused: () => void): Promise<void> {
  let left = count;
  return new Promise((resolve) => {
    worker.socket.on('message', (data) => {
      const frame = JSON.parse((data as Buffer).toString()) as { type: string; error?: { code: string; message: string } };
      if (frame.type !== 'invocationresult') return;
      const outcome = frame.error === undefined ? 'written' : `${frame.error.code}: ${frame.error.message}`;
      if (frame.error !== undefined) refused();
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      left--;
      if (left === 0) resolve();
    });
  });
}

test('F5 writes beyond the queue fail with OVERLOADED while a sync is slow, those in it take effect', async () => {
  // The sync is slow until the queue is full, however long that takes on this machine.
  const wrapper = underPassingStrace('fdatasync', 'delay_enter=100000000:when=15');
  const engine = await EngineProcess.start({ wrapper, env: ONE_FILE_THREAD });
  let ended = false;
  const end = () => {
    if (!ended) endFaults(engine.pid);
    ended = true;
  };
  onTestFinished(end);
  const worker = await RawWorker.connect(engine.workerUrl);
  const slow = await untilSlow(worker, 0);
  // The answer may come later than a test waits, so the value shows whether the write took effect.
  slow.answer.catch(() => {});
  const beyond = 2_000;
  const writers = await Promise.all([RawWorker.connect(engine.workerUrl), RawWorker.connect(engine.workerUrl)]);
  const codes = new Map<string, number>();
  const all = LIMITS.queuedWrites + beyond;
  let refused = () => {};
  const overrun = new Promise<void>((resolve) => {
    refused = resolve;
  });
  const done = writers.map((writer) => answersOf(writer, all / 2, codes, refused));
  for (const writer of writers) {
    for (let n = 0; n < all / 2; n++) {
      const data = { ...group, item_id: `i${n % 100}`, data: n };
      writer.send({ type: 'invokefunction', invocation_id: `${n}`, function_id: 'stream::set', data });
    }
  }
  await overrun;
  end();
  await Promise.all(done);
  expect(await worker.result('stream::get', { ...group, item_id: 'm' })).toEqual({ n: slow.n });
  const overloaded = codes.get(`OVERLOADED: more than ${LIMITS.queuedWrites} writes wait; slow down`) ?? 0;
  expect(overloaded).toBeGreaterThan(0);
  expect(overloaded).toBeLessThanOrEqual(beyond);
  expect(codes.get('written')).toBe(all - overloaded);
  expect(await engine.stop()).toBe(0);
});
