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
  /** Milliseconds that a commit takes, at most. */
  commitMs: number;
  /** How likely a commit fails. */
  failing: number;
  /** Milliseconds that a read takes, at most. */
  readonly readMs: number;
  /** Milliseconds between durable and reported, at most. */
  readonly reportMs: number;
}

export interface SimStoreParts {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly disk: SimDisk;
  readonly mood: StoreMood;
  readonly record: (op: NewOp) => void;
}

export interface Waiting {
  readonly change: AnyWrite;
  readonly resolve: (result: ApplyResult | WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A store as an engine sees it, over a disk that outlives the engine. It may crash between any two steps: what waits is lost, what is on
 * its way is on the disk or not, and nobody is told. Its commits enter the history when they are durable.
 */
export class SimStore implements StreamStore {
  protected readonly parts: SimStoreParts;
  protected events: StoreEvents | undefined;
  protected crashed = false;
  #queue: Waiting[] = [];
  /** What is reported when it can be reached again; `undefined`: it can. */
  #late: (() => void)[] | undefined;
  readonly #watched = new Map<string, GroupRef>();
  #underWay: readonly Waiting[] | undefined;

  constructor(parts: SimStoreParts) {
    this.parts = parts;
  }

  start(events: StoreEvents): Promise<void> {
    this.events = events;
    this.parts.disk.onOwnCommit = (commit) => {
      this.durable([commit]);
      this.#report(() => this.events?.onCommit(commit));
    };
    return Promise.resolve();
  }

  /** It is out of reach: reads fail, and of writes those that get through are reported when it is back, as those of others would be. */
  cutOff(): void {
    if (this.crashed || this.#late !== undefined) return;
    this.#late = [];
    for (const ref of this.#watched.values()) this.events?.onAvailability?.(ref, false);
  }

  back(): void {
    const late = this.#late;
    if (this.crashed || late === undefined) return;
    this.#late = undefined;
    for (const report of late) report();
    for (const ref of this.#watched.values()) this.events?.onAvailability?.(ref, true);
  }

  /** The process ends here and now. */
  crash(): void {
    this.crashed = true;
    this.events = undefined;
    this.parts.disk.onOwnCommit = (commit) => this.durable([commit]);
    const { random, disk } = this.parts;
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
    return this.#read(() => this.parts.disk.store.get(ref, item));
  }

  snapshot(ref: GroupRef): Promise<Snapshot> {
    return this.#read(async () => {
      const snapshot = await this.parts.disk.store.snapshot(ref);
      return { ...snapshot, chunks: () => this.#slowly(snapshot.chunks()), close: () => snapshot.close() };
    });
  }

  changes(ref: GroupRef, since: Position): Promise<Changes> {
    return this.#read(() => this.parts.disk.store.changes(ref, since));
  }

  groups(stream: string): Promise<readonly string[]> {
    return this.#read(() => this.parts.disk.store.groups(stream));
  }

  streams(): Promise<readonly string[]> {
    return this.#read(() => this.parts.disk.store.streams());
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

  /** Takes the time of a sync. */
  protected async sync(): Promise<void> {
    const { time, random, mood } = this.parts;
    await time.pause(random.between(0, mood.commitMs));
  }

  /** The changes are on the disk from now on. */
  protected durable(commits: readonly Commit[]): void {
    for (const { stream, group, position, effect, item, data, created } of commits) {
      this.parts.record({
        p: 'store',
        type: 'ok',
        f: 'commit',
        g: `${stream}/${group}`,
        e: this.parts.disk.epochName(position.epoch),
        s: position.offset,
        op: effect,
        ...(item === undefined ? {} : { k: item }),
        ...(effect === 'delete' ? {} : valueIn(data)),
        ...(effect === 'event' || effect === 'delete' ? {} : { created }),
      });
    }
  }

  /** One batch, from the sync to the answers. */
  protected async commit(batch: readonly Waiting[]): Promise<void> {
    const { time, random, disk, mood } = this.parts;
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

  protected answer(batch: readonly Waiting[], written: readonly Written[]): void {
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
      const batch = this.#queue.splice(0, this.parts.random.between(1, 8));
      this.#underWay = batch;
      await this.commit(batch);
    }
    this.#underWay = undefined;
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    const { time, random, mood } = this.parts;
    await time.pause(random.between(0, mood.readMs));
    if (this.#late !== undefined) throw outOfReach();
    const answer = await read();
    await time.pause(random.between(0, mood.readMs));
    return answer;
  }

  async *#slowly(chunks: AsyncIterable<readonly StoredItem[]>): AsyncIterable<readonly StoredItem[]> {
    const { time, random, mood } = this.parts;
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
