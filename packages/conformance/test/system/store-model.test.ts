import { deepEqual, equal, ok } from 'node:assert/strict';
import type { StoreFactory } from '@rivulet/conformance/store-contract';
import type {
  ApplyResult,
  BoundsOf,
  Change,
  Commit,
  Expiry,
  GroupBounds,
  GroupRef,
  Snapshot,
  StoredItem,
  Write,
  WriteChange,
  WriteResult,
} from '@rivulet/engine/store';
import { RivuletError } from '@rivulet/protocol';
import { RedisServer } from '@rivulet/testkit/redis/redis-server';
import { expireNow, lmdbFactory, memoryFactory, redisFactory } from '@rivulet/testkit/stores/store-factories';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OpenStore } from '../../src/store-contract/factory.js';
import { StoreModel } from '../harness/store-model.js';
import { ModelWrites } from '../harness/store-model-writes.js';

/** Names that are equal when they are joined, and one group without writes. */
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

const MINUTE = 60_000;
/** `current`: the version of the item when the step begins. */
const condition = fc.constantFrom('absent', 'current', 'never');
const expiry: fc.Arbitrary<Expiry> = fc.constantFrom(
  { kind: 'ttl', ms: MINUTE },
  { kind: 'ttl', ms: 30 * MINUTE },
  { kind: 'held', graceMs: 5 * MINUTE },
);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const update = fc.constantFrom(...Object.values(UPDATES));
const asked = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('set' as const), item, data, condition: optional(condition), expiry: optional(expiry) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      item,
      compute: update,
      condition: optional(condition),
      expiry: optional(expiry),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), item, condition: optional(condition) }) },
);
const write = fc.record({
  kind: fc.constant('write' as const),
  ref,
  changes: fc.array(asked, { minLength: 1, maxLength: 5 }),
  batch: fc.boolean(),
  key: optional(fc.constantFrom('k', 'l')),
  fingerprint: fc.constantFrom('f', 'f', 'f', 'g'),
});
type RandomWrite = typeof write extends fc.Arbitrary<infer T> ? T : never;

type Step =
  /** Changes that are requested at once, so that they share batches. */
  | { readonly kind: 'changes'; readonly changes: readonly (Change | RandomWrite)[] }
  | { readonly kind: 'reopen' }
  /** The wall clock jumps. */
  | { readonly kind: 'clock'; readonly byMs: number }
  /** Time passes. */
  | { readonly kind: 'elapse'; readonly byMs: number }
  /** A snapshot that is opened now and read later. */
  | { readonly kind: 'hold'; readonly ref: GroupRef };

/** Redis takes a difference of a few seconds for one between the clocks of two engines, and the model does not. */
const jump = fc.integer({ min: -86_400_000, max: 86_400_000 }).map((ms) => (Math.abs(ms) < 20_000 ? ms - 40_000 : ms));

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('changes' as const),
      changes: fc.array(fc.oneof({ weight: 3, arbitrary: change }, { weight: 2, arbitrary: write }), { minLength: 1, maxLength: 12 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clock' as const), byMs: jump }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('elapse' as const), byMs: fc.integer({ min: 1, max: 20 * MINUTE }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hold' as const), ref }) },
);

const most = (...values: readonly number[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 2 });
const bounds: fc.Arbitrary<GroupBounds> = fc.record({
  maxItems: most(1, 2, 3),
  maxBytes: most(12, 40, 5_010),
  maxAgeMs: most(10 * MINUTE),
  onFull: fc.constantFrom('refuse', 'delete_oldest', 'delete_oldest'),
});

type Outcome = ApplyResult | WriteResult | { readonly kind: 'failed'; readonly code: string };
/** The monotonic clock of the stores that a factory of this test creates. */
type Elapsed = () => number;

const FIRST = 1_700_000_000_000;

/** A store and its model. */
class Run {
  readonly #factory: StoreFactory;
  readonly #model: StoreModel;
  readonly #writes: ModelWrites;
  readonly #boundsOf: BoundsOf;
  #held: { readonly snapshot: Snapshot; readonly items: readonly StoredItem[] }[] = [];
  #open: OpenStore;
  /** The epoch of each group; some stores have one for all. */
  readonly #epochs = new Map<string, string>();

  private constructor(factory: StoreFactory, open: OpenStore, boundsOf: BoundsOf) {
    this.#boundsOf = boundsOf;
    this.#model = new StoreModel(FIRST, boundsOf);
    this.#writes = new ModelWrites(this.#model);
    this.#factory = factory;
    this.#open = open;
  }

  static async of(create: (elapsed: Elapsed) => StoreFactory, steps: readonly Step[], boundsOf: BoundsOf = () => undefined): Promise<void> {
    let run: Run | undefined;
    const factory = create(() => run?.elapsed ?? 0);
    const store = await factory.create(() => run?.now ?? FIRST, boundsOf);
    run = new Run(factory, await OpenStore.start(store), boundsOf);
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

  get elapsed(): number {
    return this.#model.elapsed;
  }

  get now(): number {
    return this.#model.now;
  }

  async #take(each: Step): Promise<void> {
    if (each.kind === 'changes') return this.#apply(each.changes);
    if (each.kind === 'elapse') return this.#elapse(each.byMs);
    if (each.kind === 'clock') this.#model.now += each.byMs;
    else if (each.kind === 'hold')
      this.#held.push({ snapshot: await this.#open.store.snapshot(each.ref), items: this.#model.items(each.ref) });
    else if (this.#factory.persistent) await this.#reopen();
  }

  /** Requests all changes in one turn. Within a group they must take effect, and reach `onCommit`, in that order. */
  async #apply(changes: readonly (Change | RandomWrite)[]): Promise<void> {
    const { commits } = this.#open;
    const before = commits.length;
    for (const group of GROUPS) this.#epochOf(group, (await this.#open.store.get(group, '')).position.epoch);
    const works = changes.map((each) => (each.kind === 'write' ? this.#resolved(each, this.#epochOf(each.ref)) : each));
    const outcomes = await Promise.all(works.map((work) => this.#outcome(work)));
    const owed: Commit[] = [];
    for (const [index, work] of works.entries()) {
      const outcome = outcomes[index] as Outcome;
      if (work.kind === 'write') {
        const expected = this.#writes.write(work, this.#epochOf(work), firstOffset(outcome));
        deepEqual(outcome, expected.outcome);
        owed.push(...expected.commits);
        continue;
      }
      const epoch = this.#epochOf(work);
      const { expected, commits: more } = this.#writes.change(
        work,
        epoch,
        outcome.kind === 'applied' ? outcome.position.offset : undefined,
      );
      if (expected.kind !== 'applied' || outcome.kind !== 'applied') {
        deepEqual(outcome, expected);
        continue;
      }
      deepEqual([outcome.old, outcome.new], [expected.old, expected.new]);
      owed.push(...more);
    }
    this.#compare(before, owed);
  }

  /** Checks that the commits since `before` are the expected ones, in each group in this order. */
  #compare(before: number, owed: readonly Commit[]): void {
    const { commits } = this.#open;
    const told = commits.slice(before);
    for (const group of GROUPS) {
      deepEqual(
        told.filter((commit) => sameGroup(commit, group)).map(withoutReason),
        owed.filter((commit) => sameGroup(commit, group)),
      );
      const offsets = commits.filter((commit) => sameGroup(commit, group)).map(({ position }) => position.offset);
      deepEqual(
        offsets,
        [...new Set(offsets)].sort((a, b) => a - b),
      );
    }
    for (const commit of told) equal(commit.position.epoch, this.#epochOf(commit, commit.position.epoch));
  }

  /** The first epoch of a group must stay its epoch. */
  #epochOf({ stream, group }: GroupRef, seen?: string): string {
    const key = JSON.stringify([stream, group]);
    const epoch = this.#epochs.get(key) ?? seen;
    if (epoch === undefined) throw new Error('nobody has seen the group');
    this.#epochs.set(key, epoch);
    return epoch;
  }

  async #outcome(work: Change | Write): Promise<Outcome> {
    const { store, commits } = this.#open;
    try {
      const result = await (work.kind === 'write' ? store.write?.(work) : store.apply(work));
      if (result === undefined) throw new Error('the store has no write');
      // `onCommit` has run before.
      for (const each of result.kind === 'written' ? result.results : [result]) {
        if (each.kind !== 'applied') continue;
        const { offset } = each.position;
        ok(commits.some((commit) => sameGroup(commit, work) && commit.position.offset === offset));
      }
      return result;
    } catch (error) {
      if (!(error instanceof RivuletError)) throw error;
      return { kind: 'failed', code: error.code };
    }
  }

  #resolved({ ref: { stream, group }, changes, batch, key, fingerprint }: RandomWrite, epoch: string): Write {
    const answer = (result: object) => JSON.stringify(result);
    const once = key === undefined ? undefined : { key, fingerprint, retentionMs: 10 * MINUTE, answer };
    const resolve = ({ condition: asks, ...change }: RandomWrite['changes'][number]): WriteChange => {
      if (asks === undefined) return change;
      if (asks === 'absent') return { ...change, condition: { kind: 'absent' } };
      const item = this.#model.item({ stream, group }, change.item);
      return { ...change, condition: { kind: 'version', version: asks === 'current' ? `${epoch}:${item?.changed}` : `${epoch}:0` } };
    };
    return { kind: 'write', stream, group, changes: changes.map(resolve), batch, once };
  }

  /** Lets time pass. Exactly the expired items must be deleted, in the order of their times. */
  async #elapse(byMs: number): Promise<void> {
    const before = this.#open.commits.length;
    this.#model.now += byMs;
    this.#model.elapsed += byMs;
    await this.#expire(before);
  }

  async #expire(before: number): Promise<void> {
    await expireNow(this.#open.store);
    const owed: Commit[] = [];
    for (const group of GROUPS) {
      const due = this.#model.due(group);
      const told = this.#open.commits.slice(before).filter((commit) => sameGroup(commit, group));
      const times = told.map(({ item: name }) => due.get(name ?? '') ?? Number.NaN);
      deepEqual(
        times,
        [...due.values()].sort((a, b) => a - b),
      );
      for (const { item: name, position } of told) {
        const { stream, group: id } = group;
        const expected = this.#model.apply({ kind: 'delete', stream, group: id, item: name ?? '' }, position.offset);
        ok(expected.kind === 'applied');
        owed.push({ ...expected.commit, position });
      }
    }
    this.#compare(before, owed);
  }

  async #reopen(): Promise<void> {
    await this.#readHeld();
    await this.#open.store.close();
    this.#open = await OpenStore.start(await this.#factory.reopen(() => this.now, this.#boundsOf));
    this.#model.reopened();
    await this.#expire(0);
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

  /** Checks that all reads agree with the model. */
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
    const epoch = this.#epochOf(group, position.epoch);
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

/** Returns the commit without the reason of a delete, which the model does not know. delete-reasons.test.ts checks the reasons. */
function withoutReason(commit: Commit): Commit {
  const { deletedBy: _reason, ...rest } = commit;
  return rest;
}

function sameGroup(a: GroupRef, b: GroupRef): boolean {
  return a.stream === b.stream && a.group === b.group;
}

/** Returns the offset of the first effect of a write. */
function firstOffset(outcome: Outcome): number | undefined {
  if (outcome.kind !== 'written') return undefined;
  const first = outcome.results.find((each) => each.kind === 'applied');
  return first?.kind === 'applied' ? first.position.offset : undefined;
}

const SEED = 20_261;

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.dispose());

const STORES = [
  { name: 'memory', factory: memoryFactory, numRuns: 200, boundedRuns: 200 },
  { name: 'lmdb', factory: (elapsed: Elapsed) => lmdbFactory('commit', elapsed), numRuns: 50, boundedRuns: 20 },
  { name: 'lmdb, relaxed', factory: (elapsed: Elapsed) => lmdbFactory('relaxed', elapsed), numRuns: 25, boundedRuns: 5 },
  { name: 'redis', factory: (elapsed: Elapsed) => redisFactory(redis, elapsed), numRuns: 40, boundedRuns: 40 },
];
const steps = fc.array(step, { minLength: 1, maxLength: 12, size: 'max' });

describe.each(STORES)('a store beside its model: $name', ({ factory, numRuns, boundedRuns }) => {
  test(`after any changes, and after it was closed and opened again, it says what the model says (seed ${SEED})`, async () => {
    let runs = 0;
    const property = fc.asyncProperty(steps, async (each) => {
      runs++;
      await Run.of(factory, each);
    });
    await fc.assert(property, { seed: SEED, numRuns });
    expect(runs).toBe(numRuns);
  });

  test(`it keeps the bounds of its groups as the model does (seed ${SEED})`, async () => {
    let runs = 0;
    const property = fc.asyncProperty(bounds, steps, async (bound, each) => {
      runs++;
      await Run.of(factory, each, (stream) => (stream === 'a' || stream === '__proto__' ? bound : undefined));
    });
    await fc.assert(property, { seed: SEED, numRuns: boundedRuns });
    expect(runs).toBe(boundedRuns);
  });
});
