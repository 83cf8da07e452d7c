import { deepEqual, equal, ok } from 'node:assert/strict';
import type { StoreFactory } from '@rivulet/conformance/store-contract';
import type { ApplyResult, Change, Commit, GroupRef, Snapshot, StoredItem } from '@rivulet/engine/store';
import { RivuletError } from '@rivulet/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OpenStore } from '../src/store-contract-factory.js';
import { lmdbFactory, memoryFactory } from './harness/store-factories.js';
import { type Expected, StoreModel } from './harness/store-model.js';

/** Names that read the same when they are joined, and one that nobody writes to. */
const GROUPS: readonly GroupRef[] = [
  { stream: 'a', group: 'bc' },
  { stream: 'ab', group: 'c' },
  { stream: 'a', group: '' },
  { stream: '__proto__', group: 'é' },
];
const UNUSED: GroupRef = { stream: 'a', group: 'b' };
const ITEMS = ['i', 'j', '', '__proto__', '😀'];
const VALUES = ['null', '0', '"x"', '[]', '{}', '{"id":"k","n":1}', '{"id":null}', '{"id":{"deep":["😀"]}}', `"${'y'.repeat(5_000)}"`];

const ref = fc.constantFrom(...GROUPS);
const item = fc.constantFrom(...ITEMS);
const data = fc.constantFrom(...VALUES);
const UPDATES: Readonly<Record<string, Extract<Change, { kind: 'update' }>['compute']>> = {
  grow: (old) => JSON.stringify({ id: 'u', was: old?.length ?? null }),
  onlyIfThere: (old) => (old === undefined ? undefined : '"seen"'),
  never: () => undefined,
  throws: () => {
    throw new RivuletError('VALUE_TOO_LARGE', 'as the test asks');
  },
};
const change: fc.Arbitrary<Change> = fc
  .oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('set'), ref, item, data }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete'), ref, item }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('update'), ref, item, compute: fc.constantFrom(...Object.values(UPDATES)) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('event'), ref, item: fc.option(item, { nil: undefined }), type: fc.constant('t'), data }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('external'), ref, item, effect: fc.constantFrom('create', 'update', 'delete'), data }),
    },
  )
  .map(({ ref: group, ...rest }) => ({ ...group, ...rest }) as Change);

type Step =
  /** Asked for at once, so that they share batches; awaited together. */
  | { readonly kind: 'changes'; readonly changes: readonly Change[] }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'clock'; readonly byMs: number }
  /** A snapshot that is taken now and read later. */
  | { readonly kind: 'hold'; readonly ref: GroupRef };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('changes' as const), changes: fc.array(change, { minLength: 1, maxLength: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clock' as const), byMs: fc.integer({ min: -86_400_000, max: 86_400_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hold' as const), ref }) },
);

type Outcome = ApplyResult | { readonly kind: 'failed' };

/** One store and its model, side by side. */
class Run {
  readonly #factory: StoreFactory;
  readonly #model = new StoreModel(1_700_000_000_000);
  #held: { readonly snapshot: Snapshot; readonly items: readonly StoredItem[] }[] = [];
  #open: OpenStore;
  #epoch: string | undefined;

  private constructor(factory: StoreFactory, open: OpenStore) {
    this.#factory = factory;
    this.#open = open;
  }

  static async of(factory: StoreFactory, steps: readonly Step[]): Promise<void> {
    let run: Run | undefined;
    const store = await factory.create(() => run?.now ?? 0);
    run = new Run(factory, await OpenStore.start(store));
    try {
      for (const each of steps) await run.#take(each);
      await run.#check();
      if (factory.persistent) {
        await run.#reopen();
        await run.#check();
      }
    } finally {
      for (const { snapshot } of run.#held) snapshot.close();
      await run.#open.store.close();
      await factory.dispose();
    }
  }

  get now(): number {
    return this.#model.now;
  }

  async #take(each: Step): Promise<void> {
    if (each.kind === 'changes') return this.#apply(each.changes);
    if (each.kind === 'clock') this.#model.now += each.byMs;
    else if (each.kind === 'hold')
      this.#held.push({ snapshot: await this.#open.store.snapshot(each.ref), items: this.#model.items(each.ref) });
    else if (this.#factory.persistent) await this.#reopen();
  }

  /** All are asked for in one turn; they take effect, and are told, in that order within each group. */
  async #apply(changes: readonly Change[]): Promise<void> {
    const { commits } = this.#open;
    const before = commits.length;
    const outcomes = await Promise.all(
      changes.map(async (each): Promise<Outcome> => {
        try {
          const result = await this.#open.apply(each);
          // `onCommit` ran before.
          if (result.kind === 'applied') {
            const { offset } = result.position;
            ok(commits.some((commit) => sameGroup(commit, each) && commit.position.offset === offset));
          }
          return result;
        } catch (error) {
          equal((error as RivuletError).code, 'VALUE_TOO_LARGE');
          return { kind: 'failed' };
        }
      }),
    );
    const expected = changes.map((each, index) => {
      const outcome = outcomes[index] as Outcome;
      return this.#model.apply(each, outcome.kind === 'applied' ? outcome.position.offset : undefined);
    });
    deepEqual(outcomes.map(withoutPosition), expected.map(withoutCommit));
    const told = commits.slice(before);
    const owed = expected.flatMap((each, index): Commit[] => {
      const outcome = outcomes[index];
      return each.kind === 'applied' && outcome?.kind === 'applied' ? [{ ...each.commit, position: outcome.position }] : [];
    });
    for (const group of GROUPS) {
      deepEqual(
        told.filter((commit) => sameGroup(commit, group)),
        owed.filter((commit) => sameGroup(commit, group)),
      );
      const offsets = commits.filter((commit) => sameGroup(commit, group)).map(({ position }) => position.offset);
      deepEqual(
        offsets,
        [...new Set(offsets)].sort((a, b) => a - b),
      );
    }
    for (const { position } of told) equal(position.epoch, (this.#epoch ??= position.epoch));
  }

  async #reopen(): Promise<void> {
    await this.#readHeld();
    await this.#open.store.close();
    this.#open = await OpenStore.start(await this.#factory.reopen(() => this.now));
    this.#model.reopened();
  }

  async #readHeld(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    for (const { snapshot, items } of held) {
      const read: StoredItem[] = [];
      for await (const chunk of snapshot.chunks()) read.push(...chunk);
      snapshot.close();
      deepEqual(read, items);
    }
  }

  /** Everything that can be read says what the model says. */
  async #check(): Promise<void> {
    await this.#readHeld();
    const { store } = this.#open;
    deepEqual(await store.streams(), this.#model.streams());
    for (const stream of [...new Set(GROUPS.map((group) => group.stream)), 'nobody']) {
      deepEqual(await store.groups(stream), this.#model.groups(stream));
    }
    for (const group of [...GROUPS, UNUSED]) await this.#checkGroup(group);
    deepEqual(this.#open.breaks, []);
  }

  async #checkGroup(group: GroupRef): Promise<void> {
    const { store } = this.#open;
    const head = { offset: this.#model.offsetOf(group), timestamp: this.#model.timestampOf(group) };
    const { items, position } = await this.#open.items(group);
    const epoch = (this.#epoch ??= position.epoch);
    deepEqual([position, items], [{ epoch, offset: head.offset }, this.#model.items(group)]);
    for (const name of [...ITEMS, 'nobody']) {
      deepEqual(await store.get(group, name), {
        value: this.#model.item(group, name),
        position: { epoch, offset: head.offset },
        timestamp: head.timestamp,
      });
    }
    for (let offset = 0; offset <= head.offset; offset++) {
      deepEqual(await this.#open.changes({ epoch, offset }, group), this.#model.changesSince(group, offset));
    }
    equal(await this.#open.changes({ epoch: `${epoch}?`, offset: head.offset }, group), 'stale');
  }
}

function sameGroup(a: GroupRef, b: GroupRef): boolean {
  return a.stream === b.stream && a.group === b.group;
}

function withoutPosition(outcome: Outcome): object {
  return outcome.kind === 'applied' ? { kind: outcome.kind, old: outcome.old, new: outcome.new } : outcome;
}

function withoutCommit(expected: Expected): object {
  return expected.kind === 'applied' ? { kind: expected.kind, old: expected.old, new: expected.new } : expected;
}

const SEED = 20_261;

describe.each([
  { name: 'memory', factory: memoryFactory, numRuns: 200 },
  { name: 'lmdb', factory: () => lmdbFactory(), numRuns: 50 },
  { name: 'lmdb, relaxed', factory: () => lmdbFactory('relaxed'), numRuns: 25 },
])('a store beside its model: $name', ({ factory, numRuns }) => {
  test(`after any changes, and after it was closed and opened again, it says what the model says (seed ${SEED})`, async () => {
    let runs = 0;
    const steps = fc.array(step, { minLength: 1, maxLength: 12, size: 'max' });
    const property = fc.asyncProperty(steps, async (each) => {
      runs++;
      await Run.of(factory(), each);
    });
    await fc.assert(property, { seed: SEED, numRuns });
    expect(runs).toBe(numRuns);
  }, 120_000);
});
