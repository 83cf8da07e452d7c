import { LIMITS } from '@rivulet/protocol';
import { expect, test } from 'vitest';
import { MemoryKeys } from '../../src/store/memory/idempotency-keys.js';

const ref = { stream: 's', group: 'g' };
const once = (key: string, retentionMs: number) => ({ key, retentionMs, fingerprint: 'f', answer: () => '' });

test('a key with a long retention keeps no other key in memory', () => {
  const keys = new MemoryKeys();
  const half = 'x'.repeat(LIMITS.idempotencyBytes / 2);
  keys.prepare(ref, once('long', 1_000), '', 0).remember();
  keys.prepare(ref, once('short', 10), half, 0).remember();
  expect(() => keys.prepare(ref, once('next', 10), half, 10)).toThrow('takes no more');
  keys.sweep(10);
  keys.prepare(ref, once('next', 10), half, 10).remember();
  expect(keys.find(ref, once('long', 1_000), 999)).toBe('');
  expect(keys.find(ref, once('next', 10), 11)).toBe(half);
});

test('a key that is used again after its end counts once', () => {
  const keys = new MemoryKeys();
  const half = 'x'.repeat(LIMITS.idempotencyBytes / 2 - 100);
  for (const now of [0, 10]) keys.prepare(ref, once('k', now + 10), half, now).remember();
  keys.prepare(ref, once('l', 10), half, 10).remember();
  keys.sweep(15);
  expect(keys.find(ref, once('k', 20), 15)).toBe(half);
});
