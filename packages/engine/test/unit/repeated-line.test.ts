import { expect, it } from 'vitest';
import { RepeatedLine } from '../../src/logging/repeated-line.js';

it('a repeated line is written the first time, then once a minute with how often it happened', () => {
  let now = 5;
  const line = new RepeatedLine({ monotonic: () => now });
  const written: number[] = [];
  const happen = (times: number) => {
    for (let n = 0; n < times; n++) line.add((count) => written.push(count));
  };
  happen(3);
  now += 59_999;
  happen(2);
  expect(written).toEqual([1]);
  now += 1;
  happen(2);
  expect(written).toEqual([1, 5]);
  now += 60_000;
  happen(1);
  expect(written).toEqual([1, 5, 2]);
});
