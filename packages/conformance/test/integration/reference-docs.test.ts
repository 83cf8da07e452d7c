import { readFileSync } from 'node:fs';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { expect, test } from 'vitest';

const page = (name: string) => readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8');

/** Rows of the tables of a page whose first cell is code. */
function rows(text: string, first: RegExp): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('| `'));
  const cells = lines.map((line) => [...line.matchAll(/`([^`]+)`/g)].map(([, cell = '']) => cell));
  return cells.filter(([name = '']) => first.test(name));
}

async function expectCalls(worker: RawWorker, text: string, prefix: RegExp, count: number): Promise<void> {
  const calls = rows(text, prefix);
  expect(calls).toHaveLength(count);
  for (const [id = '', payload = '', result = ''] of calls) {
    const expected: unknown = result === 'undefined' ? undefined : JSON.parse(result);
    expect([id, payload, await worker.result(id, JSON.parse(payload))]).toEqual([id, payload, expected]);
  }
}

test('docs/streams.md: the calls answer, and a watcher gets the frames, as printed', async () => {
  const { workerUrl, streamUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const client = await StreamSocket.open(`${streamUrl}/stream/chat/r1`);
  await client.take('sync');
  const text = page('streams.md');
  await expectCalls(worker, text, /^stream::/, 12);
  await client.take('delete');
  const printed = rows(text, /^\{"type":"stream"/).map(([frame = '']) => JSON.parse(frame) as unknown);
  const seen = client.inbox.all.map(({ type, id, event }) => ({ type, id, event }));
  expect(seen).toEqual(printed);
});

test('docs/state.md: the calls answer, and a reaction gets the events, as printed', async () => {
  const { workerUrl } = await startTestEngine();
  const worker = await RawWorker.connect(workerUrl);
  const events: unknown[][] = [];
  await worker.serve('orders::changed', (data) => {
    const { event_type, old_value, new_value } = data as Record<string, unknown>;
    events.push([event_type, JSON.stringify(old_value), JSON.stringify(new_value)]);
  });
  await worker.bind('state', 'orders::changed', { scope: 'orders' });
  const text = page('state.md');
  await expectCalls(worker, text, /^state::/, 7);
  await expect.poll(() => events).toEqual(rows(text, /^state:[a-z]/).map((cells) => cells.slice(0, 3)));
});
