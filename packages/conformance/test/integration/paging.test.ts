import { startTestEngine, type TestEngineOptions } from '@rivulet/testkit/engines/engine';
import { type Frame, RawWorker } from '@rivulet/testkit/peers/raw-worker';
import { describe, expect, test } from 'vitest';

const GROUPS = ['', 'Ａ', 'a', 'b:c', 'é', '🙂', 'z'].sort();

async function start(options: TestEngineOptions = {}) {
  const started = await startTestEngine(options);
  const worker = await RawWorker.connect(started.workerUrl);
  return { ...started, worker };
}

/** Reads all pages. `read` gets the place behind which the next page begins. */
async function pages<Place, Entry>(
  read: (after: Place | undefined) => Promise<{ readonly entries: readonly Entry[]; readonly next: Place | undefined }>,
): Promise<Entry[][]> {
  const all: Entry[][] = [];
  let after: Place | undefined;
  do {
    const { entries, next } = await read(after);
    all.push([...entries]);
    after = next;
  } while (after !== undefined);
  return all;
}

describe.each([{ lmdb: false }, { lmdb: true }])('E9 pages (lmdb: $lmdb)', ({ lmdb }) => {
  test('E9 list_groups ends at its limit and goes on behind the last group, of streams and of state', async () => {
    const { worker } = await start({ lmdb });
    for (const group of GROUPS) {
      await worker.result('stream::set', { stream_name: 's', group_id: group, item_id: 'i', data: 1 });
      await worker.result('state::set', { scope: group, key: 'k', value: 1 });
    }
    expect(await worker.result('stream::list_groups', { stream_name: 's' })).toEqual(GROUPS);
    expect(await worker.result('stream::list_groups', { stream_name: 's', limit: 2 })).toEqual(GROUPS.slice(0, 2));
    expect(await worker.result('stream::list_groups', { stream_name: 's', limit: 3, after: 'a' })).toEqual(GROUPS.slice(2, 5));
    expect(await worker.result('stream::list_groups', { stream_name: 's', after: 'c' })).toEqual(GROUPS.filter((group) => group > 'c'));
    expect(await worker.result('stream::list_groups', { stream_name: 's', limit: 3, after: '🙂🙂' })).toEqual(['Ａ']);
    const streams = await pages<string, string>(async (after) => {
      const input = { stream_name: 's', limit: 3, with_next: true, after };
      const { groups, next } = (await worker.result('stream::list_groups', input)) as { groups: string[]; next?: string };
      return { entries: groups, next };
    });
    const scopes = await pages<string, string>(async (after) => {
      const { groups, next } = (await worker.result('state::list_groups', { limit: 3, after })) as { groups: string[]; next?: string };
      return { entries: groups, next };
    });
    for (const each of [streams, scopes]) expect(each).toEqual([GROUPS.slice(0, 3), GROUPS.slice(3, 6), GROUPS.slice(6)]);
    expect(await worker.result('state::list_groups', {})).toEqual({ groups: GROUPS });
    for (const wrong of [{ limit: 0 }, { limit: 'all' }, { after: 5 }])
      for (const [id, input] of [
        ['stream::list_groups', { stream_name: 's' }],
        ['state::list_groups', {}],
      ] as const)
        expect(await worker.errorCode(id, { ...input, ...wrong })).toBe('deserialization_error');
    expect(await worker.errorCode('state::list_groups', { after: '\u0001' })).toBe('INVALID_ID');
  });

  test('E9 list_all counts groups, and a stream that does not fit goes on in the next page', async () => {
    const { worker } = await start({ lmdb });
    const places = ['a', 'b', 'c'].flatMap((stream) => ['1', '2', '3', '4'].map((group) => ({ stream, group })));
    for (const { stream, group } of places)
      await worker.result('stream::set', { stream_name: stream, group_id: group, item_id: 'i', data: 1 });
    type All = { stream: { id: string; groups: string[] }[]; count: number; next?: { stream: string; group: string } };
    const whole = (await worker.result('stream::list_all', {})) as All;
    expect(whole).toEqual({ stream: ['a', 'b', 'c'].map((id) => ({ id, groups: ['1', '2', '3', '4'] })), count: 3 });
    expect(await worker.result('stream::list_all', null)).toEqual(whole);
    for (const limit of [1, 3, 4, 5, 12, 100]) {
      const found = await pages(async (after: All['next']) => {
        const { stream, count, next } = (await worker.result('stream::list_all', { limit, after })) as All;
        expect(count).toBe(stream.length);
        return { entries: stream.flatMap(({ id, groups }) => groups.map((group) => ({ stream: id, group }))), next };
      });
      expect(found.flat()).toEqual(places);
      expect(found.every((page) => page.length <= limit)).toBe(true);
    }
    const input = { limit: 2, after: { stream: 'a', group: '3' } };
    expect(await worker.result('stream::list_all', input)).toEqual({
      stream: [
        { id: 'a', groups: ['4'] },
        { id: 'b', groups: ['1'] },
      ],
      count: 2,
      next: { stream: 'b', group: '1' },
    });
    expect(await worker.result('stream::list_all', { after: { stream: 'bb', group: '' } })).toMatchObject({
      stream: [{ id: 'c' }],
      count: 1,
    });
    for (const after of ['a', { stream: 'a' }, { stream: 1, group: 'g' }])
      expect(await worker.errorCode('stream::list_all', { after })).toBe('deserialization_error');
  });

  test('E9 a page of items ends at the message limit and says where it goes on; without a limit it is RESULT_TOO_LARGE', async () => {
    const { worker } = await start({ lmdb, worker: { maxMessageBytes: 200_000 } });
    const text = 'é'.repeat(20_000);
    const ids = Array.from({ length: 9 }, (_, n) => `i${n}`);
    for (const id of ids) {
      await worker.result('stream::set', { stream_name: 's', group_id: 'g', item_id: id, data: { id, text } });
      await worker.result('state::set', { scope: 'g', key: id, value: { id, text } });
    }
    const lists = [
      ['stream::list', { stream_name: 's', group_id: 'g' }],
      ['state::list', { scope: 'g' }],
    ] as const;
    for (const [id, input] of lists) {
      expect(await worker.errorCode(id, input)).toBe('RESULT_TOO_LARGE');
      const found = await pages<string, string>(async (after) => {
        const page = (await worker.result(id, { ...input, limit: 100, after, with_next: true })) as {
          items: { id: string }[];
          next?: string;
        };
        return { entries: page.items.map((item) => item.id), next: page.next };
      });
      expect(found.map((page) => page.length)).toEqual([4, 4, 1]);
      expect(found.flat()).toEqual(ids);
      expect(await worker.result(id, { ...input, limit: 2, after: 'i3' })).toMatchObject([{ id: 'i4' }, { id: 'i5' }]);
    }
    const page = { limit: 2, after: 'i6', with_position: true };
    const { items, next } = (await worker.result('stream::list', { ...lists[0][1], ...page })) as { items: Frame[]; next?: string };
    expect([items.length, next]).toEqual([2, undefined]);
  });

  test('E9 many groups with long names are RESULT_TOO_LARGE without a limit, and can be paged all the same', async () => {
    const { worker } = await start({ lmdb, worker: { maxMessageBytes: 20_000 } });
    const groups = Array.from({ length: 200 }, (_, n) => `${'ü'.repeat(100)}${String(n).padStart(3, '0')}`);
    await Promise.all(
      groups.flatMap((group) => [
        worker.result('stream::set', { stream_name: 's', group_id: group, item_id: 'i', data: 1 }),
        worker.result('state::set', { scope: group, key: 'k', value: 1 }),
      ]),
    );
    for (const [id, input] of [
      ['stream::list_groups', { stream_name: 's' }],
      ['stream::list_all', {}],
      ['state::list_groups', {}],
    ] as const) {
      const { error } = await worker.call(id, input);
      expect(error).toMatchObject({ code: 'RESULT_TOO_LARGE', message: expect.stringContaining('limit and after') });
    }
    type Page = { groups?: string[]; stream?: { groups: string[] }[]; next?: string };
    for (const [id, input] of [
      ['stream::list_groups', { stream_name: 's', with_next: true }],
      ['stream::list_all', {}],
      ['state::list_groups', {}],
    ] as const) {
      const found = await pages<string, string>(async (after) => {
        const { groups: own, stream, next } = (await worker.result(id, { ...input, limit: 1_000, after })) as Page;
        return { entries: own ?? stream?.flatMap((row) => row.groups) ?? [], next };
      });
      expect(found.length).toBeGreaterThan(2);
      expect(found.flat()).toEqual(groups);
    }
  });
});

test('E9 groups of a stream that a worker serves are paged, and its own order stays without a limit', async () => {
  const { worker } = await start();
  const own = ['z', 'a', 'm', 'b'];
  await worker.serve('stream::list_groups(own)', () => own);
  await worker.result('stream::set', { stream_name: 'kept', group_id: 'g', item_id: 'i', data: 1 });
  await worker.result('stream::set', { stream_name: 'z', group_id: 'g', item_id: 'i', data: 1 });
  expect(await worker.result('stream::list_groups', { stream_name: 'own' })).toEqual(own);
  expect(await worker.result('stream::list_groups', { stream_name: 'own', limit: 2 })).toEqual(['a', 'b']);
  expect(await worker.result('stream::list_groups', { stream_name: 'own', limit: 9, after: 'b' })).toEqual(['m', 'z']);
  expect(await worker.result('stream::list_all', { limit: 3 })).toEqual({
    stream: [
      { id: 'kept', groups: ['g'] },
      { id: 'own', groups: ['a', 'b'] },
    ],
    count: 2,
    next: { stream: 'own', group: 'b' },
  });
  expect(await worker.result('stream::list_all', { limit: 3, after: { stream: 'own', group: 'b' } })).toEqual({
    stream: [
      { id: 'own', groups: ['m', 'z'] },
      { id: 'z', groups: ['g'] },
    ],
    count: 2,
  });
});
