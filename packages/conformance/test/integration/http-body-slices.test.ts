import { LIMITS } from '@rivulet/protocol';
import { EngineProcess } from '@rivulet/testkit/engines/engine-process';
import { LoopSlices } from '@rivulet/testkit/measures/loop-slices';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { expect, test } from 'vitest';

/** Milliseconds of the main thread's processor time in one go. The clock of the kernel adds up to 4. */
const MOST_MS = 50 + 4;
/** The first run of code is slower, and cannot be repeated. */
const MOST_FIRST_MS = 2 * MOST_MS;
const BYTES = LIMITS.httpJsonBodyBytes - 16;

/** Returns a list of as many values as a body may have. Each value takes its share of the bytes. */
const list = (value: string, nodes = 1) =>
  `[${`${value},`.repeat(Math.min(Math.floor((LIMITS.jsonNodes - 1_000) / nodes), Math.floor(BYTES / (value.length + 1)) - 1))}1]`;
const text = (piece: string) => `["${piece.repeat(Math.floor((BYTES - 4) / Buffer.byteLength(piece)))}"]`;

/** JSON of about 8 MB, in the forms that cost most to decode, to scan or to parse. */
const SHAPES: Readonly<Record<string, () => string>> = {
  'numbers of 79 characters': () => list(`-1.${'2345678901'.repeat(7)}e-300`.slice(0, 79)),
  'one number': () => `[${'1'.repeat(BYTES - 4)}.5]`,
  'texts with escapes': () => list(`"${'\\n'.repeat(37)}"`),
  'one text of quotes': () => text('\\"'),
  'one text of other characters': () => text('é'),
  'white space': () => `[${' '.repeat(BYTES - 4)}1]`,
  'small objects': () => list(`{"id":1234567,"name":"${'n'.repeat(200)}","ok":true}`, 4),
  'different keys and quotes': () =>
    `{${Array.from({ length: 8_100 }, (_, n) => `"k${n}":1`).join()},"":"${'\\"'.repeat((BYTES - 100_000) / 2)}"}`,
};

test('decision 15: no JSON body, and no several at once, keep the event loop longer than 50 ms', async () => {
  const slices = new LoopSlices();
  const engine = await EngineProcess.start({
    env: slices.env,
    config: ({ worker, http }) =>
      JSON.stringify({
        workers: [
          { name: 'iii-worker-manager', config: { host: '127.0.0.1', port: worker } },
          { name: 'iii-http', config: { host: '127.0.0.1', port: http } },
        ],
      }),
  });
  const worker = await RawWorker.connect(engine.workerUrl);
  await worker.serve('app::f', () => ({ status_code: 204 }));
  const config = { api_path: 'f', http_method: 'POST' };
  worker.send({ type: 'registertrigger', id: 't', trigger_type: 'http', function_id: 'app::f', config });
  await worker.settled();
  const post = async (body: string) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${engine.httpUrl}/f`, { method: 'POST', body, headers });
    await response.arrayBuffer();
    return response.status;
  };
  const first: Record<string, number> = {};
  const longest: Record<string, number> = {};
  for (const [shape, make] of Object.entries(SHAPES)) {
    const body = make();
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(LIMITS.httpJsonBodyBytes);
    first[shape] = await slices.longestOf(engine.pid, async () => expect(await post(body)).toBe(204));
    longest[shape] = await slices.medianOf(engine.pid, MOST_MS, async () =>
      expect(await Promise.all([post(body), post(body)])).toEqual([204, 204]),
    );
  }
  if (process.env.SHOW) console.log(first, longest);
  expect(Object.entries(first).filter(([, ms]) => ms > MOST_FIRST_MS)).toEqual([]);
  expect(Object.entries(longest).filter(([, ms]) => ms > MOST_MS)).toEqual([]);
});
