import { expect, it, onTestFinished, vi } from 'vitest';
import { LineSplitter } from '../../src/store/shared/line-splitter.js';

it.each([1, 2, 3, 7, 100])('returns the same lines for pieces of %s characters', (size) => {
  const text = '\nfirst\n\nthe second line\nü😀\n\nrest';
  const splitter = new LineSplitter();
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += size) lines.push(...splitter.push(text.slice(at, at + size)));
  expect(splitter.chars).toBe(4);
  expect([...lines, splitter.end()]).toEqual(text.split('\n'));
  expect(splitter.chars).toBe(0);
  expect(splitter.end()).toBe('');
});

it('reads each character of a long line once, in however many pieces it comes', () => {
  const searches = ['split', 'indexOf', 'lastIndexOf', 'includes', 'endsWith', 'slice', 'search', 'match'] as const;
  let searched = 0;
  const spies = searches.map((name) => {
    const real = String.prototype[name] as (...all: unknown[]) => unknown;
    return vi.spyOn(String.prototype, name).mockImplementation(function (this: string, ...all: unknown[]) {
      searched += this.length;
      return real.apply(this, all) as never;
    });
  });
  const restore = () => {
    for (const spy of spies) spy.mockRestore();
  };
  onTestFinished(restore);
  const splitter = new LineSplitter();
  const piece = 'x'.repeat(100);
  let count = 0;
  for (let n = 0; n < 1_000; n++) count += splitter.push(piece).length;
  const lines = splitter.push('\n');
  restore();
  expect({ count, lengths: lines.map((line) => line.length) }).toEqual({ count: 0, lengths: [100_000] });
  expect(searched).toBeGreaterThan(0);
  expect(searched).toBeLessThanOrEqual(100_001);
});
