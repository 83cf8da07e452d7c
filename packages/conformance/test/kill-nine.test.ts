import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { EngineProcess } from './harness/engine-process.js';
import { RawWorker } from './harness/raw-worker.js';
import type { StreamFrame } from './harness/stream-socket.js';

/** More on demand: `RIVULET_KILL_CYCLES=1000 npx vitest run packages/conformance/test/kill-nine.test.ts`. */
const CYCLES = Number(process.env.RIVULET_KILL_CYCLES ?? 30);
const WRITERS = 4;
const IN_FLIGHT = 16;
const ITEMS = 12;

interface Ledger {
  /** By item: the numbers of its writes in the order in which they were sent; all writes of an item come from one connection. */
  readonly sent: Map<string, number[]>;
  /** By item: the newest number that was acknowledged. */
  readonly acked: Map<string, number>;
  /** By item: the newest number that any subscriber was shown. */
  readonly shown: Map<string, number>;
  acks: number;
}

/** Writes numbered values until the connection breaks, noting what was sent and what was acknowledged. */
async function write(url: string, writer: number, ledger: Ledger, next: () => number): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  onTestFinished(() => socket.terminate());
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  const waiting = new Map<string, { item: string; n: number }>();
  const send = () => {
    const n = next();
    const item = `w${writer}-i${n % ITEMS}`;
    const id = randomUUID();
    waiting.set(id, { item, n });
    ledger.sent.set(item, [...(ledger.sent.get(item) ?? []).slice(-200), n]);
    const data = { stream_name: 'kill', group_id: `g${writer % 2}`, item_id: item, data: { id: item, n, pad: 'x'.repeat(100) } };
    socket.send(JSON.stringify({ type: 'invokefunction', invocation_id: id, function_id: 'stream::set', data }));
  };
  socket.once('open', () => {
    for (let n = 0; n < IN_FLIGHT; n++) send();
  });
  socket.on('message', (data) => {
    const frame = JSON.parse((data as Buffer).toString()) as { type: string; invocation_id?: string; error?: unknown };
    const write = waiting.get(frame.invocation_id ?? '');
    if (frame.type !== 'invocationresult' || write === undefined) return;
    waiting.delete(frame.invocation_id ?? '');
    expect(frame.error).toBeUndefined();
    ledger.acked.set(write.item, write.n);
    ledger.acks++;
    send();
  });
  await closed;
}

/** Notes everything that a subscriber sees until the connection breaks. */
async function watch(url: string, ledger: Ledger): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  onTestFinished(() => socket.terminate());
  socket.on('error', () => {});
  socket.on('message', (data) => {
    const frame = JSON.parse((data as Buffer).toString()) as StreamFrame;
    const values = (frame.event.type === 'sync' ? frame.event.data : [frame.event.data]) as { id: string; n: number }[];
    for (const value of values) ledger.shown.set(value.id, Math.max(value.n, ledger.shown.get(value.id) ?? -1));
  });
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

async function stored(engine: EngineProcess): Promise<Map<string, number>> {
  const worker = await RawWorker.connect(engine.workerUrl);
  const values = new Map<string, number>();
  for (const group_id of ['g0', 'g1']) {
    const list = (await worker.result('stream::list', { stream_name: 'kill', group_id })) as { id: string; n: number; pad: string }[];
    for (const value of list) {
      expect(value.pad).toHaveLength(100);
      values.set(value.id, value.n);
    }
  }
  await worker.close();
  return values;
}

test(
  `ST-24 no acknowledged write, and nothing that was shown, is lost by kill -9 (${CYCLES} cycles)`,
  async () => {
    const engine = await EngineProcess.start();
    const ledger: Ledger = { sent: new Map(), acked: new Map(), shown: new Map(), acks: 0 };
    let counter = 0;
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const clients = [
        ...Array.from({ length: WRITERS }, (_, writer) => write(engine.workerUrl, writer, ledger, () => counter++)),
        watch(`${engine.streamUrl}/stream/kill/g0`, ledger),
        watch(`${engine.streamUrl}/stream/kill/g1`, ledger),
      ];
      await new Promise((resolve) => setTimeout(resolve, 150 + ((cycle * 37) % 200)));
      await engine.kill();
      await Promise.all(clients);
      await engine.start();
      const values = await stored(engine);
      for (const seen of [ledger.acked, ledger.shown]) {
        for (const [item, n] of seen) {
          expect(values.get(item), `${item} after cycle ${cycle}`).toBeGreaterThanOrEqual(n);
          // A later value may only be one that was really sent for this item.
          expect(ledger.sent.get(item)).toContain(values.get(item));
        }
      }
    }
    expect(ledger.acks).toBeGreaterThan(CYCLES * 100);
    process.stdout.write(`kill -9: ${CYCLES} cycles, ${ledger.acks} acknowledged writes, 0 lost\n`);
  },
  60_000 + CYCLES * 5_000,
);

test('ST-24 a graceful stop loses nothing, exits with 0 and closes workers with 1012', async () => {
  const engine = await EngineProcess.start();
  const worker = await RawWorker.connect(engine.workerUrl);
  for (let n = 0; n < 100; n++)
    await worker.result('stream::set', {
      stream_name: 'kill',
      group_id: 'g0',
      item_id: `i${n}`,
      data: { id: `i${n}`, n, pad: 'x'.repeat(100) },
    });
  const late = worker.call('stream::set', {
    stream_name: 'kill',
    group_id: 'g0',
    item_id: 'late',
    data: { id: 'late', n: 100, pad: 'x'.repeat(100) },
  });
  const [code, answer] = await Promise.all([engine.stop(), late.catch(() => undefined)]);
  expect(code).toBe(0);
  expect((await worker.closed).code).toBe(1012);
  await engine.start();
  const values = await stored(engine);
  for (let n = 0; n < 100; n++) expect(values.get(`i${n}`)).toBe(n);
  const acknowledged = answer?.result !== undefined;
  expect({ lost: acknowledged && values.get('late') !== 100 }).toEqual({ lost: false });
});
