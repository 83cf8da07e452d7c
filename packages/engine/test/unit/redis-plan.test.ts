import { expect, it } from 'vitest';
import { planOf } from '../../src/store/redis/write-ops.js';

const REF = { stream: 's', group: 'g' };

it('what a write is planned behind must be as it was, also a delete that answers for itself', () => {
  const item = { item: 'x', data: '1', created: 1, changed: 10 };
  const ground = { position: { epoch: 'e', offset: 10 }, items: new Map([['x', item]]) };
  const write = { kind: 'write', ...REF, batch: false, changes: [{ kind: 'set', item: 'y', data: '2' }] } as const;
  const { expected, outcomes } = planOf(
    [
      { kind: 'change', change: { kind: 'delete', ...REF, item: 'x' } },
      { kind: 'write', write },
    ],
    ground,
  );
  expect([...expected]).toEqual([
    ['x', 10],
    ['y', 0],
  ]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['planned', 'planned']);
});
