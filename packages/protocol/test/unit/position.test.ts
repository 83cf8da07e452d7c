import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/limits.js';
import { formatPosition, parsePosition } from '../../src/position.js';

describe('a position', () => {
  it('is written as epoch, colon, offset', () => {
    expect(formatPosition({ epoch: '0a1b', offset: 42 })).toBe('0a1b:42');
  });

  it('is read back as it was written, whatever the epoch holds', () => {
    const epoch = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(epoch, fc.maxSafeNat(), (name, offset) => {
        expect(parsePosition(formatPosition({ epoch: name, offset }))).toStrictEqual({ epoch: name, offset });
      }),
    );
  });

  it.each([
    ['a:b:3', 'a:b', 3],
    ['::0', ':', 0],
    ['e:9007199254740991', 'e', Number.MAX_SAFE_INTEGER],
    ['e:0000000000000007', 'e', 7],
  ])('%j has the epoch %j and the offset %j', (text, epoch, offset) => {
    expect(parsePosition(text)).toStrictEqual({ epoch, offset });
  });

  it.each([
    '',
    ':',
    ':1',
    'e',
    'e:',
    'e:-1',
    'e:+1',
    'e:1.0',
    'e:1e3',
    'e: 1',
    'e:1 ',
    'e:1\n',
    'e:0x1',
    'e:١',
    'e:NaN',
    'e:9007199254740992',
    'e:00000000000000007',
    '1',
  ])('%j is malformed', (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });

  it('may be as long as an id and no longer', () => {
    expect(parsePosition(`${'e'.repeat(LIMITS.idBytes - 2)}:1`)).toStrictEqual({ epoch: 'e'.repeat(LIMITS.idBytes - 2), offset: 1 });
    expect(parsePosition(`${'e'.repeat(LIMITS.idBytes - 1)}:1`)).toBeUndefined();
    expect(parsePosition(`${'e:'.repeat(1_000_000)}1`)).toBeUndefined();
  });

  it('is read from any text without a throw, always with an epoch and a whole offset', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('e', ':', '0', '9', '-', '.') }));
    fc.assert(
      fc.property(text, (any) => {
        const position = parsePosition(any);
        return position === undefined || (position.epoch !== '' && Number.isSafeInteger(position.offset) && position.offset >= 0);
      }),
      { numRuns: 1_000 },
    );
  });
});
