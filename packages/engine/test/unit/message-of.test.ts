import { expect, it } from 'vitest';
import { messageOf } from '../../src/structures/message-of.js';

it('the message of anything thrown is a text, also of values that refuse to become one', () => {
  const hostile = {
    toString(): string {
      throw new Error('no text');
    },
  };
  expect([new Error('full'), 'full', 7, undefined, Object.create(null), hostile].map(messageOf)).toEqual([
    'full',
    'full',
    '7',
    'undefined',
    'a value without a text',
    'a value without a text',
  ]);
});
