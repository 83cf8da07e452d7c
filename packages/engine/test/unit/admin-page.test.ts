import { describe, expect, it } from 'vitest';
import { AnswerError } from '../../src/admin/answer.js';
import { pageOfSorted, readPage } from '../../src/admin/page.js';
import { AdminRoutes, type RouteRow } from '../../src/admin/routes.js';

const row = (method: RouteRow['method'], path: string): RouteRow => ({
  method,
  path,
  need: 'viewer',
  handle: () => ({ status: 200, body: '' }),
});

describe('a page', () => {
  it('reads limit and after, with defaults', () => {
    expect(readPage('')).toEqual({ limit: 100, after: undefined });
    expect(readPage('limit=7&after=a%2Fb+c')).toEqual({ limit: 7, after: 'a/b c' });
  });

  it.each(['limit=0', 'limit=1001', 'limit=1e2', 'limit=-1', 'limit=', 'limti=5', 'limit=5&x=1', `after=${'x'.repeat(5_000)}`])(
    'refuses %s',
    (query) => {
      expect(() => readPage(query)).toThrow(AnswerError);
    },
  );

  it('goes on after a row that is no longer there', () => {
    const names = ['a', 'c', 'd', 'e'];
    const page = (after: string | undefined, limit: number) => pageOfSorted(names, { after, limit }, (name) => name);
    expect(page(undefined, 2)).toEqual({ entries: ['a', 'c'], next: 'c' });
    expect(page('b', 2)).toEqual({ entries: ['c', 'd'], next: 'd' });
    expect(page('d', 2)).toEqual({ entries: ['e'], next: undefined });
    expect(page('z', 2)).toEqual({ entries: [], next: undefined });
  });
});

describe('a route', () => {
  const routes = new AdminRoutes([
    row('GET', '/api/x/{name}/items/{item}'),
    row('PUT', '/api/x/{name}/items/{item}'),
    row('GET', '/health'),
  ]);

  it('has decoded names', () => {
    expect(routes.find('GET', '/api/x/a%2Fb/items/%E2%82%AC')).toMatchObject({ kind: 'route', parameters: { name: 'a/b', item: '€' } });
  });

  it('knows the other methods of its path', () => {
    expect(routes.find('DELETE', '/api/x/a/items/b')).toEqual({ kind: 'wrong_method', need: 'viewer', allow: 'GET, PUT' });
  });

  it.each(['/', '/healthz', '/health/', '/api/x//items/b', '/api/x/%zz/items/b', '/api/x/a/items', `/${'a/'.repeat(4_000)}`])(
    'does not know %s',
    (path) => {
      expect(routes.find('GET', path).kind).toBe('unknown');
    },
  );
});
