import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

/** Each starts several engines. */
const PATIENT_MS = 240_000;
const place = { stream_name: 's', group_id: 'g', item_id: 'i' };

test(
  'F8 a second engine is kept off a data directory, and leaves the first one and its data alone',
  async () => {
    const first = await EngineProcess.start();
    const worker = await RawWorker.connect(first.workerUrl);
    await worker.result('stream::set', { ...place, data: { n: 1 } });
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(EngineProcess.start({ directory: first.directory })).rejects.toThrow(
        `in use by process ${first.pid} on ${hostname()}; stop that engine`,
      );
    }
    await worker.result('stream::set', { ...place, data: { n: 2 } });
    expect(await worker.result('stream::get', place)).toEqual({ n: 2 });
    await first.stop();
    const again = await EngineProcess.start({ directory: first.directory });
    const reader = await RawWorker.connect(again.workerUrl);
    expect(await reader.result('stream::get', place)).toEqual({ n: 2 });
    await again.stop();
  },
  PATIENT_MS,
);

test(
  'F8 the lock of a killed engine is taken over, also that of an earlier version whose number lives on in another process',
  async () => {
    const engine = await EngineProcess.start();
    const worker = await RawWorker.connect(engine.workerUrl);
    await worker.result('stream::set', { ...place, data: { n: 1 } });
    await engine.kill();
    await engine.start();
    await engine.kill();
    // This process is alive, and is not the one that began at that tick.
    await writeFile(join(engine.directory, 'data/rivulet-store.lock'), `${process.pid} 1\n`);
    await engine.start();
    const reader = await RawWorker.connect(engine.workerUrl);
    expect(await reader.result('stream::get', place)).toEqual({ n: 1 });
    await engine.stop();
    expect((await readdir(join(engine.directory, 'data'))).filter((name) => name.startsWith('rivulet-store.lock'))).toEqual([]);
  },
  PATIENT_MS,
);

test(
  'F8 of two engines that start at once on what a killed one left, one runs',
  async () => {
    const engine = await EngineProcess.start();
    for (let round = 0; round < 3; round++) {
      await engine.kill();
      const both = await Promise.allSettled([engine.start(), EngineProcess.start({ directory: engine.directory })]);
      expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const [, other] = both;
      if (other.status === 'fulfilled') await other.value.kill();
    }
  },
  PATIENT_MS,
);

test(
  'F8 a lock of an earlier version from before a boot holds nobody off, whoever has its number now',
  async () => {
    const engine = await EngineProcess.start();
    await engine.kill();
    const { pid } = process;
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const lock = join(engine.directory, 'data/rivulet-store.lock');
    await writeFile(lock, `${pid} ${start} 00000000-0000-4000-8000-000000000000\n`);
    await engine.start();
    await engine.kill();
    // The same process and the same run of the machine: alive.
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    await writeFile(lock, `${pid} ${start} ${boot.trim()}\n`);
    await expect(engine.start()).rejects.toThrow(/in use by process/);
    await rm(lock);
    await engine.start();
    await engine.stop();
  },
  PATIENT_MS,
);
