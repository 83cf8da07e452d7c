import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';
import { NumberedWriters, newLedger, storedNumbers } from '../harness/numbered-writers.js';
import { cannotMount, type FileSystem, SmallDisk } from '../harness/small-disk.js';

const noDisk = cannotMount();
if (noDisk !== undefined) process.stderr.write(`the tests of a full disk are skipped: ${noDisk}\n`);

const SPACE = 'min_free_bytes: 1048576, min_free_percent: 2, ballast_bytes: 524288';
const RECOVERY_MS = 60_000;
/** A test starts several engines. */
const PATIENT_MS = 240_000;
const group = { stream_name: 's', group_id: 'g' };
const state = { scope: 's', key: 'k' };

async function engineOn(disk: SmallDisk, space = SPACE): Promise<EngineProcess> {
  const adapter = (name: string) => `{ name: kv, config: { store_method: file_based, file_path: ${join(disk.path, name)}, ${space} } }`;
  return EngineProcess.start({ adapter: adapter('streams'), stateAdapter: adapter('state'), state: [] });
}

/** Repeats a call until it succeeds. Returns the milliseconds that this took. */
async function untilWritten(write: () => Promise<{ readonly error?: unknown }>): Promise<number> {
  const begun = performance.now();
  for (;;) {
    const { error } = await write();
    if (error === undefined) return performance.now() - begun;
    if (performance.now() - begun > RECOVERY_MS) throw new Error(`still refused: ${JSON.stringify(error)}`);
    await setTimeout(20);
  }
}

test.skipIf(noDisk !== undefined).each<{ kind: FileSystem; mebibytes: number }>([
  { kind: 'tmpfs', mebibytes: 12 },
  { kind: 'ext4', mebibytes: 20 },
])(
  'F6 RG-22 on a full disk ($kind) writes are refused, everything else goes on, and they are taken again by themselves',
  async ({ kind, mebibytes }) => {
    const disk = SmallDisk.mount(kind, mebibytes);
    const engine = await engineOn(disk);
    const worker = await RawWorker.connect(engine.workerUrl);
    await worker.result('state::set', { ...state, value: 1 });
    await worker.result('stream::set', { ...group, item_id: 'kept', data: { n: -1 } });
    await worker.result('stream::set', { ...group, item_id: 'doomed', data: { n: -2 } });
    await worker.result('stream::send', { ...group, type: 'typing', data: {} });
    const watcher = await StreamSocket.open(`${engine.streamUrl}/stream/s/g`);
    await watcher.take('sync');
    const ledger = newLedger();
    const writers = NumberedWriters.begin(engine.workerUrl, ledger, 4, 300);
    await watcher.take('update', ({ id }) => id === 'w3-3' || id !== null);
    disk.fill();
    while (ledger.refused.size < 20) await probe(worker);
    await writers.stop();
    expect(new Set(ledger.refused.values())).toEqual(new Set(['STORE_FULL']));

    // The disk has no space left, and the process lives.
    disk.fill();
    const whileFull = async (each: RawWorker, url: string) => {
      expect(await each.errorCode('stream::set', { ...group, item_id: 'kept', data: { n: -3 } })).toBe('STORE_FULL');
      expect(await each.errorCode('stream::set', { ...group, item_id: 'another', data: { n: -4 } })).toBe('STORE_FULL');
      expect(await each.errorCode('state::set', { ...state, value: 2 })).toBe('STORE_FULL');
      expect(await each.result('stream::get', { ...group, item_id: 'kept' })).toEqual({ n: -1 });
      expect(await each.result('state::get', state)).toBe(1);
      const joiner = await StreamSocket.open(`${url}/stream/s/g`);
      const { event } = await joiner.take('sync');
      const stored = await storedNumbers(each);
      const joined = (event.data as { n: number }[]).map(({ n }) => n);
      expect({ count: joined.length, numbers: new Set(joined) }).toEqual({ count: stored.size, numbers: new Set(stored.values()) });
      for (const n of stored.values()) expect(ledger.refused.has(n)).toBe(false);
      for (const [item, numbers] of ledger.acked) expect({ item, n: stored.get(item) }).toEqual({ item, n: numbers.at(-1) });
      await joiner.close();
    };
    await whileFull(worker, engine.streamUrl);
    await worker.result('stream::send', { ...group, type: 'typing', data: { still: true } });
    await watcher.take('event');
    expect(await worker.result('stream::delete', { ...group, item_id: 'doomed' })).toEqual({ old_value: { n: -2 } });
    await watcher.take('delete', ({ id }) => id === 'doomed');
    for (const frame of watcher.inbox.all)
      expect(ledger.refused.has((frame.event.data as { n?: number } | undefined)?.n ?? -1)).toBe(false);
    expect(engine.running).toBe(true);

    // After a start on the full disk, refused writes are not visible, and acknowledged ones are.
    await engine.kill();
    disk.fill();
    await engine.start();
    // The start has removed the log of the killed engine.
    disk.fill();
    await whileFull(await RawWorker.connect(engine.workerUrl), engine.streamUrl);
    expect(await engine.stop()).toBe(0);
    await engine.start();
    const again = await RawWorker.connect(engine.workerUrl);
    await whileFull(again, engine.streamUrl);
    disk.clear();
    const recoveredMs = await untilWritten(() => again.call('stream::set', { ...group, item_id: 'kept', data: { n: -5 } }));
    await untilWritten(() => again.call('state::set', { ...state, value: 3 }));
    expect(await again.result('stream::get', { ...group, item_id: 'kept' })).toEqual({ n: -5 });
    expect(await engine.stop()).toBe(0);
    process.stdout.write(`full disk (${kind}): ${ledger.refused.size} refused, 0 seen, taken again after ${Math.round(recoveredMs)} ms\n`);
  },
  PATIENT_MS,
);

async function probe(worker: RawWorker): Promise<void> {
  expect([undefined, 'STORE_FULL']).toContain(await worker.errorCode('stream::set', { ...group, item_id: 'probe', data: { n: -10 } }));
}

test.skipIf(noDisk !== undefined)(
  'F6 a store that can not even be locked, or not be made, says that the disk is full',
  async () => {
    const disk = SmallDisk.mount('tmpfs', 4);
    for (const left of [0, 8_192, 100_000]) {
      disk.fill(left);
      await expect(engineOn(disk)).rejects.toThrow(/the disk of .*streams is full; give it room and start again/);
    }
  },
  PATIENT_MS,
);

test.skipIf(noDisk !== undefined)(
  'F6 a burst that fills the disk is refused in time, and deletes make room inside the store',
  async () => {
    const disk = SmallDisk.mount('tmpfs', 14);
    const engine = await engineOn(disk);
    const worker = await RawWorker.connect(engine.workerUrl);
    const written = new Set<string>();
    const refused = new Map<string, unknown>();
    // The writes carry far more than the disk can hold: small values, and some large ones.
    const put = async (n: number) => {
      const item = `i${n}`;
      const data = { n, pad: 'x'.repeat(n % 10 === 0 ? 200_000 : 2_000) };
      const { error } = await worker.call('stream::set', { ...group, item_id: item, data });
      if (error === undefined) written.add(item);
      else refused.set(item, (error as { code: unknown }).code);
    };
    await Promise.all(Array.from({ length: 2_000 }, (_, n) => put(n)));
    expect(engine.running).toBe(true);
    expect(engine.log).not.toMatch(/Write error|store_failed/);
    expect(new Set(refused.values())).toEqual(new Set(['STORE_FULL']));
    expect(disk.freeBytes).toBeGreaterThan(262_144);
    const stored = (await worker.result('stream::list', { ...group, with_ids: true })) as {
      id: string;
      data: { n: number; pad: string };
    }[];
    expect(new Set(stored.map(({ id }) => id))).toEqual(written);
    // The other store is on the same disk, and only the first one can free space.
    expect(await worker.errorCode('state::set', { ...state, value: 'x'.repeat(200_000) })).toBe('STORE_FULL');
    for (const item of written) await worker.result('stream::delete', { ...group, item_id: item });
    const again = Array.from({ length: 50 }, (_, n) => n * 10 + 1);
    for (const n of again) {
      refused.delete(`i${n}`);
      await put(n);
    }
    expect(again.filter((n) => refused.has(`i${n}`))).toEqual([]);
    expect(await engine.stop()).toBe(0);
  },
  PATIENT_MS,
);

test.skipIf(noDisk !== undefined)(
  'F6 the process lives through a disk that fills up and empties again and again under a burst of writes',
  async () => {
    const disk = SmallDisk.mount('tmpfs', 24);
    const engine = await engineOn(disk);
    const ledger = newLedger();
    for (let round = 0; round < 5; round++) {
      const seen = ledger.refused.size;
      const writers = NumberedWriters.begin(engine.workerUrl, ledger, 16, 4_000);
      const worker = await RawWorker.connect(engine.workerUrl);
      for (let n = 0; n < 20; n++) await probe(worker);
      disk.fill();
      while (ledger.refused.size < seen + 50) await probe(worker);
      disk.clear();
      await untilWritten(() => worker.call('stream::set', { ...group, item_id: 'probe', data: { n: -20 - round } }));
      await writers.stop();
    }
    expect(engine.running).toBe(true);
    expect(engine.log).not.toMatch(/Write error|store_failed/);
    const worker = await RawWorker.connect(engine.workerUrl);
    const stored = await storedNumbers(worker);
    for (const [item, numbers] of ledger.acked) expect({ item, n: stored.get(item) }).toEqual({ item, n: numbers.at(-1) });
    expect(await engine.stop()).toBe(0);
  },
  PATIENT_MS,
);
