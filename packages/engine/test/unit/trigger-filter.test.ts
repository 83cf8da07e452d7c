import { describe, expect, it } from 'vitest';
import { matches, readFilter } from '../../src/stream/functions/trigger-filter.js';

describe('the filter of a stream trigger', () => {
  it('ST-16 absent, null and the empty text mean any', () => {
    for (const nothing of [{}, { stream_name: '' }, { stream_name: null, group_id: undefined, item_id: '' }]) {
      const filter = readFilter(nothing);
      expect(filter).toEqual({ stream: undefined, group: undefined, item: undefined });
      expect(matches(filter, 'any', 'any', 'any') && matches(filter, '', '', undefined)).toBe(true);
    }
  });

  it('ST-16 each name that is given must be equal', () => {
    const filter = readFilter({ stream_name: 's', group_id: 'g', item_id: 'i', other: 7 });
    expect(matches(filter, 's', 'g', 'i')).toBe(true);
    const others = [
      ['S', 'g', 'i'],
      ['s', 'g2', 'i'],
      ['s', 'g', ''],
      ['', '', ''],
    ] as const;
    expect(others.filter(([stream, group, item]) => matches(filter, stream, group, item))).toEqual([]);
    expect(matches(readFilter({ group_id: 'g' }), 'whatever', 'g', undefined)).toBe(true);
  });

  it('an event of the whole group is none of an item', () => {
    expect(matches(readFilter({ item_id: 'i' }), 's', 'g', undefined)).toBe(false);
  });

  it('names are compared as they are: no pattern, no case, no normal form', () => {
    const filter = readFilter({ stream_name: '*', group_id: 'é' });
    expect([matches(filter, '*', 'é', 'i'), matches(filter, 'chat', 'é', 'i'), matches(filter, '*', 'e\u0301', 'i')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('refuses a name that is no text, and says which', () => {
    for (const key of ['stream_name', 'group_id', 'item_id']) {
      for (const wrong of [7, 0, true, false, [], ['s'], {}]) {
        expect(() => readFilter({ [key]: wrong })).toThrow(
          expect.objectContaining({ code: 'trigger_registration_failed', message: `config.${key} must be a string` }),
        );
      }
    }
  });

  it('looks at own keys only', () => {
    const inherited = Object.create({ stream_name: 's', group_id: 7 }) as Record<string, unknown>;
    expect(readFilter(inherited)).toEqual({ stream: undefined, group: undefined, item: undefined });
  });
});
