import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { field, isJsonObject, isRegistryId, optionalField, stringField, utf8Length } from '../../src/json/json-fields.js';
import { exceedsNodes, scanJson } from '../../src/json/json-scan.js';
import { LIMITS } from '../../src/limits.js';

const EXACT = { kind: 'ok', inexactNumbers: false };
const INEXACT = { kind: 'ok', inexactNumbers: true };
const TOO_DEEP = { kind: 'refused', reason: `nested deeper than ${LIMITS.jsonDepth} levels` };
const TOO_MANY = { kind: 'refused', reason: `more than ${LIMITS.jsonNodes} values` };

describe('nesting', () => {
  it('is taken up to the limit, of arrays, objects and both', () => {
    const nestings = [
      ['[', ']'],
      ['{"a":', '}'],
      ['[{"a":', '}]'],
    ] as const;
    for (const [open, close] of nestings) {
      const levels = LIMITS.jsonDepth / (open.startsWith('[{') ? 2 : 1);
      const inner = open === '[' ? '' : '1';
      const nested = (times: number) => open.repeat(times) + inner + close.repeat(times);
      expect(scanJson(nested(levels))).toStrictEqual(EXACT);
      expect(scanJson(nested(levels + 1))).toStrictEqual(TOO_DEEP);
    }
  });

  it('counts what is open at one place, not what was opened in all', () => {
    expect(scanJson(`[${Array.from({ length: 1_000 }, () => '[[]]').join()}]`)).toStrictEqual(EXACT);
  });

  it('is not made up for by what was closed before', () => {
    const closed = '[[]],'.repeat(100);
    const deepest = LIMITS.jsonDepth - 1;
    expect(scanJson(`[${closed}${'['.repeat(deepest)}${']'.repeat(deepest)}]`)).toStrictEqual(EXACT);
    expect(scanJson(`[${closed}${'['.repeat(deepest + 1)}${']'.repeat(deepest + 1)}]`)).toStrictEqual(TOO_DEEP);
  });

  it('is seen before the text is known to be JSON', () => {
    expect(scanJson('['.repeat(LIMITS.jsonDepth))).toStrictEqual(EXACT);
    expect(scanJson('[{'.repeat(1_000_000))).toStrictEqual(TOO_DEEP);
  });
});

describe('the number of values', () => {
  const shapes: readonly { readonly name: string; readonly text: (values: number) => string }[] = [
    { name: 'scalars in an array', text: (values) => JSON.stringify(Array.from({ length: values - 1 }, () => 0)) },
    { name: 'empty arrays', text: (values) => JSON.stringify(Array.from({ length: values - 1 }, () => [])) },
    { name: 'empty objects', text: (values) => JSON.stringify(Array.from({ length: values - 1 }, () => ({}))) },
    { name: 'fields', text: (values) => JSON.stringify(Object.fromEntries(Array.from({ length: values - 1 }, (_, key) => [key, null]))) },
    { name: 'strings of structure', text: (values) => JSON.stringify(Array.from({ length: values - 1 }, () => '[{,"\\')) },
    {
      name: 'pairs in objects in an array',
      // The array counts one. A pair and its object count three.
      text: (values) =>
        JSON.stringify([
          ...Array.from({ length: Math.floor((values - 1) / 3) }, () => ({ a: 1, b: [] })),
          ...Array.from({ length: (values - 1) % 3 }, () => 0),
        ]),
    },
  ];

  it.each(shapes)('is taken up to the limit, exactly, for $name', ({ text }) => {
    expect(scanJson(text(LIMITS.jsonNodes))).toStrictEqual(EXACT);
    expect(scanJson(text(LIMITS.jsonNodes + 1))).toStrictEqual(TOO_MANY);
  });

  it.each(shapes)('exceeds any other number exactly too, for $name', ({ text }) => {
    for (const most of [1, 2, 7, 1_000])
      expect([exceedsNodes(text(most), most), exceedsNodes(text(most + 1), most)]).toEqual([false, true]);
  });

  it('counts a scalar alone and an empty container alone as one', () => {
    expect(['1', '"a"', 'null', '[]', '{}'].map(scanJson)).toStrictEqual(Array.from({ length: 5 }, () => EXACT));
  });
});

describe('strings', () => {
  it('never count as structure or numbers, whatever they hold', () => {
    const wild = fc.string({ unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', '-', '9', 'e', '\u0000', '€'), maxLength: 400 });
    fc.assert(
      fc.property(fc.dictionary(wild, fc.array(wild)), (value) => {
        expect(scanJson(JSON.stringify(value))).toStrictEqual(EXACT);
      }),
    );
    const digits = '9'.repeat(400);
    expect(scanJson(JSON.stringify({ [`${digits}\\`]: `\\"${digits}` }))).toStrictEqual(EXACT);
    expect(scanJson(JSON.stringify({ [`${'['.repeat(100)}\\"`]: ['\\\\', '['.repeat(100)] }))).toStrictEqual(EXACT);
  });

  it('end where JSON ends them: an even run of backslashes does not escape the quote', () => {
    expect(scanJson('["\\\\",9007199254740993]')).toStrictEqual(INEXACT);
    expect(scanJson('["\\\\\\",9007199254740993"]')).toStrictEqual(EXACT);
  });

  it('without an end are taken to the end of the text', () => {
    expect(scanJson(`"${'['.repeat(200)}`)).toStrictEqual(EXACT);
    expect(scanJson('"\\')).toStrictEqual(EXACT);
  });
});

describe('numbers', () => {
  const digit = fc.nat(9).map(String);
  const whole = fc
    .tuple(fc.constantFrom('', '-'), fc.string({ unit: digit, minLength: 1, maxLength: 25 }))
    .map(([sign, digits]) => sign + digits.replace(/^0+(?=.)/, ''));

  it('that are whole are exact up to 2^53−1 on both sides', () => {
    const edge = fc.bigInt({ min: 2n ** 53n - 4n, max: 2n ** 53n + 4n }).map((n) => [n, -n].map(String));
    fc.assert(
      fc.property(
        fc.oneof(
          whole,
          edge.map(([above = '']) => above),
          edge.map(([, below = '']) => below),
        ),
        (literal) => {
          const exact = BigInt(literal) <= 2n ** 53n - 1n && BigInt(literal) >= 1n - 2n ** 53n;
          expect(scanJson(literal)).toStrictEqual(exact ? EXACT : INEXACT);
          expect(scanJson(`{"a":[${literal},1]}`)).toStrictEqual(exact ? EXACT : INEXACT);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('with a point or an exponent are exact enough unless they overflow, or JSON would write them as an integer beyond 2^53−1', () => {
    const part = fc.string({ unit: digit, minLength: 1, maxLength: 20 });
    const fraction = fc.option(
      part.map((digits) => `.${digits}`),
      { nil: '' },
    );
    const exponent = fc.tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), fc.integer({ min: 0, max: 400 }));
    fc.assert(
      fc.property(whole, fraction, exponent, (before, after, [e, sign, power]) => {
        const literal = `${before}${after}${e}${sign}${power}`;
        const number = JSON.parse(literal) as number;
        const isLarge = /^-?\d+$/.test(JSON.stringify(number)) && !Number.isSafeInteger(number);
        expect(scanJson(`[${literal}]`)).toStrictEqual(Number.isFinite(number) && !isLarge ? EXACT : INEXACT);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['0', '-0', '1e15', '9007199254740991.0', '1e21', '-1e300', '0.1', '5e-324', '9e307', '1e-999', '-999999999999999'])(
    '%s is exact enough',
    (literal) => {
      expect(scanJson(literal)).toStrictEqual(EXACT);
    },
  );

  it.each(['9007199254740992', '-9007199254740992', '2e308', '-1E+309', '1.8e308', '1e99999', '[0,{"a":[9007199254740993]},0]'])(
    '%s is not exact',
    (literal) => {
      expect(scanJson(literal)).toStrictEqual(INEXACT);
    },
  );

  it.each(['1e16', '-1E+20', '9007199254740992.0', '12345678901234567.5', '9.99e20', '[{"n":0.1e18}]'])(
    'C8 %s is not exact: JSON would write it back as an integer beyond 2^53−1',
    (literal) => {
      expect(scanJson(literal)).toStrictEqual(INEXACT);
    },
  );

  it('C8 every number that is exact enough is so again when JSON has written it', () => {
    const literal = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String),
      fc.tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: -320, max: 320 })).map(([digits, by]) => `${digits}.5e${by}`),
    );
    fc.assert(
      fc.property(literal, (text) => {
        expect(isExact(text) && !isExact(JSON.stringify(JSON.parse(text)))).toBe(false);
      }),
    );
    function isExact(text: string): boolean {
      const scan = scanJson(text);
      return scan.kind === 'ok' && !scan.inexactNumbers;
    }
  });
});

describe('any text', () => {
  const any = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', ':', '-', '9', '.', 'e', ' ') }),
  );

  it('is answered without a throw', () => {
    fc.assert(
      fc.property(any, (text) => ['ok', 'refused'].includes(scanJson(text).kind)),
      { numRuns: 1_000 },
    );
  });

  it('that JSON.parse takes within the bounds is passed, with or without whitespace', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom(undefined, 1, '\t'),
        (value, space) => scanJson(JSON.stringify(value, null, space)).kind === 'ok',
      ),
    );
  });
});

describe('fields of an object from JSON', () => {
  const plain = JSON.parse('{"a":1,"text":"t","none":null,"__proto__":"own"}') as Readonly<Record<string, unknown>>;
  const bare = JSON.parse('{}') as Readonly<Record<string, unknown>>;

  it('are its own only', () => {
    expect(['a', 'none', '__proto__', 'b'].map((key) => field(plain, key))).toStrictEqual([1, null, 'own', undefined]);
    expect(['__proto__', 'constructor', 'toString', 'hasOwnProperty'].map((key) => field(bare, key))).toStrictEqual(
      Array.from({ length: 4 }, () => undefined),
    );
    expect(['__proto__', 'constructor'].map((key) => optionalField(bare, key) ?? stringField(bare, key))).toStrictEqual([
      undefined,
      undefined,
    ]);
  });

  it('that are null count as absent where they are optional', () => {
    expect(['none', 'a', 'b'].map((key) => optionalField(plain, key))).toStrictEqual([undefined, 1, undefined]);
  });

  it('that are no text are no text field', () => {
    expect(['text', 'a', 'none', 'b'].map((key) => stringField(plain, key))).toStrictEqual(['t', undefined, undefined, undefined]);
  });

  it('belong to objects, which arrays and null are not', () => {
    expect([{}, { a: 1 }, [], null, 'a', 1, true, undefined].map(isJsonObject)).toEqual([
      true,
      true,
      ...Array.from({ length: 6 }, () => false),
    ]);
  });
});

describe('the length of an id', () => {
  it('is counted in UTF-8 bytes, a lone surrogate as the three that are written for it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.constantFrom('\ud83d', '\ude00', 'é', '€')) }),
        (text) => {
          expect(utf8Length(text)).toBe(Buffer.byteLength(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('may be as much as the limit, in characters of one to four bytes', () => {
    const { registryIdBytes } = LIMITS;
    expect(registryIdBytes % 4).toBe(0);
    const atLimit = [
      'x'.repeat(registryIdBytes),
      'é'.repeat(registryIdBytes / 2),
      `${'€'.repeat(Math.floor(registryIdBytes / 3))}x`,
      '😀'.repeat(registryIdBytes / 4),
    ];
    expect(atLimit.map(utf8Length)).toEqual(atLimit.map(() => registryIdBytes));
    expect(atLimit.map(isRegistryId)).toEqual(atLimit.map(() => true));
    expect(atLimit.map((id) => isRegistryId(`${id}x`))).toEqual(atLimit.map(() => false));
  });
});
