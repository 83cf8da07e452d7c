import { wellFormed } from '@rivulet/protocol';
import { array, assert, dictionary, property, string } from 'fast-check';
import { expect, it } from 'vitest';
import { linkTo, readRoute } from '../../src/parts/address.js';

it.each([
  ['', [], {}],
  ['#', [], {}],
  ['#/', [], {}],
  ['#/streams', ['streams'], {}],
  ['#/streams/chat/a%2Fb?search=x%20y&tab=log', ['streams', 'chat', 'a/b'], { search: 'x y', tab: 'log' }],
  ['#/streams/%E0%A4%A', ['streams', '%E0%A4%A'], {}],
])('the fragment %j is a route', (fragment, parts, query) => {
  expect(readRoute(fragment)).toEqual({ parts, query });
});

it('a link leaves out empty parameters', () => {
  expect(linkTo(['streams', 'a/b?c#d'], { search: '', tab: undefined, item: 'ü' })).toBe('#/streams/a%2Fb%3Fc%23d?item=%C3%BC');
});

it('a link leads to the names and parameters that it was made of', () => {
  const name = string({ unit: 'binary', minLength: 1, maxLength: 20 }).map(wellFormed);
  assert(
    property(array(name, { minLength: 1, maxLength: 4 }), dictionary(name, name, { maxKeys: 3 }), (parts, query) => {
      const read = readRoute(linkTo(parts, query));
      expect(read.parts).toEqual(parts);
      expect(Object.entries(read.query)).toEqual(Object.entries(query));
    }),
  );
});

it('a lone surrogate in a name does not break a link', () => {
  expect(linkTo(['\ud800'])).toBe('#/%EF%BF%BD');
});
