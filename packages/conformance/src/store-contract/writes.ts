import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { Once, Write, WriteChange, WriteResult } from '@rivulet/engine/store';
import { formatPosition, type Position } from '@rivulet/protocol';
import { clause, GROUP, type OpenStore, type StoreClause } from './factory.js';

const refused = { name: 'RivuletError', code: 'VALUE_TOO_LARGE' };

export function writeTo(open: OpenStore, changes: readonly WriteChange[], more: Partial<Write> = {}): Promise<WriteResult> {
  const { store } = open;
  if (store.write === undefined) throw new Error('the store has no write');
  return store.write({ kind: 'write', ...GROUP, changes, batch: changes.length > 1, ...more });
}

/** Returns a clause that passes for a store without `write`. */
export function writeClause(title: string, run: (open: OpenStore) => Promise<void>): StoreClause {
  return clause(title, async (open) => (open.store.write === undefined ? undefined : run(open)));
}

export function set(item: string, data: string): Extract<WriteChange, { kind: 'set' }> {
  return { kind: 'set', item, data };
}

export function once(key: string, more: Partial<Once> = {}): Once {
  return { key, fingerprint: 'f', retentionMs: 600_000, answer: (result) => JSON.stringify(result), ...more };
}

function versionOf(result: WriteResult, index = 0): { readonly kind: 'version'; readonly version: string } {
  ok(result.kind === 'written');
  const each = result.results[index];
  ok(each?.kind === 'applied');
  return { kind: 'version', version: formatPosition(each.position) };
}

function head(open: OpenStore): Position | undefined {
  return open.commits.at(-1)?.position;
}

/** Clauses about conditions, batches and idempotency keys, which `write` adds to `apply`. A store without `write` passes. */
export const writeClauses: readonly StoreClause[] = [
  writeClause('RV-30 a version lets a change through while it is that of the last change of the item', async (open) => {
    const created = await writeTo(open, [set('m', '1')]);
    const version = versionOf(created);
    equal((await open.store.get(GROUP, 'm')).value?.changed, head(open)?.offset);
    const updated = await writeTo(open, [{ ...set('m', '2'), condition: version }]);
    ok(updated.kind === 'written');
    const stale = await writeTo(open, [{ ...set('m', '3'), condition: version }]);
    deepEqual(stale, { kind: 'conflict', index: 0, value: '2', version: head(open) });
    const deletion = await writeTo(open, [{ kind: 'delete', item: 'm', condition: version }]);
    deepEqual(deletion, stale);
    equal(open.commits.length, 2);
    equal((await writeTo(open, [{ kind: 'delete', item: 'm', condition: versionOf(updated) }])).kind, 'written');
    deepEqual(await writeTo(open, [{ ...set('m', '4'), condition: version }]), {
      kind: 'conflict',
      index: 0,
      value: undefined,
      version: undefined,
    });
  }),
  writeClause('RV-30 a version of another epoch, another item or no position at all is that of no item', async (open) => {
    const result = await writeTo(open, [set('m', '1'), set('n', '1')]);
    const { offset } = head(open) ?? { offset: 0 };
    for (const version of [
      '',
      'x',
      `another:${offset - 1}`,
      versionOf(result, 1).version,
      `${versionOf(result).version}0`,
      `0${versionOf(result).version}`,
    ]) {
      const tried = await writeTo(open, [{ ...set('m', '2'), condition: { kind: 'version', version } }]);
      equal(tried.kind, 'conflict');
    }
    equal(await open.value('m'), '1');
  }),
  writeClause('RV-30 absent lets the first of many writers through', async (open) => {
    const tried = await Promise.all(
      Array.from({ length: 20 }, (_, n) => writeTo(open, [{ ...set('m', String(n)), condition: { kind: 'absent' } }])),
    );
    deepEqual(
      tried.map(({ kind }) => kind),
      ['written', ...Array.from({ length: 19 }, () => 'conflict')],
    );
    equal(await open.value('m'), '0');
    await open.delete('m');
    equal((await writeTo(open, [{ ...set('m', '1'), condition: { kind: 'absent' } }])).kind, 'written');
  }),
  writeClause('RV-30 a condition is asked before an update computes', async (open) => {
    let computed = 0;
    const compute = () => String(++computed);
    const version = { kind: 'version', version: 'none' } as const;
    equal((await writeTo(open, [{ kind: 'update', item: 'm', compute, condition: version }])).kind, 'conflict');
    equal(computed, 0);
  }),
  writeClause('RV-31 what leaves an item as it is answers the version that the item has', async (open) => {
    await open.set('m', '1');
    const result = await writeTo(open, [
      { kind: 'update', item: 'm', compute: () => undefined },
      { kind: 'delete', item: 'nobody' },
    ]);
    deepEqual(result, {
      kind: 'written',
      results: [
        { kind: 'unchanged', old: '1', version: head(open) },
        { kind: 'unchanged', old: undefined, version: undefined },
      ],
    });
    equal(open.commits.length, 1);
  }),
  writeClause('RV-33 a batch takes consecutive offsets, is reported in one run, and each commit names the last offset', async (open) => {
    await open.set('gone', '0');
    let turn = 0;
    const turns: number[] = [];
    open.onCommit = () => {
      turns.push(turn);
      queueMicrotask(() => turn++);
    };
    const [result] = await Promise.all([
      writeTo(open, [set('a', '1'), { kind: 'delete', item: 'gone' }, { kind: 'update', item: 'a', compute: (old) => `[${old}]` }]),
      open.set('b', '1'),
    ]);
    ok(result.kind === 'written');
    deepEqual(
      result.results.map((each) => (each.kind === 'applied' ? [each.old, each.new] : undefined)),
      [
        [undefined, '1'],
        ['0', undefined],
        ['1', '[1]'],
      ],
    );
    const [before, ...batch] = open.commits.slice(0, 4);
    const first = (before?.position.offset ?? 0) + 1;
    deepEqual(
      batch.map(({ item, effect, position, through }) => [item, effect, position.offset, through]),
      [
        ['a', 'create', first, first + 2],
        ['gone', 'delete', first + 1, first + 2],
        ['a', 'update', first + 2, first + 2],
      ],
    );
    equal(new Set(turns.slice(0, 3)).size, 1);
    deepEqual([before?.through, open.commits[4]?.through], [undefined, undefined]);
    const alone = await writeTo(open, [set('c', '1')], { batch: true });
    ok(alone.kind === 'written');
    equal(open.commits.at(-1)?.through, head(open)?.offset);
  }),
  writeClause('RV-33 a batch of which one condition fails, or one computation, leaves no trace', async (open) => {
    await open.set('m', '1');
    const before = await open.items();
    const [conflict, , failure] = await Promise.allSettled([
      writeTo(open, [set('a', '1'), set('m', '2'), { ...set('m', '3'), condition: { kind: 'absent' } }]),
      open.set('b', '1'),
      writeTo(open, [set('new', '1'), { kind: 'update', item: 'm', compute: tooLarge }]),
      open.set('c', '1'),
    ]);
    deepEqual(conflict, { status: 'fulfilled', value: { kind: 'conflict', index: 2, value: '1', version: before.position } });
    ok(failure.status === 'rejected');
    equal((failure.reason as { code?: unknown }).code, refused.code);
    deepEqual(
      open.commits.map(({ item, position }) => [item, position.offset - before.position.offset]),
      [
        ['m', 0],
        ['b', 1],
        ['c', 2],
      ],
    );
    deepEqual(
      (await open.items()).items.map(({ item, data }) => [item, data]),
      [
        ['m', '1'],
        ['b', '1'],
        ['c', '1'],
      ],
    );
    const changes = await open.changes(before.position);
    ok(changes !== 'stale');
    equal(changes.length, 2);
  }),
  writeClause('RV-33 a batch of a group that nobody knows, which fails, leaves none', async (open) => {
    const ref = { stream: 'chat', group: 'unknown' };
    const { position } = await open.store.get(ref, 'a');
    equal((await writeTo(open, [set('a', '1'), { ...set('a', '2'), condition: { kind: 'absent' } }], ref)).kind, 'conflict');
    deepEqual(await open.store.groups('chat'), []);
    deepEqual((await open.store.get(ref, 'a')).position, position);
  }),
  writeClause('RV-33 later writes of a batch see what earlier ones did', async (open) => {
    const result = await writeTo(open, [
      set('m', '1'),
      { kind: 'delete', item: 'm' },
      { ...set('m', '2'), condition: { kind: 'absent' } },
      { kind: 'update', item: 'm', compute: (old) => `[${old}]` },
    ]);
    equal(result.kind, 'written');
    equal(await open.value('m'), '[2]');
    equal((await open.items()).items.length, 1);
  }),
  writeClause('RV-32 a key that was used answers what the first write answered, and writes nothing', async (open) => {
    const writes = Array.from({ length: 5 }, (_, n) => writeTo(open, [set('m', String(n))], { once: once('k') }));
    const [first, ...others] = await Promise.all(writes);
    ok(first?.kind === 'written');
    for (const other of others) deepEqual(other, { kind: 'replayed', answer: JSON.stringify(first) });
    await open.set('m', '"other"');
    deepEqual(await writeTo(open, [set('m', '1')], { once: once('k') }), others[0]);
    equal(open.commits.length, 2);
    equal((await writeTo(open, [set('m', '2')], { once: once('l') })).kind, 'written');
    equal((await writeTo(open, [set('m', '3')], { once: once('k'), stream: 'chat', group: 'room-2' })).kind, 'written');
  }),
  writeClause('RV-32 the key of another write is refused', async (open) => {
    await writeTo(open, [set('m', '1')], { once: once('k') });
    const other = writeTo(open, [set('n', '1')], { once: once('k', { fingerprint: 'g' }) });
    await rejects(other, { name: 'RivuletError', code: 'INVALID_ARGUMENTS' });
    equal(await open.value('n'), undefined);
  }),
  writeClause('RV-32 a conflict and a change without effect are remembered, a failure is not', async (open) => {
    const absent = { kind: 'version', version: 'none' } as const;
    const conflict = await writeTo(open, [{ ...set('m', '1'), condition: absent }], { once: once('a') });
    deepEqual(await writeTo(open, [set('m', '1')], { once: once('a') }), { kind: 'replayed', answer: JSON.stringify(conflict) });
    const nothing = await writeTo(open, [{ kind: 'delete', item: 'm' }], { once: once('b') });
    await open.set('m', '1');
    deepEqual(await writeTo(open, [{ kind: 'delete', item: 'm' }], { once: once('b') }), {
      kind: 'replayed',
      answer: JSON.stringify(nothing),
    });
    await rejects(writeTo(open, [{ kind: 'update', item: 'm', compute: tooLarge }], { once: once('c') }), refused);
    equal((await writeTo(open, [set('m', '2')], { once: once('c') })).kind, 'written');
  }),
  writeClause('RV-32 a key is found by a write that fails, and a key without effect leaves no group', async (open) => {
    const ref = { stream: 'keys', group: 'unknown' };
    const reason = Object.assign(new Error('as the clause asks'), { name: 'RivuletError', code: 'INVALID_ARGUMENTS' });
    const find = () => {
      const compute = () => {
        throw reason;
      };
      return writeTo(open, [{ kind: 'update', item: 'm', compute }], { ...ref, once: once('k') });
    };
    await rejects(find(), (error) => error === reason);
    const claim = () => writeTo(open, [{ kind: 'delete', item: 'm' }], { ...ref, once: once('k', { answer: () => 'mine' }) });
    deepEqual((await claim()).kind, 'written');
    for (const write of [find, claim]) deepEqual(await write(), { kind: 'replayed', answer: 'mine' });
    deepEqual(await open.store.streams(), []);
    deepEqual(open.commits, []);
  }),
  writeClause('RV-32 an event with a key is published once', async (open) => {
    const event = { kind: 'event', item: undefined, type: 'ping', data: '1' } as const;
    const [first, second] = await Promise.all([writeTo(open, [event], { once: once('k') }), writeTo(open, [event], { once: once('k') })]);
    deepEqual([first?.kind, second?.kind], ['written', 'replayed']);
    deepEqual(
      open.commits.map(({ effect, eventType }) => [effect, eventType]),
      [['event', 'ping']],
    );
  }),
  writeClause('RV-32 a key is free again when its time is over, and not before', async (open) => {
    const short = once('k', { retentionMs: 500 });
    const begun = performance.now();
    await writeTo(open, [set('m', '1')], { once: short });
    let again = await writeTo(open, [set('m', '2')], { once: short });
    while (again.kind === 'replayed') again = await writeTo(open, [set('m', '2')], { once: short });
    equal(again.kind, 'written');
    ok(performance.now() - begun >= 499);
    equal((await writeTo(open, [set('m', '3')], { once: short })).kind, 'replayed');
  }),
];

function tooLarge(): never {
  throw Object.assign(new Error('as the clause asks'), refused);
}
