// Measures the Redis of a running start.mjs: changes a second through one engine and through two, the processor time of a change, and that
// of its message to each engine. Run `node examples/many-engines/measure.mjs`. If start.mjs has other ports, set them in the environment.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { registerWorker, stream } from '@rivulet/sdk';

const SECONDS = 5;
const GROUPS = 256;
const IN_FLIGHT = 256;
const MESSAGES = 5_000;
const VALUE = { text: 'x'.repeat(100) };
const REDIS_PORT = process.env.REDIS_PORT ?? '6390';
const ENGINES = [process.env.A_WORKER_PORT ?? 3151, process.env.B_WORKER_PORT ?? 3152].map((port) => `ws://127.0.0.1:${port}`);

function redisCpuSeconds() {
  const info = execFileSync('redis-cli', ['-p', REDIS_PORT, 'info', 'cpu'], { encoding: 'utf8' });
  const of = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
  return of('used_cpu_sys') + of('used_cpu_user');
}

async function measure(urls) {
  const workers = urls.map((url) => registerWorker(url, { workerName: 'measure' }));
  const until = performance.now() + SECONDS * 1_000;
  const before = redisCpuSeconds();
  let changes = 0;
  const lanes = workers.flatMap((worker) => {
    const board = stream(worker);
    return Array.from({ length: IN_FLIGHT }, async (_, lane) => {
      for (let n = lane; performance.now() < until; n++, changes++) await board.set('measured', `g${n % GROUPS}`, `i${lane % 16}`, VALUE);
    });
  });
  await Promise.all(lanes);
  const cost = ((redisCpuSeconds() - before) / changes) * 1e6;
  console.log(`${urls.length} engines: ${Math.round(changes / SECONDS)} changes/s, ${cost.toFixed(0)} µs of the Redis each`);
  await Promise.all(workers.map((worker) => worker.close()));
}

/** Makes changes one after another, as changes of many groups are. */
async function measureMessages(engines) {
  const subscribers = await Promise.all(Array.from({ length: engines }, () => ask('SUBSCRIBE measured')));
  const publisher = await ask('PING');
  const before = redisCpuSeconds();
  for (let n = 0; n < MESSAGES; n++) {
    publisher.write(`PUBLISH measured ${'x'.repeat(400)}\r\n`);
    await once(publisher, 'data');
  }
  const cost = ((redisCpuSeconds() - before) / MESSAGES) * 1e6;
  console.log(`a message of 400 bytes to ${engines} engines: ${cost.toFixed(0)} µs of the Redis`);
  for (const socket of [publisher, ...subscribers]) socket.destroy();
}

/** Resolves with a connection on which this command has been answered. */
async function ask(command) {
  const socket = connect(Number(REDIS_PORT), '127.0.0.1');
  socket.write(`${command}\r\n`);
  await once(socket, 'data');
  return socket.on('data', () => {});
}

await measure(ENGINES.slice(0, 1));
await measure(ENGINES);
for (const engines of [0, 10, 50]) await measureMessages(engines);
