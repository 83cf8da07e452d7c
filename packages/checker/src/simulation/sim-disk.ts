import type { ApplyResult, Change, Commit, GroupRef, WritableStore, Write, WriteResult } from '@rivulet/engine/stores';
import { createMemoryStore } from '@rivulet/engine/stores';
import type { ShownItem } from '../history/op.js';
import { describeState } from '../state-hash.js';
import { failRound } from './fail-round.js';
import type { VirtualTime } from './virtual-time.js';

/** One change, or several in one step. */
export type AnyWrite = Change | Write;

/** What a write did, in order, and its answer. */
export interface Written {
  readonly commits: readonly Commit[];
  readonly result: Promise<ApplyResult | WriteResult>;
}

/** What survives a crash: the memory store of the engine in the part of a disk. What is not written to it is lost. */
export class SimDisk {
  readonly #time: VirtualTime;
  readonly #retentionMs: number;
  /** Those of the write that is under way. */
  #commits: Commit[] | undefined;
  #epochs = new Map<string, string>();
  #touched = new Map<string, GroupRef>();
  store: WritableStore;
  /** Gets what the store does by itself, such as the end of items whose time is over. */
  onOwnCommit: (commit: Commit) => void = () => {};

  constructor(time: VirtualTime, retentionMs: number) {
    this.#time = time;
    this.#retentionMs = retentionMs;
    this.store = this.#open();
  }

  /** Everything on it is gone; what comes now is another history. */
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
    this.#touched.set(`${write.stream}/${write.group}`, write);
    return { commits, result };
  }

  /**
   * What a store does that keeps no events: after a crash it goes on behind all offsets that it may have given to one, so some offsets
   * name nothing.
   */
  skipOffsets(count: number): void {
    for (const { stream, group } of this.#touched.values()) {
      for (let n = 0; n < count; n++) this.write({ kind: 'event', stream, group, item: undefined, type: 'lost', data: 'null' });
    }
  }

  /** Epochs as the history names them, the same in every run of a seed. */
  epochName(epoch: string): string {
    let name = this.#epochs.get(epoch);
    if (name === undefined) {
      name = `e${this.#epochs.size + 1}`;
      this.#epochs.set(epoch, name);
    }
    return name;
  }

  /** A group as it is on the disk. */
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
    const store = createMemoryStore({ clock: this.#time, tombstoneRetentionMs: this.#retentionMs });
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
