import { LIMITS } from '@rivulet/protocol';
import { startTestEngine } from '@rivulet/testkit/engines/engine';
import { RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { StreamSocket } from '@rivulet/testkit/peers/stream-socket';
import { describe, expect, it } from 'vitest';
import { ask, askJson } from '../harness/admin-client.js';

type Rows = readonly Readonly<Record<string, unknown>>[];

/** Reads all pages of a list. Returns the rows of each page. */
async function pagesOf(url: string, path: string, query: string): Promise<readonly Rows[]> {
  const pages: Rows[] = [];
  for (let after = ''; ; ) {
    const { rows, next } = (await askJson(url, `${path}?${query}&after=${encodeURIComponent(after)}`)) as { rows: Rows; next?: string };
    pages.push(rows);
    if (next === undefined) return pages;
    after = next;
  }
}

async function found(url: string, path: string, query: string, field: string): Promise<unknown[]> {
  return (await pagesOf(url, path, query)).flat().map((row) => row[field]);
}

describe.each([{ lmdb: false }, { lmdb: true }])('a search, with %j', ({ lmdb }) => {
  it('finds streams, groups and items by a part of their names, over pages', async () => {
    const { adminUrl, workerUrl } = await startTestEngine({ admin: {}, lmdb });
    const worker = await RawWorker.connect(workerUrl);
    const set = (stream: string, group: string, item: string) =>
      worker.result('stream::set', { stream_name: stream, group_id: group, item_id: item, data: { item } });
    for (const stream of ['chat', 'Chats', 'other', 'ächat']) await set(stream, 'g', 'a');
    for (let n = 0; n < 30; n++) await set('many', `room-${n}`, 'a');
    for (let n = 0; n < 30; n++) await set('many', 'room-0', `msg-${n}`);
    expect(await found(adminUrl, '/api/streams', 'search=CHAT', 'stream')).toEqual(['Chats', 'chat', 'ächat']);
    expect(await found(adminUrl, '/api/streams', 'search=%C3%84', 'stream')).toEqual(['ächat']);
    const groups = ['room-2', ...Array.from({ length: 10 }, (_, n) => `room-${20 + n}`)];
    for (const limit of [1, 4, 100])
      expect(await found(adminUrl, '/api/streams/many/groups', `search=om-2&limit=${limit}`, 'group')).toEqual(groups);
    const items = ['msg-2', ...Array.from({ length: 10 }, (_, n) => `msg-${20 + n}`)];
    for (const limit of [1, 4, 100])
      expect(await found(adminUrl, '/api/streams/many/groups/room-0/items', `search=g-2&limit=${limit}`, 'id')).toEqual(items);
    expect(await found(adminUrl, '/api/streams', 'search=nothing', 'stream')).toEqual([]);
    expect(await found(adminUrl, '/api/streams/many/groups/none/items', 'search=a', 'id')).toEqual([]);
    expect((await ask(adminUrl, '/api/streams/many/groups/room-0/items?search=a&after=gone')).status).toBe(400);
  });

  it('lists items that are too large for a page without their values', async () => {
    const { adminUrl, workerUrl } = await startTestEngine({ admin: {}, lmdb });
    const worker = await RawWorker.connect(workerUrl);
    const large = 'x'.repeat(LIMITS.adminItemsBytes + 1);
    for (const [item, data] of [
      ['big-1', large],
      ['small', 1],
      ['big-2', large],
    ] as const)
      await worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: item, data });
    const path = '/api/streams/s/groups/g/items';
    const left = { data: null, data_left_out: true, chars: large.length + 2 };
    const rows = (await pagesOf(adminUrl, path, 'limit=2')).flat();
    expect(rows).toEqual([
      { id: 'big-1', ...left },
      { id: 'small', data: 1 },
      { id: 'big-2', ...left },
    ]);
    expect((await pagesOf(adminUrl, path, 'search=big')).flat()).toEqual([
      { id: 'big-1', ...left },
      { id: 'big-2', ...left },
    ]);
    expect((await askJson(adminUrl, `${path}/big-1`)).data).toBe(large);
  });

  it('reads a bounded part of a long list, and goes on behind it', async () => {
    const { adminUrl, workerUrl } = await startTestEngine({ admin: {}, lmdb });
    const worker = await RawWorker.connect(workerUrl);
    const total = LIMITS.adminSearchRows + 500;
    const names = Array.from({ length: total }, (_, n) => `n${String(n).padStart(6, '0')}`);
    for (let from = 0; from < total; from += 1_000) {
      const part = names.slice(from, from + 1_000);
      await worker.result('stream::batch', {
        stream_name: 's',
        group_id: 'g',
        writes: part.map((item) => ({ type: 'set', item_id: item, data: 0 })),
      });
    }
    const items = await pagesOf(adminUrl, '/api/streams/s/groups/g/items', `search=${names.at(-1) ?? ''}`);
    expect(items.map((rows) => rows.map(({ id }) => id))).toEqual([[], [names.at(-1)]]);
  });
});

it('finds sessions, workers, functions and triggers', async () => {
  const { adminUrl, workerUrl, streamUrl } = await startTestEngine({ admin: {}, stream: { authFunction: 'app::auth' } });
  const worker = await RawWorker.connect(workerUrl);
  await worker.result('engine::workers::register', { name: 'Mailer', namespace: 'default' });
  await worker.serve('app::auth', (input) => ({
    allowed: true,
    identity: (input as { query_params: { user: string[] } }).query_params.user[0],
  }));
  await worker.serve('mail::send', () => null);
  await worker.bind('stream', 'mail::send', { stream_name: 'chat' });
  for (const user of ['ann', 'bob', 'Anna']) await StreamSocket.open(`${streamUrl}/?user=${user}`);
  for (const limit of [1, 100])
    expect(await found(adminUrl, '/api/sessions', `search=ann&limit=${limit}`, 'identity')).toEqual(['ann', 'Anna']);
  const [bob] = (await pagesOf(adminUrl, '/api/sessions', 'search=bob')).flat();
  const id = String(bob?.session_id);
  expect(await found(adminUrl, '/api/sessions', `search=${id.slice(4, 20)}`, 'identity')).toEqual(['bob']);
  expect(await found(adminUrl, '/api/sessions', 'search=127.0.0&limit=1', 'identity')).toEqual(['ann', 'bob', 'Anna']);
  expect(await found(adminUrl, '/api/workers', 'search=mailer', 'name')).toEqual(['Mailer']);
  expect(await found(adminUrl, '/api/workers', 'search=nobody', 'name')).toEqual([]);
  expect(await found(adminUrl, '/api/functions', 'search=mail::&limit=1', 'function_id')).toEqual(['mail::send']);
  expect(await found(adminUrl, '/api/functions', 'search=STREAM::LIST', 'function_id')).toEqual(
    expect.arrayContaining(['stream::list', 'stream::list_groups']),
  );
  expect(await found(adminUrl, '/api/triggers', 'search=mail::send', 'trigger_type')).toEqual(['stream']);
  expect(await found(adminUrl, '/api/triggers', 'search=nothing', 'trigger_type')).toEqual([]);
});

it.each([
  '/api/streams',
  '/api/streams/s/groups',
  '/api/streams/s/groups/g/items',
  '/api/sessions',
  '/api/workers',
  '/api/functions',
  '/api/triggers',
])('%s refuses a search that is too long, and finds nothing for a strange one', async (path) => {
  const { adminUrl } = await startTestEngine({ admin: {} });
  expect((await ask(adminUrl, `${path}?search=${'x'.repeat(1_025)}`)).status).toBe(400);
  for (const strange of ['%00', '%FF', '%ED%A0%80', '%', '(', '.*', '%F0%9F%92%A9', '%E2%80%AE', '__proto__x'])
    expect(await askJson(adminUrl, `${path}?search=${strange}`)).toMatchObject({ rows: [] });
});
