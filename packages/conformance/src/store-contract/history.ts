import { deepEqual, equal, ok } from 'node:assert/strict';
import { clause, GROUP, OpenStore, type StoreClause } from './factory.js';

const OTHER = { stream: 'chat', group: 'room-2' };

/** Clauses about the history of a group: offsets, timestamps, events and reads. */
export const historyClauses: readonly StoreClause[] = [
  clause('commits arrive in the order of their calls, offsets are dense, and onCommit runs before apply resolves', async (open) => {
    const resolved: number[] = [];
    await Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        const result = n % 5 === 4 ? await open.event(`e${n}`) : await open.set(`m${n % 7}`, String(n));
        ok(result.kind === 'applied');
        equal(open.commits[n]?.position.offset, result.position.offset);
        resolved.push(n);
      }),
    );
    const offsets = open.commits.map((commit) => commit.position.offset);
    const first = offsets[0] ?? 0;
    deepEqual(
      offsets,
      offsets.map((_, n) => first + n),
    );
    deepEqual(
      resolved,
      [...resolved].sort((a, b) => a - b),
    );
    equal(new Set(open.commits.map((commit) => commit.position.epoch)).size, 1);
  }),
  clause('each group has a history of its own', async (open) => {
    await open.set('m', '1');
    const start = open.commits[0]?.position.offset ?? 0;
    await open.set('m', '1', OTHER);
    await open.set('m', '2');
    equal(open.commits[2]?.position.offset, start + 1);
  }),
  {
    title: 'timestamps grow strictly while the clock stands still and when it goes back',
    persistent: false,
    run: async (factory) => {
      let now = 1_700_000_000_000;
      const open = await OpenStore.start(await factory.create(() => now));
      try {
        for (let n = 0; n < 50; n++) {
          if (n === 20) now -= 86_400_000;
          if (n === 40) now += 90_000_000;
          await (n % 3 === 0 ? open.event('t') : open.set('m', String(n)));
        }
        const stamps = open.commits.map((commit) => commit.timestamp);
        for (let n = 1; n < stamps.length; n++) ok((stamps[n] ?? 0) > (stamps[n - 1] ?? 0));
        equal(stamps[0], 1_700_000_000_000);
        ok((stamps[40] ?? 0) >= now);
      } finally {
        await open.store.close();
        await factory.dispose();
      }
    },
  },
  clause('events and external changes take offsets and are not stored', async (open) => {
    await open.apply({ kind: 'event', ...GROUP, item: 'm', type: 'typing', data: '{"u":1}' });
    await open.apply({ kind: 'external', ...GROUP, item: 'x', effect: 'create', data: '1' });
    const [event, external] = open.commits;
    deepEqual([event?.effect, event?.item, event?.eventType, event?.data, event?.created], ['event', 'm', 'typing', '{"u":1}', 0]);
    deepEqual([external?.effect, external?.item, external?.data], ['create', 'x', '1']);
    deepEqual([event?.old, external?.old], [undefined, undefined]);
    equal((external?.position.offset ?? 0) - (event?.position.offset ?? 0), 1);
    deepEqual((await open.items()).items, []);
  }),
  clause('a snapshot is true at the position that it states, whatever is written meanwhile', async (open) => {
    await Promise.all(Array.from({ length: 2_000 }, (_, n) => open.set(`m${n}`, `${n}`)));
    const snapshot = await open.store.snapshot(GROUP);
    const chunks = snapshot.chunks()[Symbol.asyncIterator]();
    const first = await chunks.next();
    await Promise.all([open.set('m0', '"late"'), open.delete('m1999'), open.set('new', '1')]);
    const seen = [...(first.value ?? [])];
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) seen.push(...next.value);
    snapshot.close();
    deepEqual(
      seen.map((item) => item.data),
      Array.from({ length: 2_000 }, (_, n) => `${n}`),
    );
    equal(snapshot.position.offset, open.commits[1_999]?.position.offset);
  }),
  clause('a snapshot and the commits after it make the whole, at every moment of a busy group', async (open) => {
    const writing = (async () => {
      for (let n = 0; n < 60; n++)
        await Promise.all(Array.from({ length: 20 }, (_, i) => open.set(`m${(n * 7 + i) % 50}`, `${n * 20 + i}`)));
    })();
    for (let round = 0; round < 60; round++) {
      const { items, position } = await open.items();
      const expected = new Map<string, string>();
      for (const commit of open.commits) if (commit.position.offset <= position.offset) expected.set(commit.item ?? '', commit.data);
      // The store may report a commit just after the snapshot that contains it. The snapshot is then newer than the reports so far.
      const newest = open.commits.at(-1)?.position.offset ?? position.offset;
      if (newest >= position.offset) deepEqual(new Map(items.map((item) => [item.item, item.data])), expected);
      ok(items.every((item) => item.changed <= position.offset));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
  }),
  clause('get states the position at which its value is true', async (open) => {
    await open.set('m', '1');
    await open.set('n', '1');
    const read = await open.store.get(GROUP, 'm');
    const last = open.commits.at(-1);
    deepEqual(
      [read.value?.data, read.value?.created, read.position, read.timestamp],
      ['1', open.commits[0]?.position.offset, last?.position, last?.timestamp],
    );
    const missing = await open.store.get(GROUP, 'nobody');
    deepEqual([missing.value, missing.position], [undefined, last?.position]);
    for (const write of [() => open.event('typing'), () => open.delete('m')]) {
      await write();
      deepEqual((await open.store.get(GROUP, 'nobody')).position, open.commits.at(-1)?.position);
    }
  }),
  clause('a group that was never written has a position that its first change follows', async (open) => {
    const { items, position } = await open.items();
    deepEqual(items, []);
    await open.event('first');
    deepEqual(open.commits[0]?.position, { epoch: position.epoch, offset: position.offset + 1 });
  }),
  clause(
    'a restart keeps items, order, epoch and offsets; nothing is ever used twice',
    async (open, factory) => {
      for (const item of ['b', 'a', 'c']) await open.set(item, `"${item}"`);
      await open.delete('a');
      await open.event('typing');
      const before = open.commits.at(-1);
      await open.store.close();
      const again = await OpenStore.start(await factory.reopen(Date.now));
      const { items, position } = await again.items();
      deepEqual(
        items.map((item) => item.data),
        ['"b"', '"c"'],
      );
      deepEqual(position, before?.position);
      await again.set('d', '1');
      const [commit] = again.commits;
      deepEqual(commit?.position, { epoch: before?.position.epoch, offset: (before?.position.offset ?? 0) + 1 });
      ok((commit?.timestamp ?? 0) > (before?.timestamp ?? 0));
      deepEqual(await again.store.groups(GROUP.stream), [GROUP.group]);
      await again.store.close();
    },
    true,
  ),
];
