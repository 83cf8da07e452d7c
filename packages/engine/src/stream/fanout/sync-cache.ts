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

/** The frames of a group `sync`, true at exactly one position, for one reader. It must be closed. */
export interface GroupSync {
  readonly position: Position;
  /** Whether a client can begin again in the middle: the `sync` comes in parts. */
  readonly parts: boolean;
  /** Throws ReadEndedError when the reader was too slow for what is kept for it. */
  pieces(): Iterable<Buffer> | AsyncIterable<Buffer>;
  /** The engine keeps a file or a view of the store until it is closed: it must not wait for a reader for long. */
  readonly pinned: boolean;
  close(): void;
}

interface SyncCacheDeps {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly clock: Clock;
  /** Bytes in memory of everything that is built for several readers. */
  readonly budget: ByteBudget;
  /** Takes what does not fit into memory; absent: each reader reads it from the store. */
  readonly spool: Spool | undefined;
}

/** A group that was too large for memory is not tried there again for this time. */
const LARGE_MS = 60_000;

/**
 * Makes group syncs, each once for everyone who needs the same at the same time: who asks while one is built shares the next one. The engine
 * reads the store at its own speed and closes the view at once: frames are kept in memory, or in a file when they are many. One that
 * nothing has happened after is kept a moment for those who join later.
 */
export class SyncCache {
  readonly #deps: SyncCacheDeps;
  readonly #rounds = new CoalescedReads<Built | undefined>();
  /** Syncs that are kept for the next reader, by group and shape. */
  readonly #kept = new Map<GroupFanout, Map<string, Built>>();
  /** Groups whose `sync` is too large for memory, and until when that is believed, in monotonic milliseconds. */
  readonly #large = new WeakMap<GroupFanout, number>();

  constructor(sources: SyncCacheDeps) {
    this.#deps = sources;
  }

  /** Not older than `atLeast`, the position of a reader that may be ahead of the log. */
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

  /** Keeps nothing of a group any longer; who reads one goes on. */
  forget(fanout: GroupFanout): void {
    for (const built of this.#kept.get(fanout)?.values() ?? []) built.drop();
    this.#kept.delete(fanout);
  }

  /** Drops what nobody reads or what is out of date; the hub calls it each second. */
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

  /** `undefined`: there is room for it nowhere. */
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
    // Everyone who waits for this build takes it in this turn.
    const taken = built.lend(shape.parts);
    setImmediate(() => taken.close());
    if (fanout.history !== history || snapshot.external === true) {
      built.drop();
      return built;
    }
    this.#keep(fanout, key, built);
    return built;
  }

  /** In memory while there is room, then all of it in a file. Throws ReadEndedError when neither has room. */
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

  /** Read from the store at the speed of one reader, for a short time. */
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

/** Finished frames, in memory or in a file. */
interface Held {
  readonly pinned: boolean;
  pieces(): Iterable<Buffer> | AsyncIterable<Buffer>;
  giveBack(): void;
}

/** Finished frames that many readers share. They are given back when they are kept no longer and nobody reads them. */
class Built {
  readonly position: Position;
  /** The group's history that the position is of. */
  readonly #history: number;
  readonly #held: Held;
  #readers = 0;
  #kept = true;
  #given = false;

  constructor(made: { readonly position: Position; readonly history: number; readonly held: Held }) {
    this.position = made.position;
    this.#history = made.history;
    this.#held = made.held;
  }

  get isRead(): boolean {
    return this.#readers > 0;
  }

  /** Nothing has happened to the group since it was built. */
  isCurrent(fanout: GroupFanout): boolean {
    return this.#history === fanout.history && this.position.offset >= fanout.log.head;
  }

  lend(parts: boolean): GroupSync {
    this.#readers++;
    let open = true;
    return {
      position: this.position,
      parts,
      pieces: () => this.#held.pieces(),
      pinned: this.#held.pinned,
      close: () => {
        if (open) this.#readers--;
        open = false;
        this.#settle();
      },
    };
  }

  drop(): void {
    this.#kept = false;
    this.#settle();
  }

  #settle(): void {
    if (this.#kept || this.#readers > 0 || this.#given) return;
    this.#given = true;
    this.#held.giveBack();
  }
}
