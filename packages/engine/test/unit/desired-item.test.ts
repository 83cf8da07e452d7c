import { describe, expect, it } from 'vitest';
import {
  begun,
  type DesiredItem,
  type DueItem,
  failed,
  type LeaseData,
  leased,
  NOTHING_DESIRED,
  released,
  unleased,
} from '../../src/stream/leases/desired-item.js';

const data: LeaseData = { data: '1', graceMs: 10 };
const first: DueItem = { kind: 'due', data, guard: undefined };
const last: DueItem = { kind: 'due', data: undefined, guard: 'elsewhere' };
const settled: DesiredItem = { kind: 'settled', data };

describe('the desired state of a leased item', () => {
  it('is the data of the newest join, whoever leases the item', () => {
    expect(leased(data)).toEqual(first);
  });

  it('is no item after the last lease, unless another engine leases it', () => {
    expect(unleased()).toEqual(last);
  });

  it.each<[string, DesiredItem, DesiredItem]>([
    ['settled', settled, { kind: 'due', data, guard: 'anywhere' }],
    ['due', first, first],
    ['deleted', NOTHING_DESIRED, { kind: 'due', data: undefined, guard: 'anywhere' }],
  ])('after a release of all leases keeps the data, with a guard for what is not due: %s', (_, before, after) => {
    expect(released(before)).toEqual(after);
  });

  it.each([
    { title: 'the data of a join', tried: first },
    { title: 'a delete', tried: last },
  ])('is settled while its write runs: $title', ({ tried }) => {
    expect(begun(tried)).toEqual({ kind: 'settled', data: tried.data });
  });

  it.each<[string, DesiredItem, DueItem, DesiredItem]>([
    ['a first write gets a guard', settled, first, { kind: 'due', data, guard: 'elsewhere' }],
    ['a guarded write keeps its guard', settled, { ...first, guard: 'anywhere' }, { kind: 'due', data, guard: 'anywhere' }],
    ['a delete keeps its guard', NOTHING_DESIRED, last, last],
    ['something newer replaces it', last, first, last],
  ])('after a failed write is due again: %s', (_, since, tried, after) => {
    expect(failed(since, tried)).toEqual(after);
  });
});
