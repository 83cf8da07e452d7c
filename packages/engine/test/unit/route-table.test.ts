import { LIMITS } from '@rivulet/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Route, readRoute } from '../../src/http/routes/route.js';
import { RouteTable } from '../../src/http/routes/route-table.js';

let bindings = 0;
function route(path: string, method = 'GET'): Route {
  const config = { api_path: path, http_method: method };
  return readRoute({ id: `b${bindings++}`, type: 'http', functionId: 'f', config, metadata: undefined, workerId: undefined });
}

function tableOf(...paths: string[]): RouteTable {
  const table = new RouteTable();
  for (const path of paths) table.add(route(path));
  return table;
}

function matched(table: RouteTable, path: string): string | undefined {
  const match = table.match('GET', path);
  return match.kind === 'route' ? match.route.path : undefined;
}

test('HT-2 at each segment from the first a static one wins over a parameter, whatever was registered first', () => {
  const table = tableOf('/:a/b/c', '/a/:b/:c', '/a/:b/c', '/:a/:b/:c');
  expect(matched(table, '/a/b/c')).toBe('/a/:b/c');
  expect(matched(table, '/a/b/x')).toBe('/a/:b/:c');
  expect(matched(table, '/x/b/c')).toBe('/:a/b/c');
  expect(matched(table, '/x/y/z')).toBe('/:a/:b/:c');
  expect(matched(table, '/a/b')).toBe(undefined);
});

test('segments that look alike when joined are different paths', () => {
  const table = tableOf('/a%2Fb/c', '/1/1', '/11/');
  expect(matched(table, '/a/b%2Fc')).toBe(undefined);
  expect(matched(table, '/a%2Fb/c')).toBe('/a%2Fb/c');
  expect(matched(table, '/11')).toBe(undefined);
  expect(matched(table, '/1/1')).toBe('/1/1');
});

test('a parameter takes no empty segment', () => {
  const table = tableOf('/a/:id');
  expect(matched(table, '/a/')).toBe(undefined);
});

test('routes that match as a model says, also when some have gone', () => {
  const segment = fc.constantFrom('a', 'b', ':p', '');
  const path = fc
    .array(segment, { minLength: 1, maxLength: 4 })
    .map((texts) => `/${texts.map((text, at) => (text === ':p' ? `:p${at}` : text)).join('/')}`);
  const asked = fc.array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 4 }).map((texts) => `/${texts.join('/')}`);
  fc.assert(
    fc.property(fc.uniqueArray(path, { maxLength: 30 }), fc.array(fc.nat(29)), fc.array(asked), (paths, gone, requests) => {
      const table = new RouteTable();
      const routes = paths.map((each) => route(each));
      for (const each of routes) table.add(each);
      const removed = new Set(gone.map((at) => routes[at]));
      for (const each of removed) if (each !== undefined) table.remove(each);
      const live = routes.filter((each) => !removed.has(each));
      for (const request of requests) expect(matched(table, request)).toBe(best(live, request.slice(1).split('/'))?.path);
    }),
  );
});

/** Returns the best of the matching routes: from the first segment on, a static segment wins over a parameter. */
function best(routes: readonly Route[], texts: readonly string[]): Route | undefined {
  const rank = ({ segments }: Route) => segments.map(({ kind }) => (kind === 'static' ? 0 : 1)).join('');
  return routes
    .filter(({ segments }) => segments.length === texts.length)
    .filter(({ segments }) => segments.every((segment, at) => (segment.kind === 'static' ? segment.text === texts[at] : texts[at] !== '')))
    .sort((left, right) => (rank(left) < rank(right) ? -1 : 1))[0];
}

test('a path has a bound of segments, and those of one length a bound of shapes, which ends with its routes', () => {
  expect(() => route('/a'.repeat(LIMITS.httpPathSegments))).not.toThrow();
  expect(() => route('/a'.repeat(LIMITS.httpPathSegments + 1))).toThrow(/segments/);
  const table = new RouteTable();
  const shaped = (bits: number) => route(`/${Array.from({ length: 9 }, (_, at) => ((bits >> at) & 1 ? `:p${at}` : 'a')).join('/')}`);
  const routes = Array.from({ length: LIMITS.httpPathShapes }, (_, bits) => shaped(bits));
  for (const each of routes) table.add(each);
  expect(() => table.add(shaped(LIMITS.httpPathShapes))).toThrow(/different/);
  table.remove(routes[3] as Route);
  table.add(shaped(LIMITS.httpPathShapes));
  table.add(route('/a/b'));
  expect(matched(table, '/a/a/a/a/a/a/a/a/a')).toBe(routes[0]?.path);
});
