import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';

const LOG_CALLS = 4_000;
const REFUSED = 100;
const MESSAGE = 'm'.repeat(4_000);

function rssMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}

async function refused(url: string): Promise<void> {
  const socket = new WebSocket(url, { origin: 'https://elsewhere.example' });
  socket.on('error', () => {});
  await once(socket, 'unexpected-response');
  socket.terminate();
}

/** Fills the log by lines of workers and by refused upgrades. The engine must answer all of them. */
async function flood(engine: EngineProcess, worker: RawWorker): Promise<void> {
  for (let sent = 0; sent < LOG_CALLS; sent += 1_000) {
    for (let n = 0; n < 1_000; n++)
      worker.send({ type: 'invokefunction', function_id: 'engine::log::info', data: { message: MESSAGE }, action: { type: 'void' } });
    await worker.settled();
  }
  for (let n = 0; n < REFUSED; n += 20) await Promise.all(Array.from({ length: 20 }, () => refused(engine.workerUrl)));
  await worker.settled();
}

test('E10 nobody reads stderr, a socket: the engine answers, its memory is flat, and it says later what it dropped', async () => {
  const engine = await EngineProcess.start();
  const worker = await RawWorker.connect(engine.workerUrl);
  engine.stderr.pause();
  await flood(engine, worker);
  const before = rssMiB(engine.pid);
  await flood(engine, worker);
  expect(rssMiB(engine.pid) - before).toBeLessThan(40);
  engine.stderr.resume();
  while (!/log_lines_lost lines=\d+ of=\{.*"worker_log":\d+/.test(engine.log)) {
    await once(engine.stderr, 'data');
  }
  expect(await engine.stop()).toBe(0);
  expect(engine.log).toMatch(/info stopped\n$/);
});

test('E10 nobody reads stderr, a pipe: the engine answers, and stops in order', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-pipe-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const fifo = join(directory, 'stderr');
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => closeSync(reader));
  const engine = await EngineProcess.start({ wrapper: ['sh', '-c', 'exec "$@" 2>"$FIFO"', 'sh'], env: { FIFO: fifo } });
  const worker = await RawWorker.connect(engine.workerUrl);
  await flood(engine, worker);
  expect(await engine.stop()).toBe(0);
  const first = Buffer.alloc(4_096);
  expect(first.toString('utf8', 0, readSync(reader, first))).toContain('config_loaded');
});

test('E10 the reader of stderr closes it: the engine goes on, and stops in order', async () => {
  const engine = await EngineProcess.start();
  const worker = await RawWorker.connect(engine.workerUrl);
  engine.stderr.destroy();
  await flood(engine, worker);
  expect(await engine.stop()).toBe(0);
});
