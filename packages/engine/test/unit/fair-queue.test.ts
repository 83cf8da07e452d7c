import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '../../src/store/shared/fair-queue.js';

interface Write {
  readonly ref: { readonly stream: string; readonly group: string };
  readonly origin: string | undefined;
  readonly id: number;
}

function write(origin: string | undefined, group: string, id = 0): Write {
  return { ref: { stream: 's', group }, origin, id };
}

function drain(queue: FairQueue<Write>): Write[] {
  const all: Write[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) all.push(next);
  return all;
}

describe('FairQueue', () => {
  it('keeps the order of one origin', () => {
    const queue = new FairQueue<Write>();
    for (let id = 0; id < 5; id++) queue.add(write('a', `g${id % 2}`, id));
    expect(drain(queue).map(({ id }) => id)).toEqual([0, 1, 2, 3, 4]);
    expect([queue.length, queue.peek()]).toEqual([0, undefined]);
  });

  it('lets a session with one write wait for one write of a session with many', () => {
    const queue = new FairQueue<Write>();
    for (let id = 0; id < 200; id++) queue.add(write('busy', 'big', id));
    queue.add(write('other', 'small'));
    queue.add(write(undefined, 'lease'));
    const order = drain(queue).map(({ origin }) => origin);
    expect([order.indexOf('other'), order.indexOf(undefined)]).toEqual([1, 2]);
  });

  it('keeps the order of a group over its origins: a blocked origin has its turn when the group is free', () => {
    const queue = new FairQueue<Write>();
    queue.add(write('a', 'shared', 0));
    queue.add(write('a', 'shared', 1));
    queue.add(write('b', 'shared', 2));
    queue.add(write('b', 'own', 3));
    queue.add(write('c', 'own c', 4));
    expect(drain(queue).map(({ id }) => id)).toEqual([0, 4, 1, 2, 3]);
  });

  it('lets a write of the engine that waits for a busy group delay no other write of the engine', () => {
    const queue = new FairQueue<Write>();
    for (let id = 0; id < 50; id++) queue.add(write('busy', 'big', id));
    queue.add(write(undefined, 'big', 100));
    queue.add(write(undefined, 'lease', 101));
    const order = drain(queue).map(({ id }) => id);
    expect(order.indexOf(101)).toBeLessThan(3);
    expect(order.at(-1)).toBe(100);
  });

  it('gives the next turns to the origins of writes that are put back', () => {
    const queue = new FairQueue<Write>();
    for (let id = 0; id < 3; id++) queue.add(write('a', 'g', id));
    queue.add(write('b', 'h', 10));
    const taken = [queue.shift(), queue.shift(), queue.shift()] as Write[];
    queue.putBack(taken.slice(1));
    queue.add(write('b', 'h', 11));
    expect(taken.map(({ id }) => id)).toEqual([0, 10, 1]);
    expect(drain(queue).map(({ id }) => id)).toEqual([10, 1, 11, 2]);
  });

  it('loses nothing and keeps both orders, whatever is added, taken and put back', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        origin: fc.constantFrom('a', 'b', 'c', undefined),
        group: fc.constantFrom('g', 'h', 'i'),
      }),
      fc.record({ kind: fc.constant('take' as const), count: fc.nat(6), back: fc.nat(6) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new FairQueue<Write>();
        const done: Write[] = [];
        let added = 0;
        for (const each of steps) {
          if (each.kind === 'add') {
            queue.add(write(each.origin, each.group, added++));
            continue;
          }
          const taken: Write[] = [];
          for (let n = 0; n < each.count; n++) taken.push(...[queue.shift()].filter((found) => found !== undefined));
          const kept = Math.max(0, taken.length - each.back);
          done.push(...taken.slice(0, kept));
          queue.putBack(taken.slice(kept));
        }
        done.push(...drain(queue));
        expect(done.length).toBe(added);
        for (const key of [({ origin, ref }: Write) => origin ?? ref.group, ({ ref }: Write) => ref.group])
          for (const of of new Set(done.map(key))) {
            const ids = done.filter((each) => key(each) === of).map(({ id }) => id);
            expect(ids).toEqual(ids.toSorted((a, b) => a - b));
          }
      }),
      { numRuns: 1_000 },
    );
  });
});
