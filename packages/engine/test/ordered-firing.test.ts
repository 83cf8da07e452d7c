import { LIMITS } from '@rivulet/protocol';
import { describe, expect, it } from 'vitest';
import { OrderedFiring } from '../src/core/ordered-firing.js';
import { countReleased } from './released.js';

/** Firings that end when the test says so. */
class Runs {
  readonly started: string[] = [];
  readonly #ends = new Map<string, () => void>();

  of(name: string): () => Promise<void> {
    return () => {
      this.started.push(name);
      return new Promise((resolve) => this.#ends.set(name, resolve));
    };
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('ordered firing', () => {
  it('runs one at a time in a lane, in order, and lanes beside each other', async () => {
    const runs = new Runs();
    const firing = new OrderedFiring(() => {});
    for (const name of ['a1', 'a2', 'b1', 'a3', 'b2']) firing.enqueue(name.slice(0, 1), runs.of(name));
    expect([runs.started, firing.waiting]).toEqual([['a1', 'b1'], 3]);
    await runs.end('b1');
    expect(runs.started).toEqual(['a1', 'b1', 'b2']);
    await runs.end('a1');
    await runs.end('a2');
    expect([runs.started, firing.waiting]).toEqual([['a1', 'b1', 'b2', 'a2', 'a3'], 0]);
  });

  it('starts a lane again after it has run empty', async () => {
    const runs = new Runs();
    const firing = new OrderedFiring(() => {});
    firing.enqueue('a', runs.of('first'));
    await runs.end('first');
    firing.enqueue('a', runs.of('second'));
    expect(runs.started).toEqual(['first', 'second']);
  });

  it('drops the oldest that waits, of whatever lane, and counts it', async () => {
    const runs = new Runs();
    let told = 0;
    const firing = new OrderedFiring(() => void told++);
    firing.enqueue('slow', runs.of('slow1'));
    firing.enqueue('other', runs.of('other1'));
    firing.enqueue('slow', runs.of('slow2'));
    firing.enqueue('other', runs.of('other2'));
    for (let n = 0; n < LIMITS.pendingPerTrigger; n++) firing.enqueue('slow', runs.of(`more${n}`));
    expect([firing.waiting, firing.dropped, told]).toEqual([LIMITS.pendingPerTrigger, 2, 2]);
    await runs.end('other1');
    await runs.end('slow1');
    expect(runs.started).toEqual(['slow1', 'other1', 'more0']);
  });

  it('holds nothing of what it dropped, also while the lane is stuck', async () => {
    const firing = new OrderedFiring(() => {});
    const refs: WeakRef<object>[] = [];
    firing.enqueue('stuck', () => new Promise(() => {}));
    for (let n = 0; n < LIMITS.pendingPerTrigger + 500; n++) {
      const event = { n };
      refs.push(new WeakRef(event));
      firing.enqueue('stuck', () => Promise.resolve(event));
    }
    expect(await countReleased(refs)).toBe(500);
    expect(firing.dropped).toBe(500);
  });

  it('runs so many lanes at once and no more; the others wait for their turn, in order', async () => {
    const runs = new Runs();
    const firing = new OrderedFiring(() => {});
    for (let n = 0; n < LIMITS.pendingPerTrigger; n++) firing.enqueue(`lane${n}`, runs.of(`run${n}`));
    expect(runs.started).toHaveLength(LIMITS.pendingPerTrigger);
    for (const name of ['x1', 'y1', 'x2']) firing.enqueue(name.slice(0, 1), runs.of(name));
    expect([runs.started.length, firing.waiting]).toEqual([LIMITS.pendingPerTrigger, 3]);
    await runs.end('run7');
    expect(runs.started.slice(-1)).toEqual(['x1']);
    await runs.end('run8');
    expect(runs.started.slice(-2)).toEqual(['x1', 'y1']);
    await runs.end('x1');
    expect([runs.started.slice(-1), firing.waiting]).toEqual([['x2'], 0]);
    for (let n = 0; n < LIMITS.pendingPerTrigger * 2; n++) firing.enqueue(`late${n}`, runs.of(`late${n}`));
    expect([firing.waiting, firing.dropped]).toEqual([LIMITS.pendingPerTrigger, LIMITS.pendingPerTrigger]);
  });

  it('is bounded in the text of its events: of those that wait the oldest go, those that run leave room', async () => {
    const runs = new Runs();
    const firing = new OrderedFiring(() => {});
    const half = LIMITS.pendingTriggerChars / 2;
    firing.enqueue('a', runs.of('a1'), half * 3);
    for (const name of ['a2', 'b1', 'c1']) firing.enqueue(name.slice(0, 1), runs.of(name), half);
    expect([runs.started, firing.waiting, firing.dropped]).toEqual([['a1'], 2, 1]);
    firing.enqueue('d', runs.of('d1'), half * 3);
    expect([runs.started, firing.waiting, firing.dropped]).toEqual([['a1'], 1, 3]);
    for (const name of ['e1', 'f1', 'e2']) firing.enqueue(name.slice(0, 1), runs.of(name));
    expect([firing.waiting, firing.dropped]).toEqual([3, 4]);
    for (const name of ['g1', 'h1']) firing.enqueue(name.slice(0, 1), runs.of(name), half);
    await runs.end('a1');
    expect([runs.started.slice(1), firing.waiting]).toEqual([['e1', 'f1', 'g1', 'h1'], 1]);
    firing.enqueue('i', runs.of('i1'), 1);
    await runs.end('e1');
    expect([runs.started.slice(-1), firing.waiting]).toEqual([['h1'], 2]);
    await runs.end('g1');
    expect([runs.started.slice(-2), firing.waiting, firing.dropped]).toEqual([['i1', 'e2'], 0, 4]);
  });

  it('starts nothing more once it is closed; what runs ends by itself', async () => {
    const runs = new Runs();
    const firing = new OrderedFiring(() => {});
    firing.enqueue('a', runs.of('a1'));
    firing.enqueue('a', runs.of('a2'));
    firing.close();
    firing.enqueue('b', runs.of('b1'));
    await runs.end('a1');
    expect([runs.started, firing.waiting, firing.dropped]).toEqual([['a1'], 0, 0]);
  });
});
