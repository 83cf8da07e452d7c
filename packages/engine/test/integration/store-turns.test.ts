import { RivuletError } from '@rivulet/protocol';
import { lmdbFactory, memoryFactory } from '@rivulet/testkit/stores/store-factories';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BATCH_CHARS } from '../../src/store/shared/batch-limits.js';
import type { Change, WritableStore } from '../../src/store/store.js';

/** Milliseconds by which a slow write moves the clock: more than a transaction may take. */
const SLOW_MS = 40;
const BUSY = { stream: 's', group: 'busy' };

describe.each([
  ['lmdb', (monotonic: () => number) => lmdbFactory('commit', monotonic)],
  ['memory', memoryFactory],
])('sessions take turns (%s)', (_name, factoryOf) => {
  async function open() {
    let elapsed = 0;
    let computed = 0;
    const factory = factoryOf(() => elapsed);
    const store = (await factory.create(Date.now)) as WritableStore;
    onTestFinished(async () => {
      await store.close();
      await factory.dispose();
    });
    await store.start({ onCommit() {}, onBreak() {} });
    const compute = (old: string | undefined) => {
      elapsed += SLOW_MS;
      return String(++computed + Number(old ?? 0));
    };
    const slow: Change = { kind: 'update', ...BUSY, item: 'i', compute };
    return { store, slow, computed: () => computed };
  }

  test('E2 200 slow updates of one session delay the write of another by a few of them', async () => {
    const { store, slow, computed } = await open();
    const busy = Array.from({ length: 200 }, () => store.apply(slow, 'guest'));
    await store.apply({ kind: 'set', stream: 's', group: 'other', item: 'i', data: '1' }, 'user');
    expect(computed()).toBeLessThan(5);
    await store.write({ kind: 'write', stream: 's', group: 'lease', changes: [{ kind: 'set', item: 'i', data: '1' }], batch: false });
    expect(computed()).toBeLessThan(9);
    await Promise.all(busy);
    expect(computed()).toBe(200);
  });

  test('changes of one group keep their order, whoever makes them', async () => {
    const { store, slow } = await open();
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    await Promise.all([
      store.apply(slow, 'a').then(note('a1')),
      store.apply(slow, 'a').then(note('a2')),
      store.apply(slow, 'b').then(note('b1')),
      store.apply(slow, 'a').then(note('a3')),
    ]);
    expect(order).toEqual(['a1', 'a2', 'b1', 'a3']);
  });
});

test('E2 an update that takes no value of this size is refused before the value is read', async () => {
  const factory = lmdbFactory();
  const store = (await factory.create(Date.now)) as WritableStore;
  onTestFinished(async () => {
    await store.close();
    await factory.dispose();
  });
  await store.start({ onCommit() {}, onBreak() {} });
  const data = JSON.stringify('ü'.repeat(1_000_000));
  const written = await store.write({ kind: 'write', ...BUSY, changes: [{ kind: 'set', item: 'i', data }], batch: false });
  if (written.kind !== 'written') throw new Error('not written');
  const sizes: number[] = [];
  let computed = 0;
  const update = {
    kind: 'update',
    item: 'i',
    compute: () => String(++computed),
    requireSize: (bytes: number) => {
      sizes.push(bytes);
      throw new RivuletError('VALUE_TOO_LARGE', 'too large for this session');
    },
  } as const;
  await expect(store.apply({ ...BUSY, ...update }, 'guest')).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  await expect(store.write({ kind: 'write', ...BUSY, changes: [update], batch: false })).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  expect([sizes, computed]).toEqual([[2_000_002, 2_000_002], 0]);
  // A condition that does not hold is a conflict for any size of the value.
  const absent = { ...update, condition: { kind: 'absent' } } as const;
  expect(await store.write({ kind: 'write', ...BUSY, changes: [absent], batch: false })).toMatchObject({ kind: 'conflict' });
  // An item that does not exist has no size.
  await expect(store.apply({ ...BUSY, ...update, item: 'new' }, 'guest')).resolves.toMatchObject({ kind: 'applied', new: '1' });
});

test('E2 one transaction keeps a bounded length of values before and after its writes', async () => {
  const factory = lmdbFactory();
  const store = (await factory.create(Date.now)) as WritableStore;
  onTestFinished(async () => {
    await store.close();
    await factory.dispose();
  });
  const transactions: number[] = [];
  let chars = 0;
  await store.start({
    // The commits of one transaction are reported in one synchronous run.
    onCommit: ({ data, old = '' }) => {
      if (chars === 0) {
        queueMicrotask(() => {
          transactions.push(chars);
          chars = 0;
        });
      }
      chars += data.length + old.length;
    },
    onBreak() {},
  });
  const length = 400_000;
  let written = 0;
  const update: Change = { kind: 'update', ...BUSY, item: 'i', compute: () => JSON.stringify(`${++written}${'x'.repeat(length)}`) };
  await store.apply(update);
  await Promise.all(Array.from({ length: 40 }, () => store.apply(update)));
  const onlyUpdates = transactions.slice(1);
  expect(onlyUpdates.length).toBeGreaterThan(1);
  expect(Math.max(...onlyUpdates)).toBeLessThanOrEqual(BATCH_CHARS + 2 * (length + 100));
});
