import type {
  ApplyResult,
  Change,
  Changes,
  Commit,
  GroupRef,
  ItemRead,
  Snapshot,
  StoreEvents,
  StreamStore,
  Write,
  WriteResult,
} from '@rivulet/engine/stores';
import type { Position } from '@rivulet/protocol';

/** A store that passes every call on to another one. A bug overrides the method that it breaks. */
export class AlteredStore implements StreamStore {
  protected readonly inner: StreamStore;

  constructor(inner: StreamStore) {
    this.inner = inner;
  }

  start(events: StoreEvents): Promise<void> {
    return this.inner.start({ ...events, onCommit: (commit) => this.report(commit, (each) => events.onCommit(each)) });
  }

  apply(change: Change): Promise<ApplyResult> {
    return this.inner.apply(change);
  }

  write(write: Write): Promise<WriteResult> {
    if (this.inner.write === undefined) return Promise.reject(new Error('the store offers no writes'));
    return this.inner.write(write);
  }

  get(ref: GroupRef, item: string): Promise<ItemRead> {
    return this.inner.get(ref, item);
  }

  snapshot(ref: GroupRef): Promise<Snapshot> {
    return this.inner.snapshot(ref);
  }

  changes(ref: GroupRef, since: Position): Promise<Changes> {
    return this.inner.changes(ref, since);
  }

  groups(stream: string): Promise<readonly string[]> {
    return this.inner.groups(stream);
  }

  streams(): Promise<readonly string[]> {
    return this.inner.streams();
  }

  watch(ref: GroupRef): Promise<void> {
    return this.inner.watch(ref);
  }

  unwatch(ref: GroupRef): void {
    this.inner.unwatch(ref);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  protected report(commit: Commit, onCommit: (commit: Commit) => void): void {
    onCommit(commit);
  }
}
