import { pathToFileURL } from 'node:url';
import { RivuletError } from '@rivulet/protocol';
import { directoryWith } from '@rivulet/testkit/directory-with';
import { describe, expect, it } from 'vitest';
import { type LogFields, silentLogger } from '../../src/logging/logger.js';
import { createMemoryStore } from '../../src/store/memory/memory-store.js';
import { loadStoreModule } from '../../src/store/module/load-store-module.js';
import { LoadedStore } from '../../src/store/module/loaded-store.js';
import type { StoreEvents, StreamStore, Write } from '../../src/store/store.js';
import { systemClock } from '../../src/structures/clock.js';

const GROUP = { stream: 'chat', group: 'room' };
const EVENTS = { onCommit() {}, onBreak() {} };
const afterTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
const thrower = (error: Error): void => {
  throw error;
};
const never = () => new Promise<never>(() => {});

function memoryWith(change: Partial<StreamStore>): StreamStore {
  const store = createMemoryStore({ clock: systemClock, tombstoneRetentionMs: 1 });
  return Object.assign(store, change);
}

async function memoryWhoseReads(
  part: { readonly close?: () => void; readonly chunks?: () => AsyncIterable<readonly never[]> },
  change: Partial<StreamStore> = {},
): Promise<StreamStore> {
  const plain = memoryWith({});
  await plain.start(EVENTS);
  return memoryWith({
    snapshot: async (ref) => ({ ...(await plain.snapshot(ref)), ...part }),
    changes: async (ref, since) => ({ ...(await plain.changes(ref, since)), ...part }),
    ...change,
  });
}

/** The error class of another copy of the protocol package. */
class ForeignError extends Error {
  override readonly name: string;
  readonly code: string;

  constructor(name: string, code: string) {
    super('no room');
    this.name = name;
    this.code = code;
  }
}

describe('a store from a file', () => {
  it.each(['start', 'close'] as const)('that hangs in %s fails the start with its name', async (step) => {
    const store = new LoadedStore(memoryWith({ [step]: never }), '/srv/my.mjs', silentLogger, 20);
    await expect(step === 'start' ? store.start(EVENTS) : store.close()).rejects.toThrow(
      `adapter /srv/my.mjs: ${step} failed: it did not end within 20 ms`,
    );
  });

  it('that hangs in its import or its factory fails the start with its name', async () => {
    const cwd = directoryWith({
      'hangs.mjs': 'export const createStore = () => new Promise(() => {})',
      'waits.mjs': 'await new Promise(() => {})',
    });
    const options = { config: {}, clock: systemClock, logger: silentLogger, tombstoneRetentionMs: 1 };
    // The import below finds the module in the cache, so on a busy machine too only the factory takes longer than its time.
    await import(pathToFileURL(`${cwd}/hangs.mjs`).href);
    await expect(loadStoreModule(`${cwd}/hangs.mjs`, options, 500)).rejects.toThrow('hangs.mjs: createStore failed: it did not end');
    await expect(loadStoreModule(`${cwd}/waits.mjs`, options, 20)).rejects.toThrow('waits.mjs: import failed: it did not end');
  });

  it('tells a coded error of another copy of the protocol package, and no other', async () => {
    const thrown: unknown[] = [
      new ForeignError('RivuletError', 'STORE_FULL'),
      new ForeignError('RivuletError', 'toString'),
      new ForeignError('Error', 'STORE_FULL'),
    ];
    const store = new LoadedStore(
      memoryWith({
        apply: () => {
          throw thrown[0];
        },
      }),
      '/srv/my.mjs',
      silentLogger,
    );
    const write = () => store.apply({ kind: 'set', ...GROUP, item: 'm', data: '1' }).catch((error: unknown) => error);
    const told = await write();
    expect(told).toBeInstanceOf(RivuletError);
    expect(told).toMatchObject({ code: 'STORE_FULL', message: 'no room', cause: thrown[0] });
    for (thrown.shift(); thrown.length > 0; thrown.shift()) expect(await write()).toBe(thrown[0]);
  });

  it.each<[string, () => void]>([
    ['throws', () => thrower(new Error('not connected'))],
    // The type says void, but the author used an async function.
    ['rejects later', () => Promise.reject(new Error('not connected'))],
  ])('whose unwatch, or close of a read, %s is one line in the log, and nothing else', async (_how, fail) => {
    const lines: unknown[] = [];
    const logger = { ...silentLogger, warn: (event: string, fields?: LogFields) => void lines.push([event, fields]) };
    const store = new LoadedStore(await memoryWhoseReads({ close: fail }, { unwatch: fail }), '/srv/my.mjs', logger);
    store.unwatch(GROUP);
    await afterTurn();
    expect(lines).toEqual([['adapter_step_failed', { adapter: '/srv/my.mjs', step: 'unwatch', error: 'Error: not connected', times: 1 }]]);
    const taken = await store.snapshot(GROUP);
    taken.close();
    const changed = await store.changes(GROUP, taken.position);
    if (changed.kind === 'changes') changed.close();
    await afterTurn();
    expect([changed.kind, lines.length]).toEqual(['changes', 1]);
  });

  it('that can follow streams is asked to; what fails of that is one line in the log, and one that can not is not asked', async () => {
    const lines: unknown[] = [];
    const logger = { ...silentLogger, warn: (event: string) => void lines.push(event) };
    const followed: (string | undefined)[] = [];
    const follows = { follow: (stream?: string) => void followed.push(stream), unfollow: () => thrower(new Error('not connected')) };
    const store = new LoadedStore(memoryWith(follows), '/srv/my.mjs', logger);
    store.follow?.('chat');
    store.follow?.(undefined);
    store.unfollow?.('chat');
    await afterTurn();
    expect([followed, lines]).toEqual([['chat', undefined], ['adapter_step_failed']]);
    expect(new LoadedStore(memoryWith({}), '/srv/my.mjs', logger).follow).toBeUndefined();
  });

  it('tells the code of an error that comes while a snapshot or changes are read', async () => {
    const chunks = async function* () {
      yield [];
      await afterTurn();
      throw new ForeignError('RivuletError', 'CORRUPT_ITEM');
    };
    const store = new LoadedStore(await memoryWhoseReads({ chunks }), '/srv/my.mjs', silentLogger);
    const taken = await store.snapshot(GROUP);
    const changed = await store.changes(GROUP, taken.position);
    if (changed.kind !== 'changes') throw new Error('stale');
    for (const read of [taken, changed]) {
      const all = async () => {
        for await (const chunk of read.chunks()) expect(chunk).toEqual([]);
      };
      const told = await all().catch((error: unknown) => error);
      expect(told).toBeInstanceOf(RivuletError);
      expect(told).toMatchObject({ code: 'CORRUPT_ITEM' });
    }
  });

  it('has a write exactly when it brings one', async () => {
    const store = new LoadedStore(memoryWith({}), '/srv/my.mjs', silentLogger);
    await store.start(EVENTS);
    const changes = [{ kind: 'set', item: 'm', data: '1' }] as const;
    expect(await store.write?.({ kind: 'write', ...GROUP, changes, batch: false })).toMatchObject({ kind: 'written' });
    await store.close();
    const without = Object.defineProperty(memoryWith({}), 'write', { value: undefined });
    expect(new LoadedStore(without, '/srv/my.mjs', silentLogger).write).toBeUndefined();
  });

  it('works with a file that knows the names of the last minor version', async () => {
    const available: unknown[] = [];
    const written: unknown[] = [];
    let given: StoreEvents | undefined;
    const start = async (events: StoreEvents) => void (given = events);
    const write = async (each: Write) => ({ kind: 'written', results: (written.push(each.changes), []) }) as const;
    const store = new LoadedStore(memoryWith({ start, write }), '/srv/my.mjs', silentLogger);
    await store.start({ ...EVENTS, onAvailability: (ref, is) => void available.push([ref, is]) });
    // @deprecated
    given?.onReach?.(GROUP, false);
    await store.write?.({ kind: 'write', ...GROUP, changes: [{ kind: 'delete', item: 'm', unlessLeased: 'anywhere' }], batch: false });
    expect(available).toEqual([[GROUP, false]]);
    // @deprecated
    expect(written).toEqual([[{ kind: 'delete', item: 'm', unlessLeased: 'anywhere', unlessHeld: 'anywhere' }]]);
  });

  it('is otherwise the store that it is', async () => {
    const commits: string[] = [];
    const store = new LoadedStore(memoryWith({}), '/srv/my.mjs', silentLogger);
    await store.start({ onCommit: ({ data }) => commits.push(data), onBreak() {} });
    await store.watch(GROUP);
    const written = await store.apply({ kind: 'set', ...GROUP, item: 'm', data: '1' });
    expect(commits).toEqual(['1']);
    expect((await store.get(GROUP, 'm')).value?.data).toBe('1');
    expect([await store.groups('chat'), await store.streams()]).toEqual([['room'], ['chat']]);
    if (written.kind !== 'applied') throw new Error('not written');
    expect((await store.snapshot(GROUP)).position).toEqual(written.position);
    expect((await store.changes(GROUP, written.position)).kind).toBe('changes');
    store.unwatch(GROUP);
    await store.close();
    await expect(store.get(GROUP, 'm')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
