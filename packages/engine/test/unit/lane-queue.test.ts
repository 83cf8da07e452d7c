import { LIMITS } from '@rivulet/protocol';
import { countReleased } from '@rivulet/testkit/measures/heap';
import { describe, expect, it } from 'vitest';
import { newCallCounts, type TriggerCounts, triggerCountsOf } from '../../src/core/fabric/call-counts.js';
import { EventBudget } from '../../src/core/fabric/event-budget.js';
import { FiringScheduler } from '../../src/core/fabric/firing-scheduler.js';
import { LaneQueue } from '../../src/core/triggers/lane-queue.js';
import { silentLogger } from '../../src/logging/logger.js';

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
    await settled();
    this.#ends.get(name)?.();
    await settled();
  }
}

/** A lane queue with a budget of events. */
class Binding extends LaneQueue {
  readonly #events: EventBudget;
  readonly counts: TriggerCounts;

  constructor(onDrop: () => void, events = new EventBudget()) {
    const counts = triggerCountsOf(newCallCounts(), 'state');
    super(new FiringScheduler(silentLogger), counts, onDrop);
    this.counts = counts;
    this.#events = events;
  }

  get dropped(): number {
    return this.counts.dropped;
  }

  add(lane: string, run: () => Promise<unknown>, chars = 0): void {
    const event = this.#events.hold(chars);
    if (event === undefined) this.drop();
    else this.enqueue(lane, run, event);
    event?.release();
  }
}

/** Resolves when every firing that may start has started. */
const settled = async () => {
  for (let turn = 0; turn < 2 * (LIMITS.pendingPerTrigger / 256); turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe('ordered firing', () => {
  it('runs one at a time in a lane, in order, and lanes beside each other', async () => {
    const runs = new Runs();
    const firing = new Binding(() => {});
    for (const name of ['a1', 'a2', 'b1', 'a3', 'b2']) firing.add(name.slice(0, 1), runs.of(name));
    await settled();
    expect([runs.started, firing.waiting]).toEqual([['a1', 'b1'], 3]);
    await runs.end('b1');
    expect(runs.started).toEqual(['a1', 'b1', 'b2']);
    await runs.end('a1');
    await runs.end('a2');
    expect([runs.started, firing.waiting]).toEqual([['a1', 'b1', 'b2', 'a2', 'a3'], 0]);
  });

  it('starts a lane again after it has run empty', async () => {
    const runs = new Runs();
    const firing = new Binding(() => {});
    firing.add('a', runs.of('first'));
    await runs.end('first');
    firing.add('a', runs.of('second'));
    await settled();
    expect(runs.started).toEqual(['first', 'second']);
  });

  it('drops the oldest that waits, of whatever lane, and counts it', async () => {
    const runs = new Runs();
    let told = 0;
    const firing = new Binding(() => void told++);
    firing.add('slow', runs.of('slow1'));
    firing.add('other', runs.of('other1'));
    firing.add('slow', runs.of('slow2'));
    firing.add('other', runs.of('other2'));
    for (let n = 0; n < LIMITS.pendingPerTrigger; n++) firing.add('slow', runs.of(`more${n}`));
    expect([firing.waiting, firing.dropped, told]).toEqual([LIMITS.pendingPerTrigger, 2, 2]);
    await runs.end('other1');
    await runs.end('slow1');
    expect(runs.started).toEqual(['slow1', 'other1', 'more0']);
  });

  it('holds nothing of what it dropped, also while the lane is stuck', async () => {
    const firing = new Binding(() => {});
    const refs: WeakRef<object>[] = [];
    firing.add('stuck', () => new Promise(() => {}));
    for (let n = 0; n < LIMITS.pendingPerTrigger + 500; n++) {
      const event = { n };
      refs.push(new WeakRef(event));
      firing.add('stuck', () => Promise.resolve(event));
    }
    expect(await countReleased(refs)).toBe(500);
    expect(firing.dropped).toBe(500);
  });

  it('runs a bounded number of lanes at once; the others wait for their turn, in order', async () => {
    const runs = new Runs();
    const firing = new Binding(() => {});
    for (let n = 0; n < LIMITS.pendingPerTrigger; n++) firing.add(`lane${n}`, runs.of(`run${n}`));
    await settled();
    expect(runs.started).toHaveLength(LIMITS.pendingPerTrigger);
    for (const name of ['x1', 'y1', 'x2']) firing.add(name.slice(0, 1), runs.of(name));
    expect([runs.started.length, firing.waiting]).toEqual([LIMITS.pendingPerTrigger, 3]);
    await runs.end('run7');
    expect(runs.started.slice(-1)).toEqual(['x1']);
    await runs.end('run8');
    expect(runs.started.slice(-2)).toEqual(['x1', 'y1']);
    await runs.end('x1');
    expect([runs.started.slice(-1), firing.waiting]).toEqual([['x2'], 0]);
    for (let n = 0; n < LIMITS.pendingPerTrigger * 2; n++) firing.add(`late${n}`, runs.of(`late${n}`));
    expect([firing.waiting, firing.dropped]).toEqual([LIMITS.pendingPerTrigger, LIMITS.pendingPerTrigger]);
  });

  it('is bounded in the text of its events: of those that wait the oldest go, those that run leave room', async () => {
    const runs = new Runs();
    const firing = new Binding(() => {});
    const half = LIMITS.pendingTriggerChars / 2;
    firing.add('a', runs.of('a1'), half * 3);
    for (const name of ['a2', 'b1', 'c1']) firing.add(name.slice(0, 1), runs.of(name), half);
    await settled();
    expect([runs.started, firing.waiting, firing.dropped]).toEqual([['a1'], 2, 1]);
    firing.add('d', runs.of('d1'), half * 3);
    expect([runs.started, firing.waiting, firing.dropped]).toEqual([['a1'], 1, 3]);
    for (const name of ['e1', 'f1', 'e2']) firing.add(name.slice(0, 1), runs.of(name));
    expect([firing.waiting, firing.dropped]).toEqual([3, 4]);
    for (const name of ['g1', 'h1']) firing.add(name.slice(0, 1), runs.of(name), half);
    await runs.end('a1');
    expect([runs.started.slice(1), firing.waiting]).toEqual([['e1', 'f1', 'g1', 'h1'], 1]);
    firing.add('i', runs.of('i1'), 1);
    await runs.end('e1');
    expect([runs.started.slice(-1), firing.waiting]).toEqual([['h1'], 2]);
    await runs.end('g1');
    expect([runs.started.slice(-2), firing.waiting, firing.dropped]).toEqual([['i1', 'e2'], 0, 4]);
  });

  it('starts nothing more once it is closed; what runs ends by itself', async () => {
    const runs = new Runs();
    const firing = new Binding(() => {});
    firing.add('a', runs.of('a1'));
    firing.add('a', runs.of('a2'));
    await settled();
    firing.add('b', runs.of('b1'));
    firing.close();
    firing.add('c', runs.of('c1'));
    await runs.end('a1');
    expect([runs.started, firing.waiting, firing.dropped]).toEqual([['a1'], 0, 0]);
  });

  it('starts nothing within the call that requests it, and a bounded number in one turn of the event loop', async () => {
    const scheduler = new FiringScheduler(silentLogger);
    let started = 0;
    const cause = async () => {
      started++;
      // Each firing causes two more, for ever.
      for (let n = 0; n < 2 && started < 5_000; n++) scheduler.start(cause);
    };
    scheduler.start(cause);
    expect(started).toBe(0);
    let most = 0;
    for (let before = 0; started < 5_000; before = started) {
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, started - before);
    }
    expect(most).toBeLessThanOrEqual(512);
  });
});

describe('the text of all events', () => {
  const half = LIMITS.pendingTriggerChars / 2;

  it('is bounded: the event that waits longest anywhere goes for a new one, and a new one when all of them run', async () => {
    const events = new EventBudget();
    const runs = new Runs();
    const bindings = Array.from({ length: LIMITS.heldTriggerChars / half + 1 }, () => new Binding(() => {}, events));
    for (const [at, binding] of bindings.slice(0, -1).entries()) binding.add('a', runs.of(`a${at}`), at === 0 ? 0 : half);
    const [first, second, ...others] = bindings;
    const last = others.at(-1);
    if (first === undefined || second === undefined || last === undefined) throw new Error('too few');
    first.add('a', runs.of('waits'), half);
    second.add('a', runs.of('small'), 1);
    expect([first.waiting, first.dropped, second.waiting]).toEqual([0, 1, 1]);
    last.add('a', runs.of('new'), half - 1);
    await settled();
    expect(runs.started).toContain('new');
    last.add('b', runs.of('in place of small'), 1);
    expect([second.waiting, second.dropped, last.dropped]).toEqual([0, 1, 0]);
    last.add('c', runs.of('too much'), 1);
    expect([last.waiting, last.dropped]).toEqual([0, 1]);
    await runs.end('new');
    last.add('c', runs.of('fits again'), half - 1);
    await settled();
    expect(runs.started).toContain('fits again');
  });

  it('counts once for all who have the event, until the last of them has ended or dropped it', () => {
    const events = new EventBudget();
    const bindings = Array.from({ length: 100 }, () => new Binding(() => {}, events));
    const event = events.hold(LIMITS.heldTriggerChars);
    if (event === undefined) throw new Error('no room');
    for (const binding of bindings) binding.enqueue('a', () => new Promise(() => {}), events.hold(0) ?? event);
    for (const binding of bindings) binding.enqueue('a', () => Promise.resolve(), event);
    event.release();
    expect(bindings.every(({ waiting }) => waiting === 1)).toBe(true);
    expect(events.hold(1)).toBeDefined();
    expect(bindings.every(({ waiting, dropped }) => waiting === 0 && dropped === 1)).toBe(true);
  });
});
