import { expect, it } from 'vitest';
import { UnsentResponses } from '../../src/transport/plain/unsent-responses.js';

it('E3 clients that take their responses byte by byte keep no memory from others for long', () => {
  let now = 0;
  const unsent = new UnsentResponses(100, { monotonic: () => now });
  const dropped: string[] = [];
  const take = (name: string, bytes: number) => {
    const give = unsent.take(bytes, () => {
      dropped.push(name);
      give?.();
    });
    return give;
  };
  take('first', 60);
  now = 10_000;
  take('second', 40);
  now = 29_000;
  expect([take('third', 10), dropped]).toEqual([undefined, []]);
  now = 30_000;
  const third = take('third', 50);
  expect([third !== undefined, dropped]).toEqual([true, ['first']]);
  third?.();
  third?.();
  expect([take('fourth', 60) !== undefined, take('fifth', 1)]).toEqual([true, undefined]);
});
