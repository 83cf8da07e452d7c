import { describe, expect, it } from 'vitest';
import { decode, flag, json, list, mapOf, number, object, oneOf, optional, pageOf, text } from '../../src/wire/decoder.js';

const decoder = object({ id: text, lag: number, live: flag, kind: oneOf('websocket', 'sse'), identity: optional(text), tags: list(text) });
const ROW = { id: 'a', lag: 2, live: true, kind: 'sse', identity: 'ann', tags: ['x'] };

describe('a decoder', () => {
  it('returns the fields that it names, and leaves out others', () => {
    expect(decode(decoder, { ...ROW, later: 1 })).toEqual({ kind: 'ok', value: ROW });
  });

  it('reads an optional field that is absent or null as undefined', () => {
    for (const identity of [undefined, null])
      expect(decode(decoder, { ...ROW, identity })).toMatchObject({ value: { identity: undefined } });
  });

  it.each([
    ['a wrong text', { id: 1 }, 'answer.id must be a text'],
    ['a missing number', { lag: undefined }, 'answer.lag must be a number'],
    ['a wrong flag', { live: 'yes' }, 'answer.live must be true or false'],
    ['an unknown word', { kind: 'carrier pigeon' }, 'answer.kind must be one of websocket, sse'],
    ['a wrong optional field', { identity: 7 }, 'answer.identity must be a text'],
    ['a list that is none', { tags: 'x' }, 'answer.tags must be a list'],
    ['a wrong entry of a list', { tags: ['x', null] }, 'answer.tags[1] must be a text'],
  ])('names the place of %s', (_matter, change, message) => {
    expect(decode(decoder, { ...ROW, ...change })).toEqual({ kind: 'mismatch', message });
  });

  it.each([undefined, null, 'text', 7, [ROW]])('refuses %j in place of an object', (value) => {
    expect(decode(decoder, value)).toEqual({ kind: 'mismatch', message: 'answer must be an object' });
  });

  it('takes no field from the prototype of an answer', () => {
    expect(decode(object({ constructor: optional(json), toString: optional(json) }), {})).toEqual({
      kind: 'ok',
      value: { constructor: undefined, toString: undefined },
    });
  });

  it('reads counts by name, also by the name __proto__', () => {
    const answer: unknown = JSON.parse('{"__proto__": 1, "b": 2}');
    expect(decode(mapOf(number), answer)).toEqual({ kind: 'ok', value: new Map(Object.entries({ ['__proto__']: 1, b: 2 })) });
  });
});

it('a page has its rows and the cursor of the next page', () => {
  expect(decode(pageOf(text), { rows: ['a'], next: 'a' })).toEqual({ kind: 'ok', value: { rows: ['a'], next: 'a' } });
  expect(decode(pageOf(text), { process: 'main', rows: [] })).toEqual({ kind: 'ok', value: { rows: [], next: undefined } });
});
