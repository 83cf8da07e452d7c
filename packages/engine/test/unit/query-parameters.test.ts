import fc from 'fast-check';
import { expect, it } from 'vitest';
import { queryParameters } from '../../src/http/request/request-target.js';

const byClass = (query: string) => Object.fromEntries(new URLSearchParams(query));

it('a query has the parameters that URLSearchParams finds, whatever it contains', () => {
  const piece = fc.constantFrom(
    ...'& = + % %2 %zz %41 %c3%a9 %C3 %ff %f0%9f%98%80 %ed%a0%80 %00 %EF%BB%BF %2B %26 a k __proto__ ?'.split(' '),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
      const query = pieces.join('');
      // `?` at the begin has a meaning for the class only.
      fc.pre(!query.startsWith('?'));
      expect({ ...queryParameters(query) }).toEqual(byClass(query));
    }),
    { numRuns: 2_000 },
  );
});

it('E4 a long query of malformed sequences costs little processor time', () => {
  const query = Array.from({ length: 1_200 }, (_, n) => `k${n}=%f${n % 10}`).join('&');
  queryParameters(query);
  const before = process.cpuUsage();
  for (let n = 0; n < 20; n++) queryParameters(query);
  const { user, system } = process.cpuUsage(before);
  // `URLSearchParams` takes 6 ms and more for each.
  expect((user + system) / 1_000 / 20).toBeLessThan(3);
});
