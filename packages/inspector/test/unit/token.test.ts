import { afterEach, expect, test, vi } from 'vitest';
import { isPossibleToken, storedToken, storeToken } from '../../src/wire/token.js';

afterEach(() => {
  vi.unstubAllGlobals();
});

test('only printable ASCII without spaces can be a token', () => {
  expect(['a', 'x'.repeat(1_024), '!~'].map(isPossibleToken)).toEqual([true, true, true]);
  expect(['', 'a b', 'tökén', '€', 'a\nb', 'x'.repeat(1_025)].map(isPossibleToken)).toEqual(Array.from({ length: 6 }, () => false));
});

test('the tab keeps a token until it is forgotten', () => {
  const kept = new Map<string, string>();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  storeToken('secret');
  expect(storedToken()).toBe('secret');
  storeToken(undefined);
  expect({ token: storedToken(), kept: kept.size }).toEqual({ token: undefined, kept: 0 });
});

test('a browser without storage has no token, and the page works', () => {
  const refuse = () => {
    throw new Error('the browser allows no storage');
  };
  vi.stubGlobal('sessionStorage', { getItem: refuse, setItem: refuse, removeItem: refuse });
  storeToken('secret');
  expect(storedToken()).toBeUndefined();
});
