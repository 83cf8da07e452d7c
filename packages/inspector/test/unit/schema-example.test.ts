import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkAgainst } from '../../src/workers/schema-check.js';
import { exampleOf } from '../../src/workers/schema-example.js';

const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false, validateSchema: false, addUsedSchema: false });
const judge = (schema: object) => ajv.compile(schema);

/** Schemas as workers write them, with the keywords that the check applies. */
const schemas = fc.letrec<{ schema: object }>((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ type: fc.constant('string'), minLength: fc.nat(3), maxLength: fc.integer({ min: 3, max: 9 }) }, { requiredKeys: ['type'] }),
    fc.record({
      type: fc.constantFrom('integer', 'number'),
      minimum: fc.integer({ min: -5, max: 5 }),
      maximum: fc.integer({ min: 6, max: 9 }),
    }),
    fc.record({ type: fc.constant(['null', 'boolean']) }),
    fc.record({ enum: fc.array(fc.constantFrom('a', 'b', 1, null, true), { minLength: 1, maxLength: 3 }) }),
    fc.record({ const: fc.constantFrom('a', 7, null) }),
    fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.nat(2) }),
    fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
    fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('schema'), { maxKeys: 3 }),
      required: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
      additionalProperties: fc.boolean(),
    }),
  ),
})).schema;

test('the check decides as ajv does, for any value', () => {
  fc.assert(
    fc.property(schemas, fc.jsonValue({ maxDepth: 3 }), (schema, value) => {
      const { problems, unchecked } = checkAgainst(schema, value);
      expect(unchecked).toEqual([]);
      expect(problems.length === 0).toBe(judge(schema)(value));
    }),
    { numRuns: 80 },
  );
});

test('an example that is said to fit its schema fits it for ajv too, and most schemas get such an example', () => {
  let fitting = 0;
  let all = 0;
  fc.assert(
    fc.property(schemas, (schema) => {
      const { value, problems } = exampleOf(schema);
      all++;
      if (problems.length > 0) return;
      fitting++;
      expect(judge(schema)(value)).toBe(true);
    }),
    { numRuns: 80, seed: 18 },
  );
  expect(fitting / all).toBeGreaterThan(0.6);
});

describe('examples', () => {
  const cases: readonly (readonly [string, unknown, unknown])[] = [
    ['no schema', null, {}],
    ['required fields only', { type: 'object', properties: { a: { type: 'string' }, b: {} }, required: ['a'] }, { a: 'text' }],
    ['a default', { type: 'object', properties: { n: { type: 'integer', default: 30 } }, required: ['n'] }, { n: 30 }],
    ['an example of the schema', { type: 'string', examples: ['room-1'] }, 'room-1'],
    ['an example of the schema that is wrong', { type: 'string', examples: [1] }, 'text'],
    ['a format', { type: 'string', format: 'email' }, 'ann@example.com'],
    ['a bound', { type: 'integer', exclusiveMinimum: 4 }, 5],
    ['steps', { type: 'integer', minimum: 5, multipleOf: 4 }, 8],
    ['a reference', { $ref: '#/$defs/a~1b', $defs: { 'a/b': { const: 7 } } }, 7],
    ['parts', { allOf: [{ required: ['a'], properties: { a: { type: 'null' } } }, { required: ['b'] }] }, { a: null, b: {} }],
    ['alternatives', { oneOf: [false, { type: 'array', items: { type: 'boolean' } }] }, [true]],
    ['a schema that refers to itself', { type: 'object', properties: { next: { $ref: '#' } } }, {}],
  ];
  test.each(cases)('%s', (_name, schema, value) => {
    expect(exampleOf(schema)).toEqual({ value, problems: [], unchecked: [] });
  });

  test('a schema that has no example is said to have none, with the place', () => {
    const schema = { type: 'object', properties: { a: false }, required: ['a'] };
    expect(exampleOf(schema).problems).toEqual([{ place: 'a', message: 'is not allowed' }]);
  });

  test('a schema that requires itself, or has alternatives inside alternatives, ends within the bounds', () => {
    const endless = { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] };
    expect(exampleOf(endless).problems).not.toEqual([]);
    const wide = { $ref: '#/$defs/x', $defs: { x: { anyOf: Array.from({ length: 20 }, () => ({ $ref: '#/$defs/x' })) } } };
    expect(checkAgainst(wide, 1).unchecked).toEqual(['parts that lie too deep']);
    expect(exampleOf(wide).unchecked).toEqual(['parts that lie too deep']);
  });

  test('keywords that are not checked are named', () => {
    expect(checkAgainst({ type: 'string', pattern: '(a+)+$' }, 'x')).toEqual({ problems: [], unchecked: ['pattern'] });
  });
});
