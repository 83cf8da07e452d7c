import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ParsedValues } from '../../src/core/builtins/parsed-values.js';
import { applyUpdateOps } from '../../src/core/builtins/update-apply.js';
import { parseUpdateOps, type UpdateOp } from '../../src/core/builtins/update-ops.js';
import { valueIdOf } from '../../src/store/shared/value-id.js';

const PADDING = 'x'.repeat(5_000);

function opsOf(raw: readonly unknown[]): readonly UpdateOp[] {
  const parsed = parseUpdateOps(raw);
  if (parsed.kind === 'invalid') throw new Error(parsed.message);
  return parsed.ops;
}

const key = fc.constantFrom('a', 'b', '0', '17', 'id', 'toString', 'ü"\\');
const json = fc.jsonValue({ maxDepth: 2 });
const op = fc.oneof(
  fc.record({ type: fc.constant('set'), path: key, value: json }),
  fc.record({ type: fc.constant('set'), path: fc.constant(''), value: fc.constantFrom<unknown>({ a: 1, PADDING }, [PADDING], PADDING) }),
  fc.record({ type: fc.constant('merge'), path: fc.array(key, { maxLength: 3 }), value: fc.dictionary(key, json) }),
  fc.record({ type: fc.constantFrom('increment', 'decrement'), path: key, by: fc.constantFrom(1, -0, 0.5, -3) }),
  fc.record({ type: fc.constant('append'), path: fc.array(key, { maxLength: 3 }), value: json }),
  fc.record({ type: fc.constant('remove'), path: key }),
);

test('E2 updates that work on one parsed value write what updates that parse each time write', () => {
  fc.assert(
    fc.property(fc.array(fc.array(op, { maxLength: 4 }), { maxLength: 12 }), (updates) => {
      const parsed = new ParsedValues();
      let alone: string | undefined = JSON.stringify({ PADDING, '5': -0, a: { b: [1] } });
      let together: string | undefined = alone;
      for (const raw of updates) {
        const ops = opsOf(raw);
        const wanted = applyUpdateOps(alone, ops);
        // A store may compute the same update twice.
        applyUpdateOps(together, ops, parsed);
        const found = applyUpdateOps(together, ops, parsed);
        expect(found).toStrictEqual(wanted);
        [alone, together] = [wanted.text, found.text];
      }
    }),
  );
});

test('E2 repeated updates of one large value parse its text once', () => {
  const parsed = new ParsedValues();
  let text = JSON.stringify({ n: 0, PADDING });
  const ops = opsOf([{ type: 'increment', path: 'n', by: 1 }]);
  const parse = JSON.parse;
  let parses = 0;
  JSON.parse = (...args) => {
    parses++;
    return parse(...args) as unknown;
  };
  try {
    for (let n = 0; n < 100; n++) text = applyUpdateOps(text, ops, parsed).text ?? '';
  } finally {
    JSON.parse = parse;
  }
  expect({ parses, n: (JSON.parse(text) as { n: number }).n }).toEqual({ parses: 1, n: 100 });
});

test('E2 a failed update leaves no changed value behind', () => {
  const parsed = new ParsedValues();
  const text = applyUpdateOps(JSON.stringify({ n: 0, PADDING }), opsOf([{ type: 'increment', path: 'n', by: 1 }]), parsed).text ?? '';
  const grow = opsOf([{ type: 'set', path: 'big', value: 'x'.repeat(8_000_001) }]);
  expect(() => applyUpdateOps(text, grow, parsed)).toThrow(expect.objectContaining({ code: 'VALUE_TOO_LARGE' }));
  const after = applyUpdateOps(text, opsOf([{ type: 'increment', path: 'n', by: 1 }]), parsed).text ?? '';
  expect(JSON.parse(after)).toEqual({ n: 2, PADDING });
});

test('the id of a value is found without a parse of the rest', () => {
  const idByParse = (text: string) => {
    const value = JSON.parse(text) as { id?: unknown };
    return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, 'id')
      ? JSON.stringify(value.id)
      : undefined;
  };
  const value = fc.oneof(json, fc.dictionary(fc.oneof(key, fc.string()), json));
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1), (any, indent) => {
      const text = JSON.stringify(any, undefined, indent);
      expect(valueIdOf(text)).toBe(idByParse(text));
    }),
  );
  expect(valueIdOf('{"\\u0069d":{"a":[1,2]},"b":1}')).toBe('{"a":[1,2]}');
});
