import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

/** Starts a program in a PID namespace of its own, as a container does. There it has the pid 1. */
const CONTAINER = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] as const;

/** Returns the program that `unshare` has started. */
function programOf(unshare: number): number {
  return Number(readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'utf8').trim());
}

test('K1 a second engine with the same pid refuses to start while the first is frozen and its lock was removed', async () => {
  const first = await EngineProcess.start({ wrapper: CONTAINER });
  const worker = await RawWorker.connect(first.workerUrl);
  await worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: 'i', data: { v: 1 } });
  const frozen = programOf(first.pid);
  process.kill(frozen, 'SIGSTOP');
  const data = join(first.directory, 'data');
  for (const name of readdirSync(data)) if (name.startsWith('rivulet-store.lock-')) rmSync(join(data, name));
  const second = EngineProcess.start({ directory: first.directory, wrapper: CONTAINER });
  await expect(second).rejects.toThrow(/another process with the pid 1.*stop that engine/);
  process.kill(frozen, 'SIGKILL');
  const third = await EngineProcess.start({ directory: first.directory, wrapper: CONTAINER });
  const reader = await RawWorker.connect(third.workerUrl);
  expect(await reader.result('stream::list', { stream_name: 's', group_id: 'g' })).toEqual([{ v: 1 }]);
});
