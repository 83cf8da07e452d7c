import { LIMITS, type Position, type SyncReason } from '@rivulet/protocol';
import type { StreamStore } from '../../store/store.js';
import type { TurnBudget } from '../../structures/turn-budget.js';
import { encodeTextFrame, isFinalFrame } from '../../transport/websocket-frame.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import { ReadEndedError } from '../frames/read-ended.js';
import { SharedFrames } from '../frames/shared-frames.js';
import type { SharedTurn } from '../frames/shared-turn.js';
import type { GroupFanout } from './group-fanout.js';
import type { Subscriber } from './subscriber.js';
import type { OwedAnswer, Subscription } from './subscription.js';
import type { GroupSync, SyncCache } from './sync-cache.js';

/** The result of writing an answer: all of it, only its beginning, or nothing. A beginning counts for nothing at the client. */
export type WriteOutcome = 'whole' | 'begun' | 'nothing';

/** A `sync` that is ready to be written: the state of a group or an item, true at exactly one position. */
export interface Sync {
  readonly position: Position;
  /**
   * Writes the `sync`. `named`: the `syncing` frames, which precede it for a position-aware client. The result is not `whole` when the
   * session closed, or when the socket stayed busy until a newer state should be read.
   */
  writeTo(subscriber: Subscriber, named: Buffer): Promise<WriteOutcome>;
  close(): void;
}

/** Frames of large items that sockets have not taken yet. */
const ITEM_FRAMES = new SharedFrames();

interface SyncDeps {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly syncs: SyncCache;
  readonly turns: SharedTurn;
  /** Spreads the encoding of large items over turns of the event loop. */
  readonly encoding: TurnBudget;
}

export async function readSync(sources: SyncDeps, subscription: Subscription, answer: OwedAnswer): Promise<Sync> {
  const { fanout, subscriber } = subscription;
  const reason = subscriber.positions ? answer.cause?.reason : undefined;
  if (answer.item !== undefined) return readItemSync(sources, fanout, answer.item, reason);
  // Read once: another join of the socket may make the client position-aware meanwhile, and a message that was begun stays one message.
  const parts = subscriber.positions;
  const sync = await sources.syncs.groupSync(fanout, { parts, reason }, subscription.cursor);
  const { turns } = sources;
  const writeTo = (to: Subscriber, named: Buffer) => writePieces(to, named, sync, turns);
  return { position: sync.position, writeTo, close: () => sync.close() };
}

async function readItemSync(
  { store, frames, encoding }: SyncDeps,
  fanout: GroupFanout,
  item: string,
  reason: SyncReason | undefined,
): Promise<Sync> {
  await encoding.free();
  const read = await store.get(fanout, item);
  return {
    position: read.position,
    writeTo: async (subscriber, named) => {
      const key = JSON.stringify([fanout.stream, fanout.group, item]);
      await encoding.pay(read.value?.data.length ?? 0);
      const frame = ITEM_FRAMES.share(key, encodeTextFrame(frames.itemSync(fanout, item, read, reason)));
      return (await writeWhole(subscriber, () => (subscriber.positions ? [named, frame] : frame))) ? 'whole' : 'nothing';
    },
    close() {},
  };
}

/**
 * Writes whole frames when the socket takes them. Returns false when it closed before. Check and write are one step, because another pump
 * of the same socket may run at each `await`.
 */
export async function writeWhole(subscriber: Subscriber, frames: Frames): Promise<boolean> {
  while (subscriber.open) {
    if (subscriber.ready) {
      writeAll(subscriber, frames);
      return true;
    }
    await subscriber.whenChanged();
  }
  return false;
}

/** Whole frames that are written in one step. A function returns them at the moment of writing. */
type Frames = Buffer | readonly Buffer[] | (() => Buffer | readonly Buffer[]);

function writeAll(subscriber: Subscriber, frames: Frames): void {
  if (typeof frames === 'function') writeAll(subscriber, frames());
  else if (Buffer.isBuffer(frames)) subscriber.write(frames);
  else for (const each of frames) subscriber.write(each);
}

/**
 * Writes the frames of a group `sync`. Between two messages other frames of the socket may come. While a message of several fragments is
 * under way, it holds the socket, since nothing else may be written between its fragments.
 */
async function writePieces(subscriber: Subscriber, named: Buffer, sync: GroupSync, turns: SharedTurn): Promise<WriteOutcome> {
  const { pinned } = sync;
  const pieces = iterate(sync.pieces());
  let begun = false;
  let holds = false;
  const ended = (): WriteOutcome => (begun ? 'begun' : 'nothing');
  try {
    for (;;) {
      // A piece is read when the socket has room for it, so that a reader that stalls owns none.
      const free = await (holds ? hasRoom(subscriber, pinned) : (pinned ? readySoon : readyAgain)(subscriber));
      if (!free) return ended();
      const next = await pieces.next();
      if (next.done === true) return 'whole';
      const frame = next.value;
      await turns.take(frame.length);
      // A function: another join may make the client position-aware until the frame is written.
      const written = () => (begun || !subscriber.positions ? frame : [named, frame]);
      if (holds) {
        subscriber.write(frame);
      } else if (isFinalFrame(frame)) {
        if (!(await (pinned ? writeSoon : writeWhole)(subscriber, written))) return ended();
      } else {
        holds = await hold(subscriber, pinned);
        if (!holds) return ended();
        writeAll(subscriber, written);
      }
      begun = true;
      if (holds && isFinalFrame(frame)) {
        holds = false;
        subscriber.unlock();
      }
    }
  } catch (error) {
    const isEnded = error instanceof ReadEndedError;
    // Without parts the client can't begin again. A message of which a fragment was sent can't be ended early.
    if (holds || (isEnded && !sync.parts)) subscriber.fail(isEnded ? 'tryLater' : 'internal');
    if (isEnded) return ended();
    throw error;
  } finally {
    if (holds) subscriber.unlock();
    await pieces.return?.();
  }
}

function iterate<T>(source: Iterable<T> | AsyncIterable<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/** Locks the socket. Returns false when the session closed, or the socket was not free in time. */
async function hold(subscriber: Subscriber, pinned: boolean): Promise<boolean> {
  while (subscriber.open) {
    if (subscriber.tryLock()) return true;
    if (!pinned) await subscriber.whenChanged();
    else if (!(await changesSoon(subscriber))) return false;
  }
  return false;
}

/**
 * Waits for room for the next fragment. Returns false when the session closed. Closes a reader of a pinned answer that takes nothing for
 * `LIMITS.snapshotStallMs`, because a message that was begun can't be ended early.
 */
async function hasRoom(subscriber: Subscriber, pinned: boolean): Promise<boolean> {
  while (subscriber.open && !subscriber.hasRoom) {
    if (!pinned) await subscriber.whenChanged();
    else if (!(await changesSoon(subscriber))) {
      subscriber.fail('tryLater');
      return false;
    }
  }
  return subscriber.open;
}

/** Writes as `writeWhole`, but returns false also when the socket took nothing for `LIMITS.snapshotStallMs`. */
export async function writeSoon(subscriber: Subscriber, frames: Frames): Promise<boolean> {
  while (subscriber.open && !subscriber.ready) if (!(await changesSoon(subscriber))) return false;
  if (!subscriber.open) return false;
  writeAll(subscriber, frames);
  return true;
}

/** Waits until the socket takes more. Returns false when it closed. */
async function readyAgain(subscriber: Subscriber): Promise<boolean> {
  while (subscriber.open && !subscriber.ready) await subscriber.whenChanged();
  return subscriber.open;
}

/** Waits until the socket takes more. Returns false when it closed, or took nothing for `LIMITS.snapshotStallMs`. */
async function readySoon(subscriber: Subscriber): Promise<boolean> {
  while (subscriber.open && !subscriber.ready) if (!(await changesSoon(subscriber))) return false;
  return subscriber.open;
}

/** Waits for a change of the socket. Returns false after `LIMITS.snapshotStallMs` without one. */
export async function changesSoon(subscriber: Subscriber): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), LIMITS.snapshotStallMs);
  });
  try {
    return await Promise.race([subscriber.whenChanged().then(() => true), stalled]);
  } finally {
    clearTimeout(timer);
  }
}
