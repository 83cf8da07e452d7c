import type {
  ApplyResult,
  Change,
  Changes,
  Commit,
  GroupRef,
  ItemRead,
  Snapshot,
  StoredItem,
  StoreEvents,
  StreamStore,
  Write,
  WriteResult,
} from '@rivulet/engine/stores';
import { type Position, RivuletError } from '@rivulet/protocol';
import type { Random } from '@rivulet/testkit/random';
import type { NewOp } from '../history/op.js';
import { failRound } from './fail-round.js';
import type { AnyWrite, SimDisk, Written } from './sim-disk.js';
import type { VirtualTime } from './virtual-time.js';

export interface StoreMood {
  /** Longest time of a commit, in milliseconds. */
  commitMs: number;
  /** Probability that a commit fails. */
  failing: number;
  /** Longest time of a read, in milliseconds. */
  readonly readMs: number;
  /** Longest time between a durable commit and its report, in milliseconds. */
  readonly reportMs: number;
}

export interface SimStoreDeps {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly disk: SimDisk;
  readonly mood: StoreMood;
  readonly record: (op: NewOp) => void;
}

export interface QueuedWrite {
  readonly change: AnyWrite;
  readonly resolve: (result: ApplyResult | WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A store over a simulated disk, which outlives the engine. The store may crash between any two steps. Then queued writes are lost, and
 * writes in flight may or may not be on the disk. It adds commits to the history when they become durable.
 */
export class SimStore implements StreamStore {
  protected readonly deps: SimStoreDeps;
  protected events: StoreEvents | undefined;
  protected crashed = false;
  #queue: QueuedWrite[] = [];
  /** Reports that wait until the store is available again; undefined while it is available. */
  #late: (() => void)[] | undefined;
  readonly #watched = new Map<string, GroupRef>();
  #underWay: readonly QueuedWrite[] | undefined;

  constructor(deps: SimStoreDeps) {
    this.deps = deps;
  }

  start(events: StoreEvents): Promise<void> {
    this.events = events;
    this.deps.disk.onOwnCommit = (commit) => {
      this.durable([commit]);
      this.#report(() => this.events?.onCommit(commit));
    };
    return Promise.resolve();
  }

  /** Makes the store unavailable. Reads fail. Writes that succeed are reported when the store is available again. */
  becomeUnavailable(): void {
    if (this.crashed || this.#late !== undefined) return;
    this.#late = [];
    for (const ref of this.#watched.values()) this.events?.onAvailability?.(ref, false);
  }

  becomeAvailable(): void {
    const late = this.#late;
    if (this.crashed || late === undefined) return;
    this.#late = undefined;
    for (const report of late) report();
    for (const ref of this.#watched.values()) this.events?.onAvailability?.(ref, true);
  }

  /** Ends the process at this step. */
  crash(): void {
    this.crashed = true;
    this.events = undefined;
    this.deps.disk.onOwnCommit = (commit) => this.durable([commit]);
    const { random, disk } = this.deps;
    if (this.#underWay !== undefined && random.chance(0.5))
      for (const { change } of this.#underWay) this.durable(disk.write(change).commits);
    this.#queue = [];
  }

  async apply(change: Change): Promise<ApplyResult> {
    const result = await this.#inLine(change);
    if (result.kind !== 'applied' && result.kind !== 'unchanged') throw new Error('a change is answered as a write');
    return result;
  }

  async write(write: Write): Promise<WriteResult> {
    const result = await this.#inLine(write);
    if (result.kind === 'applied' || result.kind === 'unchanged') throw new Error('a write is answered as a change');
    return result;
  }

  get(ref: GroupRef, item: string): Promise<ItemRead> {
    return this.#read(() => this.deps.disk.store.get(ref, item));
  }

  snapshot(ref: GroupRef): Promise<Snapshot> {
    return this.#read(async () => {
      const snapshot = await this.deps.disk.store.snapshot(ref);
      return { ...snapshot, chunks: () => this.#slowly(snapshot.chunks()), close: () => snapshot.close() };
    });
  }

  changes(ref: GroupRef, since: Position): Promise<Changes> {
    return this.#read(() => this.deps.disk.store.changes(ref, since));
  }

  groups(stream: string): Promise<readonly string[]> {
    return this.#read(() => this.deps.disk.store.groups(stream));
  }

  streams(): Promise<readonly string[]> {
    return this.#read(() => this.deps.disk.store.streams());
  }

  watch(ref: GroupRef): Promise<void> {
    if (this.#late !== undefined) return Promise.reject(outOfReach());
    this.#watched.set(`${ref.stream}/${ref.group}`, ref);
    return Promise.resolve();
  }

  unwatch({ stream, group }: GroupRef): void {
    this.#watched.delete(`${stream}/${group}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Waits as long as a sync takes. */
  protected async sync(): Promise<void> {
    const { time, random, mood } = this.deps;
    await time.pause(random.between(0, mood.commitMs));
  }

  /** Records the commits, which are on the disk from now on. */
  protected durable(commits: readonly Commit[]): void {
    for (const { stream, group, position, effect, item, data, created } of commits) {
      this.deps.record({
        p: 'store',
        type: 'ok',
        f: 'commit',
        g: `${stream}/${group}`,
        e: this.deps.disk.epochName(position.epoch),
        s: position.offset,
        op: effect,
        ...(item === undefined ? {} : { k: item }),
        ...(effect === 'delete' ? {} : valueIn(data)),
        ...(effect === 'event' || effect === 'delete' ? {} : { created }),
      });
    }
  }

  /** Commits one batch, from the sync to the answers. */
  protected async commit(batch: readonly QueuedWrite[]): Promise<void> {
    const { time, random, disk, mood } = this.deps;
    await this.sync();
    if (this.crashed) return;
    if (random.chance(this.#late === undefined ? mood.failing : 0.5)) {
      for (const { reject } of batch) reject(new RivuletError('STORE_UNAVAILABLE', 'the commit failed'));
      return;
    }
    const written = batch.map(({ change }) => disk.write(change));
    for (const { commits } of written) this.durable(commits);
    this.#underWay = [];
    if (mood.reportMs > 0) await time.pause(random.between(0, mood.reportMs));
    if (this.crashed) return;
    this.#report(() => {
      for (const { commits } of written) for (const commit of commits) this.events?.onCommit(commit);
      this.answer(batch, written);
    });
  }

  #report(report: () => void): void {
    if (this.#late === undefined) report();
    else this.#late.push(report);
  }

  protected answer(batch: readonly QueuedWrite[], written: readonly Written[]): void {
    for (const [index, { resolve, reject }] of batch.entries()) written[index]?.result.then(resolve, reject);
  }

  #inLine(change: AnyWrite): Promise<ApplyResult | WriteResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, resolve, reject });
      if (this.#underWay === undefined) this.#write().catch(failRound);
    });
  }

  async #write(): Promise<void> {
    this.#underWay = [];
    await Promise.resolve();
    while (this.#queue.length > 0 && !this.crashed) {
      const batch = this.#queue.splice(0, this.deps.random.between(1, 8));
      this.#underWay = batch;
      await this.commit(batch);
    }
    this.#underWay = undefined;
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    const { time, random, mood } = this.deps;
    await time.pause(random.between(0, mood.readMs));
    if (this.#late !== undefined) throw outOfReach();
    const answer = await read();
    await time.pause(random.between(0, mood.readMs));
    return answer;
  }

  async *#slowly(chunks: AsyncIterable<readonly StoredItem[]>): AsyncIterable<readonly StoredItem[]> {
    const { time, random, mood } = this.deps;
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += 16) {
        yield chunk.slice(at, at + 16);
        if (random.chance(0.3)) await time.pause(random.between(0, mood.readMs));
      }
    }
  }
}

function outOfReach(): RivuletError {
  return new RivuletError('STORE_UNAVAILABLE', 'the store is unavailable');
}

function valueIn(data: string): { readonly v?: string } {
  const value: unknown = JSON.parse(data);
  const v = typeof value === 'object' && value !== null && 'v' in value ? value.v : undefined;
  return typeof v === 'string' ? { v } : {};
}
