import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundedText, boundedTextInTurns } from '../../src/core/builtins/bounded-text.js';
import { TurnBudget } from '../../src/structures/turn-budget.js';

test('a bounded text is what JSON writes, in one turn or in several', async () => {
  const turns = new TurnBudget(() => 0);
  const member = fc.oneof(fc.jsonValue(), fc.constant(undefined), fc.array(fc.oneof(fc.jsonValue(), fc.constant(undefined))));
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), member), async (value) => {
      expect(boundedText(value, 1_000_000)).toBe(JSON.stringify(value));
      expect(await boundedTextInTurns(value, 1_000_000, turns)).toBe(JSON.stringify(value));
    }),
  );
});

test('E8 E9 a list that is too long is refused before all of it is written', () => {
  let written = 0;
  const row = {
    toJSON() {
      written++;
      return 'x'.repeat(30_000);
    },
  };
  const rows = Array.from({ length: 4_000 }, () => row);
  expect(() => boundedText({ functions: rows }, 1_000_000)).toThrow(expect.objectContaining({ code: 'RESULT_TOO_LARGE' }));
  expect(written).toBeLessThan(40);
});

test('E9 a long list is written in several turns, none of which writes for longer than a turn may take', async () => {
  let now = 0;
  const perTurn: number[] = [];
  const row = {
    toJSON() {
      now += 0.1;
      if (perTurn.length === 0 || turned) perTurn.push(0);
      turned = false;
      perTurn.push((perTurn.pop() ?? 0) + 1);
      return 'x';
    },
  };
  let turned = false;
  let ended = false;
  const watch = () => {
    turned = true;
    if (!ended) setImmediate(watch);
  };
  watch();
  const rows = Array.from({ length: 2_000 }, () => row);
  const text = await boundedTextInTurns({ functions: rows }, 1_000_000, new TurnBudget(() => now));
  ended = true;
  expect(text).toBe(JSON.stringify({ functions: rows.map(() => 'x') }));
  expect(perTurn.reduce((sum, count) => sum + count)).toBe(2_000);
  // A turn may take 6 ms, which are 60 rows. The writer checks after every 32, and its first check begins the measurement.
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(60 + 2 * 32);
});
