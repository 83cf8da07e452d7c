import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';

const EXAMPLE = new URL('../../', import.meta.url);

function run(file: string, engine: EngineProcess, args: readonly string[] = []): ChildProcess {
  const env = { ...process.env, III_URL: engine.workerUrl, OTEL_ENABLED: 'false' };
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, EXAMPLE)), ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  return child;
}

/** Starts the worker as its README does. Resolves when its trigger is bound. */
async function startWorker(engine: EngineProcess): Promise<void> {
  let output = '';
  for await (const chunk of run('worker.mjs', engine).stdout ?? []) {
    output += String(chunk);
    if (output.includes('orders are published')) return;
  }
  throw new Error(`the worker ended before it was ready: ${output}`);
}

test('a state change pushes a stream event, to everyone who watches on a plain WebSocket', async () => {
  const engine = await EngineProcess.start({ state: [] });
  await startWorker(engine);
  const board = await StreamSocket.open(`${engine.streamUrl}/stream/orders/board`);
  expect((await board.take('sync')).event.data).toEqual([]);

  const desk = await RawWorker.connect(engine.workerUrl);
  const set = (key: string, value: unknown) => desk.result('state::set', { scope: 'orders', key, value });
  await set('o1', { status: 'open', total: 5, card: 'secret' });
  expect(await board.take('create')).toMatchObject({ id: 'o1', event: { data: { id: 'o1', status: 'open', total: 5 } } });
  await desk.result('state::update', { scope: 'orders', key: 'o1', ops: [{ type: 'set', path: 'status', value: 'packed' }] });
  expect((await board.take('update')).event.data).toEqual({ id: 'o1', status: 'packed', total: 5 });
  const changed = await board.take('event');
  expect(changed).toMatchObject({ id: 'o1', event: { event: { type: 'status-changed', data: { from: 'open', to: 'packed' } } } });
  await desk.result('state::delete', { scope: 'orders', key: 'o1' });
  expect((await board.take('delete')).event.data).toEqual({ id: 'o1', status: 'packed', total: 5 });

  // A change of another scope has no effect. The changes of one order arrive in the order of its writes.
  await desk.result('state::set', { scope: 'customers', key: 'c1', value: { status: 'new' } });
  const totals = Array.from({ length: 100 }, (_, total) => total);
  await Promise.all(totals.map((total) => set('o2', { status: 'open', total })));
  const last = await board.take('update', (frame) => (frame.event.data as { total: number }).total === 99);
  expect(last.id).toBe('o2');
  const seen = board.inbox.all.filter(({ id, event }) => id === 'o2' && event.type !== 'event');
  expect(seen.map(({ event }) => (event.data as { total: number }).total)).toEqual(totals);
  // The quotes are part of the pattern, because a random epoch may contain the letters.
  expect(JSON.stringify(board.inbox.all)).not.toMatch(/secret|"c1"/);

  const written = once(run('order.mjs', engine, ['o3', 'sent']), 'exit');
  expect((await board.take('create', ({ id }) => id === 'o3')).event.data).toEqual({ id: 'o3', status: 'sent', total: 1999 });
  expect(await written).toEqual([0, null]);
});
