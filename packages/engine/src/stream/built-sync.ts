import { LIMITS, type Position } from '@rivulet/protocol';
import type { Snapshot, StreamStore } from '../store/store.js';
import type { ByteBudget } from '../structures/byte-budget.js';
import type { Clock } from '../structures/clock.js';
import { Rounds } from '../structures/rounds.js';
import type { FrameEncoder } from './frame-encoder.js';
import type { GroupFanout } from './group-fanout.js';
import { type Piece, renderGroupSync, type SyncShape } from './sync-frames.js';

/** The frames of a group `sync`, true at exactly one position, for one reader. It must be closed. */
export interface GroupSync {
  readonly position: Position;
  pieces(): Iterable<Piece> | AsyncIterable<Piece>;
  /** The store keeps its view until it is closed: it must not wait for a reader for long. */
  readonly pinned: boolean;
  close(): void;
}

/** A group that is too large now is not tried again for so long. */
const LARGE_MS = 60_000;

/** What a group keeps of what was built, by shape. */
export type BuiltSyncs = Map<string, Built>;

/**
 * Makes group syncs, each once for everyone who needs the same at the same time: who asks while one is built shares the next one. One that
 * nothing has happened after is kept a moment for those who join later. What is too large to keep is read by each reader for itself.
 */
export class SyncBuilder {
  readonly #store: StreamStore;
  readonly #frames: FrameEncoder;
  readonly #rounds = new Rounds<Built | undefined>();
  readonly #budget: ByteBudget;
  /** Groups of which something is kept. */
  readonly #keeping = new Set<GroupFanout>();
  /** Groups whose `sync` is too large to keep, and until when that is believed, in monotonic milliseconds. */
  readonly #large = new WeakMap<GroupFanout, number>();
  readonly #clock: Clock;

  /** `budget`: bytes of everything that is built for several readers. */
  constructor(store: StreamStore, frames: FrameEncoder, clock: Clock, budget: ByteBudget) {
    this.#budget = budget;
    this.#store = store;
    this.#frames = frames;
    this.#clock = clock;
  }

  /** Not older than `atLeast`, the position of a reader that may be ahead of the log. */
  async groupSync(fanout: GroupFanout, shape: SyncShape, atLeast: number): Promise<GroupSync> {
    const key = `${shape.parts ? 'parts' : 'message'} ${shape.reason ?? ''}`;
    const kept = fanout.built?.get(key);
    if (kept !== undefined && kept.history === fanout.history && kept.position.offset >= Math.max(fanout.log.head, atLeast))
      return kept.lend();
    if ((this.#large.get(fanout) ?? 0) <= this.#clock.monotonic()) {
      const built = await this.#rounds.run(`${fanout.stream}\u0000${fanout.group}`, key, () => this.#build(fanout, shape, key));
      if (built !== undefined) return built.lend();
    }
    return this.#streamed(fanout, shape);
  }

  /** Keeps nothing of a group any longer; who reads one goes on. */
  forget(fanout: GroupFanout): void {
    this.#keeping.delete(fanout);
    for (const built of fanout.built?.values() ?? []) built.drop();
    fanout.built = undefined;
  }

  /** What was kept for those who join later; the hub calls it each second. */
  forgetAll(): void {
    for (const fanout of Array.from(this.#keeping)) this.forget(fanout);
  }

  /** `undefined`: it is too large to be kept. */
  async #build(fanout: GroupFanout, shape: SyncShape, key: string): Promise<Built | undefined> {
    const { history } = fanout;
    const snapshot = await this.#store.snapshot(fanout);
    const pieces: Piece[] = [];
    let bytes = 0;
    let kept = false;
    try {
      for await (const piece of renderGroupSync(this.#frames, fanout, snapshot, shape)) {
        const more = piece.frame.length;
        if (bytes + more > LIMITS.builtSyncBytes || !this.#budget.take(more)) {
          this.#large.set(fanout, this.#clock.monotonic() + LARGE_MS);
          return undefined;
        }
        bytes += more;
        pieces.push(piece);
      }
      kept = true;
    } finally {
      snapshot.close();
      if (!kept) this.#budget.give(bytes);
    }
    const built = new Built({ position: snapshot.position, history, pieces }, () => this.#budget.give(bytes));
    if (fanout.history !== history || snapshot.external === true) {
      built.drop();
      return built;
    }
    fanout.built?.get(key)?.drop();
    fanout.built ??= new Map();
    fanout.built.set(key, built);
    this.#keeping.add(fanout);
    return built;
  }

  async #streamed(fanout: GroupFanout, shape: SyncShape): Promise<GroupSync> {
    const snapshot: Snapshot = await this.#store.snapshot(fanout);
    return {
      position: snapshot.position,
      pieces: () => renderGroupSync(this.#frames, fanout, snapshot, shape),
      pinned: true,
      close: () => snapshot.close(),
    };
  }
}

/** Finished frames that many readers share. Their bytes are given back when it is kept no longer and nobody reads it. */
class Built {
  readonly position: Position;
  /** The group's history that the position is of. */
  readonly history: number;
  readonly #pieces: readonly Piece[];
  readonly #giveBack: () => void;
  #readers = 0;
  #kept = true;
  #given = false;

  constructor(made: { readonly position: Position; readonly history: number; readonly pieces: readonly Piece[] }, giveBack: () => void) {
    this.position = made.position;
    this.history = made.history;
    this.#pieces = made.pieces;
    this.#giveBack = giveBack;
  }

  lend(): GroupSync {
    this.#readers++;
    let open = true;
    return {
      position: this.position,
      pieces: () => this.#pieces,
      pinned: false,
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

  /** Of those who waited for it together, the first may be done before the last begins: its bytes count once all the same. */
  #settle(): void {
    if (this.#kept || this.#readers > 0 || this.#given) return;
    this.#given = true;
    this.#giveBack();
  }
}
