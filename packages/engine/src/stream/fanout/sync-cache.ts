import { LIMITS, type Position } from '@rivulet/protocol';
import type { StreamStore } from '../../store/store.js';
import type { ByteBudget } from '../../structures/byte-budget.js';
import type { Clock } from '../../structures/clock.js';
import { CoalescedReads } from '../../structures/coalesced-reads.js';
import { BriefRead } from '../frames/brief-read.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import { ReadEndedError } from '../frames/read-ended.js';
import type { Spool } from '../frames/spool.js';
import type { SpooledFrames } from '../frames/spooled-frames.js';
import { renderGroupSync, type SyncShape } from '../frames/sync-frames.js';
import type { GroupFanout } from './group-fanout.js';
import { SharedMemory } from './shared-memory.js';

/** The frames of a group `sync` for one reader. The state is true at exactly one position. The reader must close it. */
export interface GroupSync {
  readonly position: Position;
  /** Whether a client can begin again in the middle: the `sync` comes in parts. */
  readonly parts: boolean;
  /** Returns WebSocket frames, as `renderGroupSync` does. Throws ReadEndedError when the reader is too slow for the file or the view. */
  pieces(): Iterable<Buffer> | AsyncIterable<Buffer>;
  /** Whether a file or a view of the store is kept until `close`. Then the caller must not wait for its reader for long. */
  readonly pinned: boolean;
  close(): void;
}

interface SyncCacheDeps {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly clock: Clock;
  /** Bytes in memory of all answers that several readers share. */
  readonly budget: ByteBudget;
  /** Takes the answers that do not fit into memory. Without it each reader reads them from the store. */
  readonly spool: Spool | undefined;
}

/** Milliseconds after which the engine tries again whether a large group fits into memory. */
const LARGE_MS = 60_000;

/**
 * Builds each group `sync` once for all readers that need the same one at the same time. A reader that asks during a build shares the next
 * build, so an answer is never older than its question. The engine reads the store at its own speed, then closes the view. It keeps the
 * frames in memory, or in a file when they are many. Later joins share them until something changes.
 */
export class SyncCache {
  readonly #deps: SyncCacheDeps;
  readonly #rounds = new CoalescedReads<Built | undefined>();
  /** Builds that are kept for the next reader, by group and shape. */
  readonly #kept = new Map<GroupFanout, Map<string, Built>>();
  /** Groups whose `sync` is too large for memory, each with the monotonic time in milliseconds until which that is assumed. */
  readonly #large = new WeakMap<GroupFanout, number>();

  constructor(sources: SyncCacheDeps) {
    this.#deps = sources;
  }

  /** Returns a `sync` that is not older than `atLeast`, the offset of the reader: it may be ahead of the log. */
  async groupSync(fanout: GroupFanout, shape: SyncShape, atLeast: number): Promise<GroupSync> {
    const key = `${shape.parts ? 'parts' : 'message'} ${shape.reason ?? ''}`;
    const kept = this.#kept.get(fanout)?.get(key);
    if (kept?.isCurrent(fanout) === true && kept.position.offset >= atLeast) return kept.lend(shape.parts);
    if (!this.#isLarge(fanout) || this.#deps.spool?.isFull === false) {
      const built = await this.#rounds.run(`${fanout.stream}\u0000${fanout.group}`, key, () => this.#build(fanout, shape, key));
      if (built !== undefined) return built.lend(shape.parts);
    }
    return this.#streamed(fanout, shape);
  }

  /** Keeps no build of a group any longer. Its present readers go on. */
  forget(fanout: GroupFanout): void {
    for (const built of this.#kept.get(fanout)?.values() ?? []) built.drop();
    this.#kept.delete(fanout);
  }

  /** Drops builds that nobody reads or that are out of date. The hub calls it each second. */
  tidy(): void {
    for (const [fanout, shapes] of this.#kept) {
      for (const [key, built] of shapes) {
        if (built.isRead && built.isCurrent(fanout)) continue;
        built.drop();
        shapes.delete(key);
      }
      if (shapes.size === 0) this.#kept.delete(fanout);
    }
  }

  #keep(fanout: GroupFanout, key: string, built: Built): void {
    let shapes = this.#kept.get(fanout);
    if (shapes === undefined) {
      shapes = new Map();
      this.#kept.set(fanout, shapes);
    }
    shapes.get(key)?.drop();
    shapes.set(key, built);
  }

  #isLarge(fanout: GroupFanout): boolean {
    return (this.#large.get(fanout) ?? 0) > this.#deps.clock.monotonic();
  }

  /** Returns `undefined` when neither memory nor the spool has room. */
  async #build(fanout: GroupFanout, shape: SyncShape, key: string): Promise<Built | undefined> {
    const { history } = fanout;
    const snapshot = await this.#deps.store.snapshot(fanout);
    let held: Held;
    try {
      held = await this.#hold(fanout, renderGroupSync(this.#deps.frames, fanout, snapshot, shape));
    } catch (error) {
      if (error instanceof ReadEndedError) return undefined;
      throw error;
    } finally {
      snapshot.close();
    }
    const built = new Built({ position: snapshot.position, history, held });
    // All readers that wait for this build take it in this turn.
    const taken = built.lend(shape.parts);
    setImmediate(() => taken.close());
    if (fanout.history !== history || snapshot.external === true) {
      built.drop();
      return built;
    }
    this.#keep(fanout, key, built);
    return built;
  }

  /** Collects the frames in memory while there is room, and then all of them in a file. Throws ReadEndedError when neither has room. */
  async #hold(fanout: GroupFanout, source: AsyncIterable<Buffer>): Promise<Held> {
    const { budget, spool, clock } = this.#deps;
    let pieces: Buffer[] = [];
    let bytes = 0;
    let file: SpooledFrames | undefined;
    let done = false;
    const giveBack = () => {
      budget.give(bytes);
      bytes = 0;
    };
    try {
      for await (const piece of source) {
        const more = piece.length;
        if (file === undefined && !this.#isLarge(fanout) && bytes + more <= LIMITS.builtSyncBytes && budget.take(more)) {
          bytes += more;
          pieces.push(piece);
          continue;
        }
        if (file === undefined) {
          this.#large.set(fanout, clock.monotonic() + LARGE_MS);
          if (spool === undefined) throw new ReadEndedError('there is no room for it in memory');
          file = await spool.open();
          for (const frame of pieces) await file.add(frame);
          pieces = [];
          giveBack();
        }
        await file.add(piece);
      }
      await file?.seal();
      done = true;
    } finally {
      if (!done) {
        file?.close();
        giveBack();
      }
    }
    if (file === undefined) return { pinned: false, pieces: () => pieces, giveBack };
    const frames = file;
    return { pinned: true, pieces: () => spooledPieces(frames), giveBack: () => frames.close() };
  }

  /** Reads the store at the speed of one reader, for a short time. */
  async #streamed(fanout: GroupFanout, shape: SyncShape): Promise<GroupSync> {
    const snapshot = await this.#deps.store.snapshot(fanout, 'reader');
    const read = new BriefRead(() => snapshot.close());
    return {
      position: snapshot.position,
      parts: shape.parts,
      pieces: () => read.pieces(renderGroupSync(this.#deps.frames, fanout, snapshot, shape)),
      pinned: true,
      close: () => read.close(),
    };
  }
}

async function* spooledPieces(frames: SpooledFrames): AsyncIterable<Buffer> {
  for (let index = 0; index < frames.length; index++) yield await frames.read(index);
}

/** Finished frames in memory or in a file. */
interface Held {
  readonly pinned: boolean;
  pieces(): Iterable<Buffer> | AsyncIterable<Buffer>;
  giveBack(): void;
}

/** Finished frames that many readers share. They are given back when the cache keeps them no longer and nobody reads them. */
class Built {
  readonly position: Position;
  /** History of the group that the position belongs to. */
  readonly #history: number;
  readonly #held: Held;
  readonly #memory: SharedMemory;

  constructor(made: { readonly position: Position; readonly history: number; readonly held: Held }) {
    this.position = made.position;
    this.#history = made.history;
    this.#held = made.held;
    this.#memory = new SharedMemory(() => made.held.giveBack());
  }

  get isRead(): boolean {
    return this.#memory.isRead;
  }

  /** Returns whether nothing has happened to the group since the build. */
  isCurrent(fanout: GroupFanout): boolean {
    return this.#history === fanout.history && this.position.offset >= fanout.log.head;
  }

  lend(parts: boolean): GroupSync {
    return {
      position: this.position,
      parts,
      pieces: () => this.#held.pieces(),
      pinned: this.#held.pinned,
      close: this.#memory.lend(),
    };
  }

  drop(): void {
    this.#memory.drop();
  }
}
