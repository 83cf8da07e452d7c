import { describe, expect, it } from 'vitest';
import { PendingWrites } from '../src/store/pending-writes.js';

const GROUP = { stream: 'chat', group: 'room' };
const afterTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A write that ends when the test says so. */
function pending() {
  let end = () => {};
  const write = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { write, end: () => (end(), afterTurn()) };
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
    writes.began(GROUP, first.write);
    writes.began(GROUP, Promise.reject(new Error('INVALID_ID')));
    writes.began({ stream: 'chat', group: 'other' }, Promise.reject(new Error('OVERLOADED')));
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
    writes.began(GROUP, first.write);
    writes.began(GROUP, second.write);
    const reading = writes.settled(GROUP);
    writes.began(GROUP, late.write);
    await second.end();
    await first.end();
    await reading;
    expect(writes.has(GROUP)).toBe(true);
    await late.end();
    expect(writes.has(GROUP)).toBe(false);
  });
});
