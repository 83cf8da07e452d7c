import { LIMITS } from '@rivulet/protocol';
import { describe, expect, it } from 'vitest';
import { AnswerError } from '../../src/admin/answer.js';
import { firstOf, PageWriter, readPage } from '../../src/admin/page.js';
import { AdminRoutes, type RouteRow } from '../../src/admin/routes.js';
import { pageOfNames } from '../../src/admin/search.js';
import { pageOf } from '../../src/structures/sorted-names.js';
import { TurnBudget } from '../../src/structures/turn-budget.js';

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

  const order = (one: string, other: string) => (one < other ? -1 : Number(one > other));
  const page = (all: Iterable<string>, after: string | undefined, limit: number) =>
    firstOf(all, { limit, isAfter: (name) => after === undefined || name > after, compare: order }, new TurnBudget(() => 0));

  it('goes on after a row that is no longer there', async () => {
    const names = ['d', 'a', 'e', 'c'];
    expect(await page(names, undefined, 2)).toEqual({ entries: ['a', 'c'], more: true });
    expect(await page(names, 'b', 2)).toEqual({ entries: ['c', 'd'], more: true });
    expect(await page(names, 'd', 2)).toEqual({ entries: ['e'], more: false });
    expect(await page(names, 'z', 2)).toEqual({ entries: [], more: false });
  });

  it('of a search reads a bounded part of the names, and no turn compares all of them', async () => {
    const names = Array.from({ length: 25_000 }, (_, n) => `room-${String(n).padStart(6, '0')}`);
    let compared = 0;
    // A comparison takes a microsecond on this clock.
    const turns = new TurnBudget(() => compared * 0.001);
    let mostInTurn = 0;
    let before = 0;
    const watch = () => {
      mostInTurn = Math.max(mostInTurn, compared - before);
      before = compared;
      timer = setImmediate(watch);
    };
    let timer = setImmediate(watch);
    const matches = (name: string) => {
      compared++;
      return name.endsWith('9999');
    };
    const pages: (readonly string[])[] = [];
    for (let after: string | undefined = '', next: string | undefined; ; after = next) {
      const read = compared;
      const found = await pageOfNames(
        async (bounds) => pageOf(names.slice(names.findIndex((name) => name > (bounds.after ?? ''))), bounds),
        { limit: 2, after, matches },
        turns,
      );
      expect(compared - read).toBeLessThanOrEqual(LIMITS.adminSearchRows);
      pages.push(found.names);
      next = found.next;
      if (next === undefined) break;
    }
    clearImmediate(timer);
    expect(pages).toEqual([['room-009999'], ['room-019999'], []]);
    expect(mostInTurn).toBeLessThan(10_000);
  });

  it.each(['shuffled', 'ascending', 'descending'])('has each of many %s rows once, and no turn sorts all of them', async (way) => {
    const sorted = Array.from({ length: 20_000 }, (_, n) => `app::${String(n).padStart(6, '0')}`);
    const all = sorted.map((_, n) => sorted[way === 'shuffled' ? (n * 7_919) % sorted.length : n] ?? '');
    if (way === 'descending') all.reverse();
    // A comparison takes 0.1 µs on this clock, so that a turn has time for 60,000.
    let compared = 0;
    let mostInTurn = 0;
    const turns = new TurnBudget(() => compared * 0.0001);
    let before = 0;
    const watch = () => {
      mostInTurn = Math.max(mostInTurn, compared - before);
      before = compared;
      timer = setImmediate(watch);
    };
    let timer = setImmediate(watch);
    const compare = (one: string, other: string) => {
      compared++;
      return order(one, other);
    };
    const seen: string[] = [];
    for (let more = true; more; ) {
      const last = seen.at(-1);
      const found = await firstOf(all, { limit: 1_000, isAfter: (name) => last === undefined || compare(name, last) > 0, compare }, turns);
      seen.push(...found.entries);
      more = found.more;
    }
    clearImmediate(timer);
    expect(seen).toEqual(sorted);
    expect(mostInTurn).toBeLessThan(80_000);
  });
});

describe('the rows of a page', () => {
  it('are written over several turns', async () => {
    // A row takes 1 ms on this clock.
    let now = 0;
    let rows = 0;
    const perTurn: number[] = [];
    let timer = setImmediate(watch);
    function watch() {
      perTurn.push(rows);
      rows = 0;
      timer = setImmediate(watch);
    }
    const page = new PageWriter(new TurnBudget(() => now));
    await page.addAll(
      Array.from({ length: 100 }, (_, n) => n),
      (n) => {
        now++;
        rows++;
        return { n };
      },
    );
    clearImmediate(timer);
    // The first turn and the one that follows it may share a turn of the watch.
    expect(Math.max(...perTurn, rows)).toBeLessThan(10);
    const body = JSON.parse(page.answer('99').body) as { rows: unknown[]; next: string };
    expect([body.rows.length, body.rows[99], body.next]).toEqual([100, { process: 'main', n: 99 }, '99']);
    expect(new PageWriter(new TurnBudget(() => now)).answer().body).toBe('{"rows":[]}');
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
