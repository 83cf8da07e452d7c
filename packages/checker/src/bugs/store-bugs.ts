import type { ChangeEntry, Changes, Commit, GroupRef, Snapshot, StoredItem, StreamStore, Write, WriteResult } from '@rivulet/engine/stores';
import type { Position } from '@rivulet/protocol';
import { RivuletError } from '@rivulet/protocol';
import { type QueuedWrite, SimStore } from '../simulation/sim-store.js';
import { AlteredStore } from './altered-store.js';
import { type Bug, bug, onceIn } from './bug.js';

class AcksEarly extends SimStore {
  protected override async commit(batch: readonly QueuedWrite[]): Promise<void> {
    const written = batch.map(({ change }) => this.deps.disk.write(change));
    this.answer(batch, written);
    await this.sync();
    if (this.crashed) return;
    for (const { commits } of written) this.durable(commits);
    for (const { commits } of written) for (const commit of commits) this.events?.onCommit(commit);
  }
}

class ShowsEarly extends SimStore {
  protected override async commit(batch: readonly QueuedWrite[]): Promise<void> {
    const written = batch.map(({ change }) => this.deps.disk.write(change));
    for (const { commits } of written) for (const commit of commits) this.events?.onCommit(commit);
    await this.sync();
    if (this.crashed) return;
    for (const { commits } of written) this.durable(commits);
    this.answer(batch, written);
  }
}

class ShowsFailed extends SimStore {
  readonly #strikes = onceIn(5);

  protected override async commit(batch: readonly QueuedWrite[]): Promise<void> {
    if (!this.#strikes()) return super.commit(batch);
    await this.sync();
    if (this.crashed) return;
    for (const { change, reject } of batch) {
      const { commits } = this.deps.disk.write(change);
      this.durable(commits);
      for (const commit of commits) this.events?.onCommit(commit);
      reject(new RivuletError('STORE_UNAVAILABLE', 'the commit failed'));
    }
  }
}

/** Acknowledges a write that it does not apply. */
class AcksNothing extends AlteredStore {
  readonly #strikes = onceIn(15);

  override async write(write: Write): Promise<WriteResult> {
    const [change] = write.changes;
    if (change?.kind !== 'set' || write.batch || !this.#strikes()) return super.write(write);
    const { position } = await this.inner.get(write, change.item);
    const next = { ...position, offset: position.offset + 1 };
    return { kind: 'written', results: [{ kind: 'applied', old: undefined, new: change.data, position: next }] };
  }
}

class AltersWrites extends AlteredStore {
  readonly #before: (write: Write) => Write;
  readonly #after: (result: WriteResult) => WriteResult;

  constructor(inner: StreamStore, alter: { before?: (write: Write) => Write; after?: (result: WriteResult) => WriteResult }) {
    super(inner);
    this.#before = alter.before ?? ((write) => write);
    this.#after = alter.after ?? ((result) => result);
  }

  override async write(write: Write): Promise<WriteResult> {
    return this.#after(await super.write(this.#before(write)));
  }
}

function earlier(result: WriteResult): WriteResult {
  if (result.kind !== 'written') return result;
  return {
    ...result,
    results: result.results.map((each) =>
      each.kind === 'applied' && each.position.offset > 2
        ? { ...each, position: { ...each.position, offset: each.position.offset - 2 } }
        : each,
    ),
  };
}

/** Applies the writes of a batch one by one. */
class TearsBatches extends AlteredStore {
  override async write(write: Write): Promise<WriteResult> {
    if (!write.batch) return super.write(write);
    const results: WriteResult[] = [];
    for (const change of write.changes) results.push(await super.write({ ...write, changes: [change], batch: false, once: undefined }));
    return { kind: 'written', results: results.flatMap((result) => (result.kind === 'written' ? result.results : [])) };
  }
}

class AltersReports extends AlteredStore {
  readonly #alter: (commit: Commit) => readonly Commit[];

  constructor(inner: StreamStore, alter: (commit: Commit) => readonly Commit[]) {
    super(inner);
    this.#alter = alter;
  }

  protected override report(commit: Commit, onCommit: (commit: Commit) => void): void {
    for (const each of this.#alter(commit)) onCommit(each);
  }
}

class AltersSnapshots extends AlteredStore {
  readonly #alter: (snapshot: Snapshot) => Partial<Snapshot>;

  constructor(inner: StreamStore, alter: (snapshot: Snapshot) => Partial<Snapshot>) {
    super(inner);
    this.#alter = alter;
  }

  override async snapshot(ref: GroupRef): Promise<Snapshot> {
    const snapshot = await super.snapshot(ref);
    return { ...snapshot, chunks: () => snapshot.chunks(), close: () => snapshot.close(), ...this.#alter(snapshot) };
  }
}

class AltersChanges extends AlteredStore {
  readonly #alter: (entries: readonly ChangeEntry[]) => readonly ChangeEntry[];

  constructor(inner: StreamStore, alter: (entries: readonly ChangeEntry[]) => readonly ChangeEntry[]) {
    super(inner);
    this.#alter = alter;
  }

  override async changes(ref: GroupRef, since: Position): Promise<Changes> {
    const changes = await super.changes(ref, since);
    if (changes.kind === 'stale') return changes;
    return { ...changes, chunks: () => mapped(changes.chunks(), this.#alter), close: () => changes.close() };
  }
}

/** Answers a position of any epoch as if it were of the newest epoch. */
class ForgivesEpochs extends AlteredStore {
  override async changes(ref: GroupRef, since: Position): Promise<Changes> {
    const changes = await super.changes(ref, since);
    if (changes.kind !== 'stale' || changes.reason !== 'epoch') return changes;
    const { position } = await this.inner.snapshot(ref);
    return super.changes(ref, { ...position, offset: Math.min(since.offset, position.offset) });
  }
}

/** Forgets its deletes. A position below its floor gets the answer that no item was deleted. */
class ForgetsFloor extends AlteredStore {
  override async changes(ref: GroupRef, since: Position): Promise<Changes> {
    const changes = await super.changes(ref, since);
    if (changes.kind !== 'stale' || changes.reason !== 'floor') return changes;
    const { position, timestamp } = await this.inner.snapshot(ref);
    return { kind: 'changes', position, timestamp, chunks: () => nothing(), close() {} };
  }
}

/** Begins to watch a group only after the snapshot, so that it never reports the commits in between. */
class WatchesLate extends AlteredStore {
  readonly #missed = new Map<string, number>();

  override watch(ref: GroupRef): Promise<void> {
    this.#missed.set(`${ref.stream}/${ref.group}`, 2);
    return super.watch(ref);
  }

  protected override report(commit: Commit, onCommit: (commit: Commit) => void): void {
    const key = `${commit.stream}/${commit.group}`;
    const left = this.#missed.get(key) ?? 0;
    if (left === 0) onCommit(commit);
    else this.#missed.set(key, left - 1);
  }
}

async function* mapped<T>(chunks: AsyncIterable<readonly T[]>, map: (chunk: readonly T[]) => readonly T[]): AsyncIterable<readonly T[]> {
  for await (const chunk of chunks) yield map(chunk);
}

async function* nothing<T>(): AsyncIterable<readonly T[]> {}

function shifted({ position }: Snapshot, by: number): Partial<Snapshot> {
  return { position: { ...position, offset: Math.max(0, position.offset + by) } };
}

/** Continues after each start with offsets that it has already used. */
function reusing(): (store: StreamStore) => StreamStore {
  let starts = 0;
  return (store) => {
    const by = 2 * starts++;
    const back = (offset: number) => Math.max(0, offset - by);
    const moved = (position: Position) => ({ ...position, offset: back(position.offset) });
    return new AltersSnapshots(new AltersReports(store, (commit) => [{ ...commit, position: moved(commit.position) }]), ({ position }) => ({
      position: moved(position),
    }));
  };
}

function dropOne(items: readonly StoredItem[]): readonly StoredItem[] {
  return items.length > 1 ? items.slice(1) : items;
}

export const STORE_BUGS: readonly Bug[] = [
  bug('ack-before-durable', 'I10', 'a write is acknowledged before it is on the disk', () => ({
    simStore: (deps) => new AcksEarly(deps),
  })),
  bug('show-before-durable', 'I10', 'a change is shown before it is on the disk', () => ({ simStore: (deps) => new ShowsEarly(deps) })),
  bug('failed-write-visible', 'I9', 'a failed write is applied', () => ({
    simStore: (deps) => new ShowsFailed(deps),
  })),
  bug('ack-without-write', 'I1', 'a write is acknowledged and not applied', () => ({ store: (store) => new AcksNothing(store) })),
  bug('answer-of-another-write', 'I3', 'a write is answered with the offset of an earlier one', () => {
    const strikes = onceIn(6);
    return { store: (store) => new AltersWrites(store, { after: (result) => (strikes() ? earlier(result) : result) }) };
  }),
  bug('key-forgotten', 'I6', 'a write under a used idempotency key is applied again', () => ({
    store: (store) => new AltersWrites(store, { before: (write) => ({ ...write, once: undefined }) }),
  })),
  bug('batch-torn', 'I7', 'the writes of a batch are applied one by one', () => ({ store: (store) => new TearsBatches(store) })),
  bug('offsets-reused-after-crash', 'I2', 'offsets are used again after a crash', () => ({ store: reusing() })),
  bug('last-offset-again-as-new', 'I6', 'a change is published again under the next offset', () => {
    const strikes = onceIn(9);
    const again = (commit: Commit) => ({
      ...commit,
      position: { ...commit.position, offset: commit.position.offset + 1 },
      timestamp: commit.timestamp + 1,
    });
    return { store: (store) => new AltersReports(store, (commit) => (strikes() ? [commit, again(commit)] : [commit])) };
  }),
  bug('timestamps-go-back', 'I5', 'the clock of a group goes back', () => {
    let now = 2_000_000_000_000;
    return { store: (store) => new AltersReports(store, (commit) => [{ ...commit, timestamp: now-- }]) };
  }),
  bug('update-as-create', 'I2', 'an update is published as a creation', () => ({
    store: (store) => new AltersReports(store, (commit) => [commit.effect === 'update' ? { ...commit, effect: 'create' } : commit]),
  })),
  bug('snapshot-stamped-late', 'I7', 'a snapshot is stamped with a later offset than its content', () => ({
    store: (store) => new AltersSnapshots(store, (snapshot) => shifted(snapshot, 1)),
  })),
  bug('snapshot-stamped-early', 'I7', 'a snapshot is stamped with an earlier offset than its content', () => ({
    store: (store) => new AltersSnapshots(store, (snapshot) => shifted(snapshot, -1)),
  })),
  bug('snapshot-misses-item', 'I7', 'the first item of a snapshot is left out', () => ({
    store: (store) => new AltersSnapshots(store, (snapshot) => ({ chunks: () => mapped(snapshot.chunks(), dropOne) })),
  })),
  bug('snapshot-out-of-order', 'I7', 'the items of a snapshot are not in the order of creation', () => ({
    store: (store) =>
      new AltersSnapshots(store, (snapshot) => ({ chunks: () => mapped(snapshot.chunks(), (chunk) => [...chunk].reverse()) })),
  })),
  bug('tombstones-lost-in-changes', 'I7', 'compacted changes leave out deletes', () => ({
    store: (store) => new AltersChanges(store, (entries) => entries.filter(({ kind }) => kind === 'item')),
  })),
  bug('changes-miss-newest', 'I7', 'compacted changes leave out the newest entry', () => ({
    store: (store) => new AltersChanges(store, (entries) => entries.slice(0, -1)),
  })),
  bug('changes-as-created-now', 'I7', 'compacted changes give the last change of an item as its creation', () => ({
    store: (store) => new AltersChanges(store, (entries) => entries.map((entry) => ({ ...entry, created: entry.changed }))),
  })),
  bug('snapshot-before-watch', 'I8', 'the watch of a group begins after its snapshot', () => ({
    store: (store) => new WatchesLate(store),
  })),
  bug('foreign-epoch-accepted', 'I4', 'a position of another epoch is served as if it were of this one', () => ({
    store: (store) => new ForgivesEpochs(store),
  })),
  bug('floor-ignored', 'I7', 'a position below the oldest tombstone is answered with changes', () => ({
    store: (store) => new ForgetsFloor(store),
  })),
];
