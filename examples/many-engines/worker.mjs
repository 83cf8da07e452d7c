// The backend of the example: it counts, and clients watch the count. README.md explains which connection goes where.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { registerWorker, stream } from '@rivulet/sdk';
import { atEveryEngine } from './every-engine.mjs';

const BALANCER = process.env.III_URL ?? 'ws://127.0.0.1:49134';
const ENGINES = (process.env.ENGINES ?? BALANCER).split(',');
const EVERY_MS = Number(process.env.EVERY_MS ?? 1_000);

/** A new engine should have its functions within about a second. */
const reconnectionConfig = { initialDelayMs: 200, maxDelayMs: 2_000, backoffMultiplier: 2, maxRetries: -1 };

/** Codes of failures that are temporary, or after which the write may have been executed. */
const AGAIN = new Set(['CONNECTION_LOST', 'TIMEOUT', 'ENGINE_STOPPING', 'STORE_UNAVAILABLE', 'OVERLOADED']);
/** Well below idempotency_retention_ms, because a later repetition would count twice. */
const AGAIN_FOR_MS = 300_000;

/** @template T @param {() => Promise<T>} write makes the same write each time, with the same idempotency key */
async function untilAnswered(write) {
  for (const deadline = performance.now() + AGAIN_FOR_MS; ; await delay(200)) {
    try {
      return await write();
    } catch (error) {
      if (!AGAIN.has(error.code) || performance.now() > deadline) throw error;
    }
  }
}

// Writes and triggers of changes need one engine, whichever it is. A trigger that is bound at each engine would fire at each.
const writer = registerWorker(BALANCER, { workerName: 'board-writer', reconnectionConfig });
const board = stream(writer);
writer.registerFunction('board::changed', ({ groupId, id, event }) => console.log(`changed: ${groupId}/${id} ${event.type}`));
writer.registerTrigger({ type: 'stream', function_id: 'board::changed', config: { stream_name: 'board' } });

// Functions that engines call must be registered at each engine.
const leave = atEveryEngine(ENGINES, (url) => {
  const worker = registerWorker(url, { workerName: 'board', reconnectionConfig, onWarning: () => {} });
  const here = stream(worker);
  worker.registerFunction('board::show', async () => ({ status_code: 200, body: await here.list('board', 'main') }));
  worker.registerTrigger({ type: 'http', function_id: 'board::show', config: { api_path: '/board' } });
  worker.onConnectionState(({ kind }) => kind === 'open' && console.log(`${url} has the functions`));
  return worker;
});

let stopping = false;
process.once('SIGTERM', () => {
  stopping = true;
});

const run = randomUUID();
await untilAnswered(() => board.set('board', 'main', 'count', { id: 'count', n: 0 }, { idempotencyKey: `${run}-0` }));
for (let n = 1; !stopping; n++) {
  const increment = [{ type: 'increment', path: 'n', by: 1 }];
  const { new_value } = await untilAnswered(() => board.update('board', 'main', 'count', increment, { idempotencyKey: `${run}-${n}` }));
  if (new_value.n !== n) throw new Error(`${n} increments made ${new_value.n}`);
  console.log(`counted: ${n}`);
  await delay(EVERY_MS);
}
await Promise.all([leave(), writer.drain()]);
