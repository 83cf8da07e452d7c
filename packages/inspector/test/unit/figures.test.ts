import { expect, it } from 'vitest';
import { bytes, count, counted, duration, shortCount, time } from '../../src/parts/figures.js';

it.each([
  [0, '0 B'],
  [0.5, '0.5 B'],
  [1023, '1,023 B'],
  [1024, '1 KiB'],
  [1_572_864, '1.5 MiB'],
  [5 * 1024 ** 5, '5,120 TiB'],
])('%d bytes are %s', (value, shown) => {
  expect(bytes(value)).toBe(shown);
});

it.each([
  [0.4, '0.4 ms'],
  [999, '999 ms'],
  [12_400, '12.4 s'],
  [200_000, '3 min 20 s'],
  [3_600_000, '1 h'],
  [18_120_000, '5 h 2 min'],
  [273_600_000, '3 d 4 h'],
])('%d ms are %s', (ms, shown) => {
  expect(duration(ms)).toBe(shown);
});

it('counts have separators, and small ones a fraction', () => {
  expect([count(3.25), count(99.96), count(12_480), shortCount(12_480)]).toEqual(['3.3', '100', '12,480', '12.5K']);
  expect([counted(1, 'group'), counted(2, 'group'), counted(0, 'entry', 'entries')]).toEqual(['1 group', '2 groups', '0 entries']);
});

it('a time of another day has its day, and a time beyond all dates has none', () => {
  const noon = new Date(2026, 4, 6, 12, 0, 5).getTime();
  expect(time(noon, noon + 1_000)).toBe('12:00:05');
  expect(time(noon, noon + 86_400_000)).toBe('6 May 2026, 12:00:05');
  expect(time(Number.MAX_VALUE)).toBe('–');
});
