import type { ApplyResult, BoundsOf, Change, Commit, GroupRef, WritableStore, Write, WriteResult } from '@rivulet/engine/stores';
import { createMemoryStore } from '@rivulet/engine/stores';
import type { ShownItem } from '../history/op.js';
import { describeState } from '../state-hash.js';
import { failRound } from './fail-round.js';
import type { VirtualTime } from './virtual-time.js';

/** One change, or several that are applied in one step. */
export type AnyWrite = Change | Write;

/** The effects of a write in their order, and its answer. */
export interface Written {
  readonly commits: readonly Commit[];
  readonly result: Promise<ApplyResult | WriteResult>;
}

/** The state that survives a crash. The memory store of the engine plays the disk. Data that was never written to it is lost. */
export class SimDisk {
  readonly #time: VirtualTime;
  readonly #retentionMs: number;
  readonly #boundsOf: BoundsOf;
  /** Commits of the write that is being applied. */
  #commits: Commit[] | undefined;
  #epochs = new Map<string, string>();
  #touched = new Map<string, GroupRef>();
  store: WritableStore;
  /** Receives commits that the store makes on its own, such as the expiry of items. */
  onOwnCommit: (commit: Commit) => void = () => {};

  constructor(time: VirtualTime, retentionMs: number, boundsOf: BoundsOf) {
    this.#boundsOf = boundsOf;
    this.#time = time;
    this.#retentionMs = retentionMs;
    this.store = this.#open();
  }

  /** Removes all data. Later writes belong to a new epoch. */
  wipe(): void {
    this.store.close().catch(failRound);
    this.#touched = new Map();
    this.store = this.#open();
  }

  write(write: AnyWrite): Written {
    const commits: Commit[] = [];
    this.#commits = commits;
    const result = write.kind === 'write' ? this.store.write(write) : this.store.apply(write);
    this.#commits = undefined;
    // A crash may leave nobody who reads the result, and a full group rejects it.
    result.catch(() => {});
    this.#touched.set(`${write.stream}/${write.group}`, write);
    return { commits, result };
  }

  /**
   * Skips offsets, as a store does that keeps no events. After a crash it continues above all offsets that events may have had, so some
   * offsets identify no change.
   */
  skipOffsets(count: number): void {
    for (const { stream, group } of this.#touched.values()) {
      for (let n = 0; n < count; n++) this.write({ kind: 'event', stream, group, item: undefined, type: 'lost', data: 'null' });
    }
  }

  /** Returns the name of an epoch in the history, which is the same in every run of a seed. */
  epochName(epoch: string): string {
    let name = this.#epochs.get(epoch);
    if (name === undefined) {
      name = `e${this.#epochs.size + 1}`;
      this.#epochs.set(epoch, name);
    }
    return name;
  }

  /** Returns a group as it is on the disk. */
  async scan(ref: GroupRef) {
    const snapshot = await this.store.snapshot(ref);
    const items: ShownItem[] = [];
    const changed: number[] = [];
    for await (const chunk of snapshot.chunks()) {
      for (const item of chunk) {
        const { v } = JSON.parse(item.data) as { readonly v: string };
        items.push([item.item, v, item.created]);
        changed.push(item.changed);
      }
    }
    snapshot.close();
    return { e: this.epochName(snapshot.position.epoch), s: snapshot.position.offset, ...describeState(items), items, changed };
  }

  #open(): WritableStore {
    const store = createMemoryStore({ clock: this.#time, tombstoneRetentionMs: this.#retentionMs, boundsOf: this.#boundsOf });
    const started = store.start({
      onCommit: (commit) => {
        if (this.#commits === undefined) this.onOwnCommit(commit);
        else this.#commits.push(commit);
      },
      onBreak: () => {},
    });
    started.catch(failRound);
    return store;
  }
}
