import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, onTestFinished, test } from 'vitest';

/** Milliseconds between two pieces of a slow peer. A message of more than `LIMITS.fragments` pieces would end for another reason. */
const DRIP_MS = 500;
/** Milliseconds between two halves of a diligent peer. */
const HALF_MS = 250;

function every(milliseconds: number, run: () => void): void {
  const timer = setInterval(run, milliseconds);
  onTestFinished(() => clearInterval(timer));
}

/** Begins a message that never ends. */
const drips: readonly { readonly how: string; readonly begin: (raw: RawSocket) => void }[] = [
  {
    how: 'fragments, each whole, with pings and their pongs between them',
    begin: (raw) => {
      raw.write(frame({ fin: false, payload: '{' }));
      every(DRIP_MS, () => {
        raw.write(frame({ opcode: OPCODE.continuation, fin: false, payload: ' ' }));
        raw.write(frame({ opcode: OPCODE.ping }));
      });
    },
  },
  {
    how: 'empty fragments of a binary message',
    begin: (raw) => {
      raw.write(frame({ opcode: OPCODE.binary, fin: false }));
      every(DRIP_MS, () => raw.write(frame({ opcode: OPCODE.continuation, fin: false })));
    },
  },
  {
    how: 'one frame, byte by byte',
    begin: (raw) => {
      const bytes = frame({ payload: ' '.repeat(1_000) });
      let at = 0;
      every(DRIP_MS, () => raw.write(bytes.subarray(at, ++at)));
    },
  },
  { how: 'the header of a frame and nothing more', begin: (raw) => raw.write(frame({ payload: 'x'.repeat(200) }).subarray(0, 5)) },
];

test('F32 a message that is not finished within 10 s closes its connection with 1008, on both ports; others go on', async () => {
  const { engine, workerUrl, streamUrl, log } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const watcher = await StreamSocket.open(`${streamUrl}/stream/chat/room-1`);
  await watcher.take('sync');
  const diligent = await RawSocket.upgrade(workerUrl);
  let halves = 0;
  every(HALF_MS, () => {
    const opens = halves++ % 2 === 0;
    diligent.write(opens ? frame({ fin: false, payload: '{"type":' }) : frame({ opcode: OPCODE.continuation, payload: '"ping"}' }));
  });

  const began = performance.now();
  const offenders = [workerUrl, streamUrl].flatMap((url) => drips.map((drip) => ({ url, ...drip })));
  const endings = await Promise.all(
    offenders.map(async ({ url, how, begin }) => {
      const raw = await RawSocket.upgrade(url);
      begin(raw);
      const { code } = await raw.ended;
      return { how, code, waitedMs: performance.now() - began };
    }),
  );
  expect(endings.map(({ how, code }) => ({ how, code }))).toEqual(offenders.map(({ how }) => ({ how, code: 1008 })));
  for (const { waitedMs } of endings) expect(waitedMs).toBeGreaterThanOrEqual(LIMITS.messageAssemblyMs);

  expect(diligent.texts.all.filter((text) => text === '{"type":"pong"}').length).toBeGreaterThan(10);
  await worker.result('stream::set', { stream_name: 'chat', group_id: 'room-1', item_id: 'm1', data: { id: 'm1' } });
  expect((await watcher.take('create')).id).toBe('m1');
  expect(watcher.kinds()).toEqual(['sync', 'create']);
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  const reported = log.filter(({ event }) => event === 'message_deadline');
  expect(reported).toHaveLength(offenders.length);
  for (const listener of ['worker', 'stream'])
    expect(reported).toContainEqual({
      level: 'warn',
      event: 'message_deadline',
      fields: { code: 'MESSAGE_DEADLINE', listener, address: '127.0.0.1' },
    });
  expect(engine.figures().events.message_deadline).toBe(offenders.length);
});
