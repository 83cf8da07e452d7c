import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

const CYCLES = 5;
const KEYS = 8;

test(`state that was acknowledged, and state that a reaction was shown, survive kill -9 (${CYCLES} cycles)`, async () => {
  const engine = await EngineProcess.start({ state: [] });
  const acknowledged = new Map<string, number>();
  const shown = new Map<string, number>();
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const worker = await RawWorker.connect(engine.workerUrl);
    const reactor = await RawWorker.connect(engine.workerUrl);
    await reactor.serve('app::seen', (data) => {
      const { key, new_value } = data as { key: string; new_value: { n: number } };
      shown.set(key, new_value.n);
    });
    await reactor.bind('state', 'app::seen', { scope: 'kill' });
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    const enough = new Promise<void>((resolve) => {
      let acks = 0;
      const write = (key: string): void => {
        void worker.call('state::update', { scope: 'kill', key, ops }).then(
          ({ error, result }) => {
            expect(error).toBeUndefined();
            acknowledged.set(key, (result as { new_value: { n: number } }).new_value.n);
            if (++acks === 200) resolve();
            if (engine.running) write(key);
          },
          // The engine has ended, so the answer never comes.
          () => {},
        );
      };
      for (let n = 0; n < KEYS; n++) for (let inFlight = 0; inFlight < 4; inFlight++) write(`k${n}`);
    });
    await enough;
    await engine.kill();
    await Promise.all([worker.closed, reactor.closed]);
    await engine.start();
    const after = await RawWorker.connect(engine.workerUrl);
    for (const seen of [acknowledged, shown]) {
      expect(seen.size).toBe(KEYS);
      for (const [key, n] of seen) {
        const value = (await after.result('state::get', { scope: 'kill', key })) as { n: number };
        expect(value.n, `${key} after cycle ${cycle}`).toBeGreaterThanOrEqual(n);
      }
    }
    await after.close();
  }
});

test('an ordered stop keeps state; order, nulls and deletes are as they were, in a directory of their own', async () => {
  const engine = await EngineProcess.start({ state: ['triggers_enabled: true'] });
  const worker = await RawWorker.connect(engine.workerUrl);
  for (const key of ['c', 'a', 'b']) await worker.result('state::set', { scope: 's', key, value: key });
  await worker.result('state::set', { scope: '', key: '', value: null });
  await worker.result('state::set', { scope: 'gone', key: 'k', value: 1 });
  await worker.result('state::delete', { scope: 'gone', key: 'k' });
  await worker.result('stream::set', { stream_name: 'state', group_id: 's', item_id: 'x', data: 'of a stream' });
  expect(await engine.stop()).toBe(0);
  expect((await worker.closed).code).toBe(1012);
  await engine.start();
  const again = await RawWorker.connect(engine.workerUrl);
  expect(await again.result('state::list', { scope: 's' })).toEqual(['c', 'a', 'b']);
  expect(await again.call('state::get', { scope: '', key: '' })).toHaveProperty('result', null);
  expect(await again.result('state::list_groups', {})).toEqual({ groups: ['', 's'] });
  for (const directory of ['data', 'state']) expect((await stat(join(engine.directory, directory, 'data.mdb'))).isFile()).toBe(true);
});

test('state in memory says at start that it forgets, and does', async () => {
  const engine = await EngineProcess.start({ state: [], storeMethod: 'in_memory' });
  await expect.poll(() => engine.log).toMatch(/store_in_memory .*state is kept in memory/);
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.result('state::set', { scope: 's', key: 'k', value: 1 });
  await engine.stop();
  await engine.start();
  const again = await RawWorker.connect(engine.workerUrl);
  expect(await again.result('state::list_groups', {})).toEqual({ groups: [] });
});
