import { LIMITS } from '@rivulet/protocol';
import { describe, expect, it } from 'vitest';
import { PendingWrites } from '../../src/store/callers/pending-writes.js';

const GROUP = { stream: 'chat', group: 'room' };
const afterTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Returns a write that the test ends. */
function pending() {
  let end = () => {};
  const write = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { write, end: () => (end(), afterTurn()) };
}

function begin(writes: PendingWrites, write: Promise<void>, ref = GROUP): void {
  writes.begin(ref, 0, () => write).catch(() => {});
}

describe('WP-22 a read waits for all writes that were asked for before it', () => {
  const waits = {
    'of a group': (writes: PendingWrites) => writes.settled(GROUP),
    'of a stream': (writes: PendingWrites) => writes.streamSettled('chat'),
    'of all streams': (writes: PendingWrites) => writes.allSettled(),
  };

  it.each(Object.entries(waits))('%s, though one behind them was refused at once', async (_of, wait) => {
    const writes = new PendingWrites();
    const first = pending();
    begin(writes, first.write);
    begin(writes, Promise.reject(new Error('INVALID_ID')));
    begin(writes, Promise.reject(new Error('OVERLOADED')), { stream: 'chat', group: 'other' });
    await afterTurn();
    expect([writes.has(GROUP), writes.has({ stream: 'chat', group: 'other' })]).toEqual([true, false]);
    let read = false;
    const reading = wait(writes).then(() => {
      read = true;
    });
    await afterTurn();
    expect(read).toBe(false);
    await first.end();
    await reading;
    expect(writes.has(GROUP)).toBe(false);
  });

  it('and for none that comes after it, though they end in any order', async () => {
    const writes = new PendingWrites();
    const [first, second, late] = [pending(), pending(), pending()];
    begin(writes, first.write);
    begin(writes, second.write);
    const reading = writes.settled(GROUP);
    begin(writes, late.write);
    await second.end();
    await first.end();
    await reading;
    expect(writes.has(GROUP)).toBe(true);
    await late.end();
    expect(writes.has(GROUP)).toBe(false);
  });
});

it('the text of all writes under way is bounded; one that ends, however it ends, makes room', async () => {
  const writes = new PendingWrites();
  let begun = 0;
  const run = (chars: number, write: Promise<void>, group: string) =>
    writes.begin({ stream: 'chat', group }, chars, () => {
      begun++;
      return write;
    });
  const [first, second] = [pending(), pending()];
  const half = LIMITS.pendingWriteChars / 2;
  const all = [run(half, first.write, 'a'), run(half, second.write, 'b')];
  await expect(run(1, Promise.resolve(), 'c')).rejects.toMatchObject({ code: 'OVERLOADED' });
  expect([begun, writes.has({ stream: 'chat', group: 'c' })]).toEqual([2, false]);
  await run(0, Promise.resolve(), 'c');
  await first.end();
  await expect(run(half, Promise.reject(new Error('STORE_UNAVAILABLE')), 'a')).rejects.toThrow('STORE_UNAVAILABLE');
  await run(half, Promise.resolve(), 'a');
  await second.end();
  await Promise.all(all);
  expect(begun).toBe(5);
});
