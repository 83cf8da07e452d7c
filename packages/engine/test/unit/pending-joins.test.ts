import type { StreamJoin } from '@rivulet/protocol';
import { expect, it } from 'vitest';
import { PendingJoins } from '../../src/stream/session/pending-joins.js';

function join(subscriptionId: string): StreamJoin {
  return { type: 'join', subscriptionId, streamName: 's', groupId: 'g', itemId: undefined, positions: false, since: undefined };
}

it('joins come first in the order in which they were added, and a leave cancels those before it', () => {
  const joins = new PendingJoins();
  joins.add(join('a'));
  joins.add(join('b'));
  joins.add(join('a'));
  joins.cancel('a');
  joins.cancel('unknown');
  joins.add(join('a'));
  const seen: [string, boolean][] = [];
  for (let first = joins.first; first !== undefined; first = joins.first) {
    seen.push([first.subscriptionId, joins.isFirstCancelled]);
    joins.shift();
  }
  expect(seen).toEqual([
    ['a', true],
    ['b', false],
    ['a', true],
    ['a', false],
  ]);
  expect([joins.size, joins.isFirstCancelled]).toEqual([0, false]);
  joins.shift();
  expect(joins.size).toBe(0);
});

it('a leave while the functions of the first join run cancels that join', () => {
  const joins = new PendingJoins();
  joins.add(join('a'));
  expect(joins.isFirstCancelled).toBe(false);
  joins.cancel('a');
  expect(joins.isFirstCancelled).toBe(true);
});

it('the end of a session cancels every join, also later ones', () => {
  const joins = new PendingJoins();
  joins.add(join('a'));
  joins.cancelAll();
  joins.add(join('b'));
  expect(joins.isFirstCancelled).toBe(true);
  joins.shift();
  expect(joins.isFirstCancelled).toBe(true);
});

it('a long queue stays in order while it is shortened and grows again', () => {
  const joins = new PendingJoins();
  let next = 0;
  for (let n = 0; n < 1_000; n++) joins.add(join(`j${n}`));
  for (let n = 1_000; n < 3_000; n++) {
    expect(joins.first?.subscriptionId).toBe(`j${next++}`);
    joins.shift();
    joins.add(join(`j${n}`));
  }
  expect([joins.size, joins.first?.subscriptionId]).toEqual([1_000, 'j2000']);
});
