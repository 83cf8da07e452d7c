import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, onTestFinished, test } from 'vitest';

// `RIVULET_STALL_SECONDS=60 RIVULET_STALL_READERS=1,20,200 npx vitest run …` measures minutes instead of seconds.
const SECONDS = Number(process.env.RIVULET_STALL_SECONDS ?? 3);
const COUNTS = (process.env.RIVULET_STALL_READERS ?? '20').split(',').map(Number);
/** Seconds in which a reader of the second kind takes one byte. */
const DRIP_SECONDS = SECONDS > 50 ? 50 : 1;
const READERS = fileURLToPath(new URL('../harness/slow-readers.py', import.meta.url));
const MIB = 1_048_576;
const ITEMS = 100;
const text = 'x'.repeat(200_000);
const room = { stream_name: 's', group_id: 'g' };

async function openReaders(engine: EngineProcess, count: number, pauseSeconds: number): Promise<void> {
  const child = spawn('python3', [READERS, '127.0.0.1', String(engine.ports.stream), '/stream/s/g', String(count), String(pauseSeconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
}

const shapes = COUNTS.flatMap((count) => [
  { count, what: 'stall', pause: 100_000 },
  { count, what: 'take one byte now and then', pause: DRIP_SECONDS },
]);

test.each(shapes)(
  `E3 the data file stays small for ${SECONDS} s beside $count readers that $what`,
  { timeout: 600_000 + SECONDS * 4_000 },
  async (shape) => {
    const engine = await EngineProcess.start();
    const worker = await RawWorker.connect(engine.workerUrl);
    const file = join(engine.directory, 'data/data.mdb');
    const set = (n: number) => worker.result('stream::set', { ...room, item_id: `m${n % ITEMS}`, data: { n, text } });
    const write = (from: number) => Promise.all(Array.from({ length: 20 }, (_, k) => set(from + k)));
    let written = 0;
    for (; written < ITEMS; written += 20) await write(written);
    const live = ITEMS * text.length;
    await openReaders(engine, shape.count, shape.pause);
    let largest = 0;
    const begun = performance.now();
    // At least six times the live bytes, also on a slow machine.
    while (performance.now() - begun < SECONDS * 1_000 || written < 7 * ITEMS) {
      await write(written);
      written += 20;
      worker.inbox.clear();
      largest = Math.max(largest, statSync(file).size);
    }
    const figures = [live, largest, (written - ITEMS) * text.length].map((bytes) => (bytes / MIB).toFixed(1));
    process.stdout.write(
      `${shape.count} readers that ${shape.what}: live ${figures[0]} MiB, file at most ${figures[1]}, written ${figures[2]}\n`,
    );
    expect(largest).toBeLessThanOrEqual(2 * live + 64 * MIB);
    expect(engine.running).toBe(true);
  },
);
