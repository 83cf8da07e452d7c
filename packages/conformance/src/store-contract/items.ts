import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { clause, GROUP, type StoreClause } from './factory.js';

/** Clauses about items and single changes. */
export const itemClauses: readonly StoreClause[] = [
  clause('a change answers the value before and after, and whether there was one', async (open) => {
    const created = await open.set('m', '1');
    ok(created.kind === 'applied');
    deepEqual([created.old, created.new], [undefined, '1']);
    const updated = await open.set('m', '2');
    ok(updated.kind === 'applied');
    deepEqual([updated.old, updated.new], ['1', '2']);
    const deleted = await open.delete('m');
    ok(deleted.kind === 'applied');
    deepEqual([deleted.old, deleted.new], ['2', undefined]);
    deepEqual(
      open.commits.map((commit) => [commit.effect, commit.data, commit.old]),
      [
        ['create', '1', undefined],
        ['update', '2', '1'],
        ['delete', '2', '2'],
      ],
    );
  }),
  clause('ST-1 deleting what is not there changes nothing and takes no offset', async (open) => {
    deepEqual(await open.delete('nobody'), { kind: 'unchanged', old: undefined });
    await open.set('m', '1');
    deepEqual(await open.delete('nobody'), { kind: 'unchanged', old: undefined });
    const next = await open.set('m', '2');
    equal(open.commits.length, 2);
    ok(next.kind === 'applied');
    equal(next.position.offset - (open.commits[0]?.position.offset ?? 0), 1);
  }),
  clause('ST-23 a stored null is a value', async (open) => {
    await open.set('m', 'null');
    equal(await open.value('m'), 'null');
    const result = await open.set('m', '1');
    ok(result.kind === 'applied');
    equal(result.old, 'null');
    equal(open.commits[1]?.effect, 'update');
  }),
  clause('items are listed in order of creation; an overwrite keeps its place, one that comes back goes last', async (open) => {
    for (const item of ['c', 'a', 'b']) await open.set(item, `"${item}"`);
    await open.set('c', '"c2"');
    await open.delete('a');
    await open.set('a', '"a2"');
    const { items } = await open.items();
    deepEqual(
      items.map((item) => item.data),
      ['"c2"', '"b"', '"a2"'],
    );
    const created = items.map((item) => item.created);
    deepEqual(
      created,
      [...created].sort((a, b) => a - b),
    );
  }),
  clause('ST-22 ids with separators, globs, unicode and the empty string are kept apart', async (open) => {
    const names = ['', 'a', 'a:b', 'b:c', 'a/b', '%', '*', '[x]', '?', '\\', 'ünï', '🙂', ' ', 'a'.repeat(256), '🙂'.repeat(64)];
    for (const stream of names) for (const group of names) await open.set(group, JSON.stringify([stream, group]), { stream, group });
    deepEqual(await open.store.streams(), [...names].sort());
    for (const stream of names) {
      deepEqual(await open.store.groups(stream), [...names].sort());
      for (const group of names) {
        const { items } = await open.items({ stream, group });
        deepEqual(
          items.map((item) => [item.item, item.data]),
          [[group, JSON.stringify([stream, group])]],
        );
      }
    }
  }),
  clause('ids that are too long, hold control characters or are not well-formed are refused', async (open) => {
    for (const item of ['a'.repeat(257), 'é'.repeat(129), 'a\u0000', '\u001f', '\ud800']) {
      await rejects(open.set(item, '1'), { code: 'INVALID_ID' });
      await rejects(open.set('m', '1', { ...GROUP, group: item }), { code: 'INVALID_ID' });
    }
    equal(open.commits.length, 0);
  }),
  clause('a group without items is not listed, nor is its stream', async (open) => {
    await open.set('m', '1');
    deepEqual(await open.store.groups(GROUP.stream), [GROUP.group]);
    await open.delete('m');
    await open.event('typing');
    deepEqual(await open.store.groups(GROUP.stream), []);
    deepEqual(await open.store.streams(), []);
  }),
  clause('SA-9 a thousand concurrent read-modify-writes of one item add up', async (open) => {
    const compute = (old: string | undefined) => String(Number(old ?? '0') + 1);
    await Promise.all(Array.from({ length: 1_000 }, () => open.apply({ kind: 'update', ...GROUP, item: 'n', compute })));
    equal(await open.value('n'), '1000');
  }),
  clause('an update that answers nothing leaves everything as it is', async (open) => {
    await open.set('m', '1');
    deepEqual(await open.apply({ kind: 'update', ...GROUP, item: 'm', compute: () => undefined }), { kind: 'unchanged', old: '1' });
    deepEqual(await open.apply({ kind: 'update', ...GROUP, item: 'none', compute: () => undefined }), {
      kind: 'unchanged',
      old: undefined,
    });
    equal(open.commits.length, 1);
  }),
  clause('a compute that throws fails its own change and leaves no trace', async (open) => {
    const boom = () => {
      throw new Error('boom');
    };
    const before = open.set('m', '1');
    const failing = open.apply({ kind: 'update', ...GROUP, item: 'm', compute: boom });
    const after = open.set('m', '2');
    await rejects(failing, /boom/);
    await Promise.all([before, after]);
    deepEqual(
      open.commits.map((commit) => commit.data),
      ['1', '2'],
    );
    const offsets = open.commits.map((commit) => commit.position.offset);
    equal((offsets[1] ?? 0) - (offsets[0] ?? 0), 1);
  }),
  clause('large values come back as they were', async (open) => {
    const data = JSON.stringify({ text: 'ü🙂\u0000\u001f"\\'.repeat(100_000) });
    await open.set('m', data);
    equal(await open.value('m'), data);
  }),
  clause('after close everything is STORE_UNAVAILABLE', async (open) => {
    await open.set('m', '1');
    await open.store.close();
    await rejects(open.set('m', '2'), { code: 'STORE_UNAVAILABLE' });
    await rejects(open.store.get(GROUP, 'm'), { code: 'STORE_UNAVAILABLE' });
    await rejects(open.store.snapshot(GROUP), { code: 'STORE_UNAVAILABLE' });
    await rejects(open.store.groups('chat'), { code: 'STORE_UNAVAILABLE' });
  }),
  {
    title: 'a store that never started closes, and takes nothing',
    persistent: false,
    run: async (factory) => {
      const store = await factory.create(Date.now);
      await rejects(store.get(GROUP, 'm'), { code: 'STORE_UNAVAILABLE' });
      await store.close();
      await rejects(store.apply({ kind: 'set', ...GROUP, item: 'm', data: '1' }), { code: 'STORE_UNAVAILABLE' });
      await factory.dispose();
    },
  },
];
