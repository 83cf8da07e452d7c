import { LIMITS } from '@rivulet/protocol';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { LoopSlices } from '@rivulet/testkit/measures/loop-slices';
import { frame, OPCODE, RawSocket } from '@rivulet/testkit/peers/raw-socket';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

/** Most milliseconds of the main thread's processor time in one turn. The clock of the kernel adds up to 4. */
const MOST_MS = 50 + 4;
/** The first run of code is slower, and cannot be repeated. */
const MOST_FIRST_MS = 2 * MOST_MS;
const NODES = LIMITS.jsonNodes - 1_000;

/** JSON texts of about 1 MiB, of the kinds that cost a parser most. */
const SHAPES: Readonly<Record<string, () => string>> = {
  'empty arrays': () => `[${'[],'.repeat(NODES)}[]]`,
  'empty objects': () => `[${'{},'.repeat(NODES)}{}]`,
  'different keys': () => `{${Array.from({ length: NODES / 2 }, (_, n) => `"k${n}":${n}`).join()}}`,
  'different keys, as many as may be': () => `{${Array.from({ length: 8_100 }, (_, n) => `"k${n}":${n}`).join()}}`,
  'different keys in many objects': () =>
    `[${Array.from({ length: 2_500 }, (_, n) => `{${Array.from({ length: 20 }, (_, k) => `"k${n * 20 + k}":1`).join()}}`).join()}]`,
  'as many as may be in many objects': () =>
    `[${Array.from({ length: 405 }, (_, n) => `{${Array.from({ length: 20 }, (_, k) => `"k${n * 20 + k}":1`).join()}}`).join()}]`,
  'wide objects with the same keys': () =>
    `[${Array.from({ length: 15 }, () => `{${Array.from({ length: 5_000 }, (_, k) => `"k${k}":1`).join()}}`).join()}]`,
  'objects of 127 with the same keys': () =>
    `[${Array.from({ length: 700 }, () => `{${Array.from({ length: 127 }, (_, k) => `"k${k}":1`).join()}}`).join()}]`,
  'nested objects': () => `[${`${'{"a":'.repeat(50)}1${'}'.repeat(50)},`.repeat(1_900)}1]`,
  numbers: () => `[${'1.5e300,'.repeat(NODES)}1]`,
  escapes: () => `"${'\\u2603'.repeat(170_000)}"`,
  'one long text': () => `"${'x'.repeat(1_040_000)}"`,
  'too many values': () => `[${'1,'.repeat(500_000)}1]`,
  'too deep': () => '['.repeat(1_000_000),
};

const MESSAGES: Readonly<Record<string, (json: string) => string>> = {
  'a call that is allowed': (json) => `{"type":"invokefunction","invocation_id":"i","function_id":"app::f","data":${json}}`,
  'a registration': (json) => `{"type":"registerfunction","id":"f","request_format":${json}}`,
  'a trigger': (json) => `{"type":"registertrigger","id":"t","trigger_type":"x","function_id":"app::f","config":{"a":${json}}}`,
};

test('S20 no message of a guest, of whatever shape, keeps the event loop longer than 50 ms', async () => {
  const slices = new LoopSlices();
  const engine = await EngineProcess.start({
    env: slices.env,
    config: ({ worker, guest, stream }) =>
      JSON.stringify({
        workers: [
          { name: 'iii-worker-manager', config: { host: '127.0.0.1', port: worker } },
          {
            name: 'iii-worker-manager',
            config: { host: '127.0.0.1', port: guest, max_bytes_per_second: 0, rbac: { expose_functions: ['match("app::*")'] } },
          },
          { name: 'iii-stream', config: { host: '127.0.0.1', port: stream, max_frames_per_second: 0 } },
        ],
      }),
  });
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.serve('app::f', () => 1);
  const first: Record<string, number> = {};
  const longest: Record<string, number> = {};
  for (const [what, message] of Object.entries(MESSAGES)) {
    for (const [shape, json] of Object.entries(SHAPES)) {
      const text = message(json());
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMITS.guestMessageBytes);
      const guest = await RawSocket.upgrade(engine.guestUrl);
      await guest.settled();
      const send = () => {
        guest.text(text);
        return guest.settled();
      };
      first[`${what}: ${shape}`] = await slices.longestOf(engine.pid, send);
      longest[`${what}: ${shape}`] = await slices.medianOf(engine.pid, MOST_MS, send);
      guest.socket.destroy();
    }
  }
  for (const [what, url, payload] of [
    ['messages of two bytes', engine.guestUrl, '{}'],
    ['pings', engine.guestUrl, '{"type":"ping"}'],
    ['joins', engine.streamUrl, '{"type":"join","data":{"subscriptionId":"s","streamName":"c","groupId":"r"}}'],
  ] as const) {
    const one = frame({ opcode: OPCODE.text, payload });
    const flood = Buffer.concat(Array.from({ length: Math.floor(1_000_000 / one.length) }, () => one));
    longest[what] = await slices.medianOf(engine.pid, MOST_MS, async () => {
      const flooder = await RawSocket.upgrade(url);
      flooder.write(flood);
      await worker.settled();
      await worker.settled();
      flooder.socket.destroy();
    });
  }
  if (process.env.SHOW) console.log(first, longest);
  expect(Object.entries(first).filter(([, ms]) => ms > MOST_FIRST_MS)).toEqual([]);
  expect(Object.entries(longest).filter(([, ms]) => ms > MOST_MS)).toEqual([]);
});
