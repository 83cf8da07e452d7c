import { LIMITS, type Position, type SyncReason } from '@rivulet/protocol';
import type { Changes, StreamStore } from '../../store/store.js';
import type { ByteBudget } from '../../structures/byte-budget.js';
import type { Clock } from '../../structures/clock.js';
import { BriefRead } from '../frames/brief-read.js';
import { bytesOf, CompactedBlock, type Entry, type EntryFilter, encodeEntry } from '../frames/compacted-block.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { Spool } from '../frames/spool.js';
import type { SpooledFrames } from '../frames/spooled-frames.js';
import { type GroupFanout, SEGMENT_BYTES } from './group-fanout.js';
import { SharedMemory } from './shared-memory.js';

/** The changed items of a group since one cursor, each once. They are true at exactly one position. The reader must close it. */
export interface GroupChanges {
  readonly kind: 'changes';
  readonly position: Position;
  /** Returns frames in offset order, in pieces of about `SEGMENT_BYTES`. */
  pieces(filter: EntryFilter): Iterable<Buffer> | AsyncIterable<Buffer>;
  /** Whether a file or a view of the store is kept until `close`. Then the caller must not wait for its reader for long. */
  readonly pinned: boolean;
  close(): void;
}

export type ChangesRead = { readonly kind: 'stale'; readonly reason: SyncReason } | GroupChanges;

interface SharedChangesDeps {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly clock: Clock;
  /** Bytes in memory of all answers that several readers share. */
  readonly budget: ByteBudget;
  /** Takes the answers that do not fit into memory. Without it each reader reads them from the store. */
  readonly spool: Spool | undefined;
}

interface WaitingCursor {
  readonly since: Position;
  readonly resolve: (read: ChangesRead | Promise<ChangesRead>) => void;
  readonly reject: (error: unknown) => void;
}

/** Milliseconds after which the engine tries again whether an answer is small enough to be shared. */
const LARGE_MS = 60_000;

/**
 * Reads the changes of a group once for all cursors. A read starts at the oldest cursor that waits, and later cursors take the end of it.
 * A cursor that arrives while a read runs waits for the next read, so an answer is never older than its question. The answer is kept for
 * a moment and serves until something changes. An answer that is too large to be kept is read by each reader for itself.
 */
export class SharedChanges {
  readonly #deps: SharedChangesDeps;
  /** Cursors that wait for the next read of a group; present while a read of the group runs. */
  readonly #lines = new Map<GroupFanout, WaitingCursor[]>();
  readonly #kept = new Map<GroupFanout, BuiltChanges>();
  /** Offsets up to which cursors get too much to share it. `until`: monotonic milliseconds until which that is assumed. */
  readonly #large = new WeakMap<GroupFanout, { readonly from: number; readonly until: number }>();

  constructor(sources: SharedChangesDeps) {
    this.#deps = sources;
  }

  read(fanout: GroupFanout, since: Position): Promise<ChangesRead> {
    const kept = this.#kept.get(fanout);
    if (kept?.serves(fanout, since) === true) return Promise.resolve(kept.lend(since));
    const large = this.#large.get(fanout);
    if (large !== undefined && since.offset <= large.from && large.until > this.#deps.clock.monotonic())
      return this.#streamed(fanout, since);
    return new Promise((resolve, reject) => {
      const waiting = { since, resolve, reject };
      const line = this.#lines.get(fanout);
      if (line !== undefined) line.push(waiting);
      else this.#serveLine(fanout, [waiting]).catch(reject);
    });
  }

  /** Keeps no answer of a group any longer. Its present readers go on. */
  forget(fanout: GroupFanout): void {
    this.#kept.get(fanout)?.drop();
    this.#kept.delete(fanout);
  }

  /** Drops answers that nobody reads or that are out of date. The hub calls it each second. */
  tidy(): void {
    for (const [fanout, built] of this.#kept) if (!built.isRead || !built.isCurrent(fanout)) this.forget(fanout);
  }

  async #serveLine(fanout: GroupFanout, line: WaitingCursor[]): Promise<void> {
    this.#lines.set(fanout, line);
    try {
      while (line.length > 0) await this.#serve(fanout, line.splice(0));
    } finally {
      this.#lines.delete(fanout);
    }
  }

  /** Settles each of `cursors`, also when a read fails. */
  async #serve(fanout: GroupFanout, cursors: readonly WaitingCursor[]): Promise<void> {
    const byEpoch = new Map<string, WaitingCursor[]>();
    for (const waiting of cursors) {
      const { epoch } = waiting.since;
      const same = byEpoch.get(epoch);
      if (same === undefined) byEpoch.set(epoch, [waiting]);
      else same.push(waiting);
    }
    for (const same of byEpoch.values()) {
      try {
        await this.#serveEpoch(fanout, same);
      } catch (error) {
        // Some may be settled already; then `reject` changes nothing.
        for (const { reject } of same) reject(error);
      }
    }
  }

  async #serveEpoch(fanout: GroupFanout, same: readonly WaitingCursor[]): Promise<void> {
    let rest = same.toSorted((a, b) => a.since.offset - b.since.offset);
    for (let oldest = rest[0]; oldest !== undefined; oldest = rest[0]) {
      const { since } = oldest;
      const built = await this.#build(fanout, since);
      if (built.kind === 'changes') {
        for (const waiting of rest) waiting.resolve(built.lend(waiting.since));
        built.begun();
        return;
      }
      // Newer cursors may be above the floor, or get less.
      let served =
        built.kind === 'stale' && built.reason !== 'floor' ? rest.length : rest.findIndex((other) => other.since.offset > since.offset);
      if (served === -1) served = rest.length;
      if (built.kind === 'large') served = Math.max(served, rest.length >> 1);
      for (const { since: cursor, resolve } of rest.slice(0, served))
        resolve(built.kind === 'stale' ? built : this.#streamed(fanout, cursor));
      rest = rest.slice(served);
    }
  }

  async #build(fanout: GroupFanout, since: Position): Promise<BuiltChanges | { readonly kind: 'large' } | StaleRead> {
    const { store, frames, budget, clock } = this.#deps;
    const { history } = fanout;
    const changes = await store.changes(fanout, since);
    if (changes.kind === 'stale') return changes;
    const { position, timestamp } = changes;
    const blocks: CompactedBlock[] = [];
    let entries: Entry[] = [];
    let blockBytes = 0;
    let bytes = 0;
    let whole = false;
    try {
      for await (const chunk of changes.chunks()) {
        for (const change of chunk) {
          const entry = encodeEntry(frames, fanout, change, since.offset, timestamp);
          const more = bytesOf(entry);
          if (bytes + more > LIMITS.builtSyncBytes || !budget.take(more)) {
            this.#large.set(fanout, { from: since.offset, until: clock.monotonic() + LARGE_MS });
            return { kind: 'large' };
          }
          bytes += more;
          if (blockBytes > 0 && blockBytes + entry.frame.length > SEGMENT_BYTES) {
            blocks.push(new CompactedBlock(entries));
            entries = [];
            blockBytes = 0;
          }
          entries.push(entry);
          blockBytes += entry.frame.length;
        }
      }
      whole = true;
    } finally {
      changes.close();
      if (!whole) budget.give(bytes);
    }
    if (entries.length > 0) blocks.push(new CompactedBlock(entries));
    const built = new BuiltChanges({ position, from: since.offset, history, blocks }, () => budget.give(bytes));
    this.forget(fanout);
    if (fanout.history === history) this.#kept.set(fanout, built);
    else built.drop();
    return built;
  }

  /** Reads for one cursor: the engine writes all changes to a file, or the reader reads the store itself for a short time. */
  async #streamed(fanout: GroupFanout, since: Position): Promise<ChangesRead> {
    const { store, spool } = this.#deps;
    const spools = spool !== undefined && !spool.isFull;
    const changes = await store.changes(fanout, since, spools ? 'engine' : 'reader');
    if (changes.kind === 'stale') return changes;
    const { position } = changes;
    if (position.offset < since.offset) {
      changes.close();
      return AHEAD;
    }
    const read = new BriefRead(() => changes.close());
    const rendered = (filter: EntryFilter) => read.pieces(this.#render(fanout, since, changes, filter));
    if (!spools) return { kind: 'changes', position, pinned: true, pieces: rendered, close: () => read.close() };
    let file: SpooledFrames | undefined;
    return {
      kind: 'changes',
      position,
      pinned: true,
      async *pieces(filter) {
        file = await spool.open();
        for await (const piece of rendered(filter)) await file.add(piece);
        await file.seal();
        read.close();
        for (let index = 0; index < file.length; index++) yield await file.read(index);
      },
      close: () => {
        read.close();
        file?.close();
      },
    };
  }

  async *#render(fanout: GroupFanout, since: Position, changes: OpenChanges, filter: EntryFilter): AsyncIterable<Buffer> {
    let pending: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of changes.chunks()) {
      for (const entry of chunk) {
        if (!filter.wantsAll && !filter.wants(entry.item)) continue;
        const { frame } = encodeEntry(this.#deps.frames, fanout, entry, since.offset, changes.timestamp);
        if (bytes > 0 && bytes + frame.length > SEGMENT_BYTES) {
          yield Buffer.concat(pending);
          pending = [];
          bytes = 0;
        }
        pending.push(frame);
        bytes += frame.length;
      }
    }
    if (bytes > 0) yield Buffer.concat(pending);
  }
}

type OpenChanges = Extract<Changes, { kind: 'changes' }>;
type StaleRead = Extract<ChangesRead, { kind: 'stale' }>;

const AHEAD: StaleRead = { kind: 'stale', reason: 'ahead' };

interface BuiltChangesData {
  readonly position: Position;
  /** Cursors at or after this offset are served. */
  readonly from: number;
  /** History of the group that the position belongs to. */
  readonly history: number;
  readonly blocks: readonly CompactedBlock[];
}

/**
 * Finished frames for all cursors between two offsets. Their bytes are given back when the cache keeps them no longer and nobody reads
 * them.
 */
class BuiltChanges {
  readonly kind = 'changes';
  readonly #made: BuiltChangesData;
  readonly #memory: SharedMemory;
  /** Ends the part of the builder, who counts as a reader until every waiting cursor has its answer. */
  readonly begun: () => void;

  constructor(made: BuiltChangesData, giveBack: () => void) {
    this.#made = made;
    this.#memory = new SharedMemory(giveBack);
    this.begun = this.#memory.lend();
  }

  get isRead(): boolean {
    return this.#memory.isRead;
  }

  isCurrent(fanout: GroupFanout): boolean {
    return this.#made.history === fanout.history && this.#made.position.offset >= fanout.log.head;
  }

  serves(fanout: GroupFanout, since: Position): boolean {
    const { position, from } = this.#made;
    return this.isCurrent(fanout) && since.epoch === position.epoch && since.offset >= from && since.offset <= position.offset;
  }

  lend(since: Position): ChangesRead {
    const { position, blocks } = this.#made;
    if (since.offset > position.offset) return AHEAD;
    return {
      kind: 'changes',
      position,
      pinned: false,
      pieces: (filter) => piecesOf(blocks, since.offset, filter),
      close: this.#memory.lend(),
    };
  }

  drop(): void {
    this.#memory.drop();
  }
}

function* piecesOf(blocks: readonly CompactedBlock[], since: number, filter: EntryFilter): Iterable<Buffer> {
  for (let index = firstAfter(blocks, since); index < blocks.length; index++) {
    const piece = blocks[index]?.framesFor(since, filter);
    if (piece !== undefined) yield piece;
  }
}

/** Returns the index of the first block that ends after `since`. */
function firstAfter(blocks: readonly CompactedBlock[], since: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((blocks[middle]?.last ?? 0) > since) high = middle;
    else low = middle + 1;
  }
  return low;
}
