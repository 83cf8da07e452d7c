import { tmpdir } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import type { Position } from '@rivulet/protocol';
import { silentLogger } from '../src/logging/logger.js';
import type { ChangeEntry, Changes, Commit, StoredItem, StreamStore } from '../src/store/store.js';
import { Hub } from '../src/stream/fanout/hub.js';
import type { Subscriber } from '../src/stream/fanout/subscriber.js';
import { FrameEncoder } from '../src/stream/frames/frame-encoder.js';
import { Spool } from '../src/stream/frames/spool.js';
import { type Clock, systemClock } from '../src/structures/clock.js';

export const REF = { stream: 's', group: 'g' };
/** A join of the whole group. */
export const GROUP = { subscriptionId: 's1', item: undefined, since: undefined };
/** The items of a group of 20 MB. Its `sync` does not fit into memory, so without a spool each reader has a snapshot of its own. */
export const LARGE = Array.from({ length: 200 }, (_, n) => ({ item: `i${n}`, data: `"${'x'.repeat(100_000)}"`, created: n, changed: n }));

/** A socket that takes everything, or nothing while `hasRoom` is false. */
export class Socket implements Subscriber {
  readonly written: string[] = [];
  readonly failures: string[] = [];
  open = true;
  positions = false;
  hasRoom = true;
  #held = false;
  #waiting: (() => void)[] = [];

  get ready(): boolean {
    return this.hasRoom && !this.#held;
  }

  write(frames: Buffer): void {
    this.written.push(frames.toString('latin1'));
  }

  tryLock(): boolean {
    if (!this.ready) return false;
    this.#held = true;
    return true;
  }

  unlock(): void {
    this.#held = false;
    this.drain();
  }

  fail(because: string): void {
    this.failures.push(because);
    this.open = false;
    this.drain();
  }

  whenChanged(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  drain(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** A hub over a store with the history that the test sets. */
export class World {
  readonly socket = new Socket();
  readonly hub: Hub;
  readonly spool: Spool | undefined;
  offset = 100;
  epoch = 'e';
  items: StoredItem[] = [];
  openSnapshots = 0;
  failWatches = 0;
  /** False: changes are flushed at the end of the turn, and not at once. */
  flushes = true;
  /** Entries of the compacted history in offset order; `undefined`: the store remembers no deletes. */
  entries: readonly ChangeEntry[] | undefined;
  /** Offset below which `changes` returns `stale`. */
  floor = 0;
  /** The offset of each call of `changes`. */
  readonly changesSince: number[] = [];
  openChanges = 0;
  onSnapshot: () => void = () => {};
  onGet: () => void = () => {};
  /** Runs after the items of a snapshot were read. */
  fails: () => void = () => {};
  readonly #frames = new FrameEncoder(systemClock, false);

  /** `spoolBytes`: bytes of the files for answers that do not fit into memory. Without it there are no files. */
  constructor(logMaxChanges = 1_000, spoolBytes?: number, clock: Clock = systemClock) {
    const store = {
      watch: () => (this.failWatches-- > 0 ? Promise.reject(new Error('not now')) : Promise.resolve()),
      unwatch() {},
      get: (_ref: unknown, item: string) => {
        this.onGet();
        return Promise.resolve({
          value: { item, data: '1', created: 1, changed: 1 },
          position: { epoch: this.epoch, offset: this.offset },
          timestamp: 1,
        });
      },
      changes: (_ref: unknown, since: Position) => Promise.resolve(this.#changes(since)),
      snapshot: () => {
        const { items, fails } = this;
        this.openSnapshots++;
        this.onSnapshot();
        return Promise.resolve({
          position: { epoch: this.epoch, offset: this.offset },
          timestamp: 1,
          chunks: async function* (this: void) {
            yield items;
            fails();
          },
          close: () => this.openSnapshots--,
        });
      },
    } as unknown as StreamStore;
    const limits = { logMaxChanges, logMaxAgeMs: 1e6, logMaxBytes: 1e9 };
    const common = { clock, logger: silentLogger };
    if (spoolBytes !== undefined) this.spool = new Spool({ directory: tmpdir(), most: spoolBytes, ...common });
    this.hub = new Hub({ store, frames: this.#frames, limits, ...common, ...(this.spool === undefined ? {} : { spool: this.spool }) });
  }

  #changes(since: Position): Changes {
    this.changesSince.push(since.offset);
    const { entries, epoch, offset } = this;
    if (since.epoch !== epoch) return { kind: 'stale', reason: 'epoch' };
    if (entries === undefined || since.offset < this.floor) return { kind: 'stale', reason: 'floor' };
    this.openChanges++;
    const newer = entries.filter(({ changed }) => changed > since.offset);
    return {
      kind: 'changes',
      position: { epoch, offset },
      timestamp: 1,
      chunks: async function* () {
        for (let at = 0; at < newer.length; at += 256) {
          await setImmediate();
          yield newer.slice(at, at + 256);
        }
      },
      close: () => this.openChanges--,
    };
  }

  publish(offset: number, item = 'i'): void {
    this.offset = offset;
    const commit: Commit = {
      ...REF,
      item,
      effect: 'update',
      position: { epoch: this.epoch, offset },
      timestamp: offset,
      created: 1,
      data: String(offset),
      old: undefined,
      eventType: undefined,
    };
    this.hub.publish(commit, this.#frames.change(commit));
    if (this.flushes) this.hub.flush();
  }
}

/** Resolves when everything has run that waits for neither a socket nor a timer. */
export async function settled(turns = 10): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await setImmediate();
}
