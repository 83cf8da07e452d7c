import { LIMITS, type Position, type SyncReason } from '@rivulet/protocol';
import type { StreamStore } from '../../store/store.js';
import { encodeTextFrame, isFinalFrame } from '../../transport/websocket-frame.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import { ReadEndedError } from '../frames/read-ended.js';
import { SharedFrames } from '../frames/shared-frames.js';
import type { SharedTurn } from '../frames/shared-turn.js';
import type { GroupFanout } from './group-fanout.js';
import type { Subscriber } from './subscriber.js';
import type { OwedAnswer, Subscription } from './subscription.js';
import type { GroupSync, SyncCache } from './sync-cache.js';

/** What came of writing an answer: all of it, a part that counts for nothing, or nothing of it. */
export type WriteOutcome = 'whole' | 'begun' | 'nothing';

/** A `sync` ready to be written: the state of a group or an item, true at exactly one position. */
export interface Sync {
  readonly position: Position;
  /**
   * Behind `named`, the frames that say whom it is for; only who knows positions gets those. Not `whole`: the session closed, or the socket
   * was not free for so long that a newer state should be read.
   */
  writeTo(subscriber: Subscriber, named: Buffer): Promise<WriteOutcome>;
  close(): void;
}

/** The frames of large items that are on their way to clients. */
const ITEM_FRAMES = new SharedFrames();

interface SyncDeps {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly syncs: SyncCache;
  readonly turns: SharedTurn;
}

export async function readSync(sources: SyncDeps, subscription: Subscription, answer: OwedAnswer): Promise<Sync> {
  const { fanout, subscriber } = subscription;
  const reason = subscriber.positions ? answer.cause?.reason : undefined;
  if (answer.item !== undefined) return readItemSync(sources, fanout, answer.item, reason);
  // Another join of the socket may say meanwhile that it knows positions: what was begun as one message stays one.
  const parts = subscriber.positions;
  const sync = await sources.syncs.groupSync(fanout, { parts, reason }, subscription.cursor);
  const { turns } = sources;
  const writeTo = (to: Subscriber, named: Buffer) => writePieces(to, named, sync, turns);
  return { position: sync.position, writeTo, close: () => sync.close() };
}

async function readItemSync({ store, frames }: SyncDeps, fanout: GroupFanout, item: string, reason: SyncReason | undefined): Promise<Sync> {
  const read = await store.get(fanout, item);
  return {
    position: read.position,
    writeTo: async (subscriber, named) => {
      const key = JSON.stringify([fanout.stream, fanout.group, item]);
      const frame = ITEM_FRAMES.share(key, encodeTextFrame(frames.itemSync(fanout, item, read, reason)));
      return (await writeWhole(subscriber, () => (subscriber.positions ? [named, frame] : frame))) ? 'whole' : 'nothing';
    },
    close() {},
  };
}

/** Looks and writes in one step: another pump of the same socket may run whenever this one awaits. */
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

/** Whole frames that are written in one step; a function makes them then. */
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
      // Another join may have said meanwhile that the client knows positions: then the client learns whom the message is for.
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

/** False when the session closed, or the socket did not become free in time. */
async function hold(subscriber: Subscriber, pinned: boolean): Promise<boolean> {
  while (subscriber.open) {
    if (subscriber.tryLock()) return true;
    if (!pinned) await subscriber.whenChanged();
    else if (!(await changesSoon(subscriber))) return false;
  }
  return false;
}

/**
 * Waits for room for the next fragment; false when the session closed. A reader that takes nothing for `LIMITS.snapshotStallMs` is
 * closed if the store keeps a view for it: the message can't be ended early.
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

/** `writeWhole` that gives up: false also when nothing changed for `LIMITS.snapshotStallMs`. */
export async function writeSoon(subscriber: Subscriber, frames: Frames): Promise<boolean> {
  while (subscriber.open && !subscriber.ready) if (!(await changesSoon(subscriber))) return false;
  if (!subscriber.open) return false;
  writeAll(subscriber, frames);
  return true;
}

/** Waits until the socket takes more; false when it closed. */
async function readyAgain(subscriber: Subscriber): Promise<boolean> {
  while (subscriber.open && !subscriber.ready) await subscriber.whenChanged();
  return subscriber.open;
}

/** Waits until the socket takes more; false when it closed, or nothing changed for `LIMITS.snapshotStallMs`. */
async function readySoon(subscriber: Subscriber): Promise<boolean> {
  while (subscriber.open && !subscriber.ready) if (!(await changesSoon(subscriber))) return false;
  return subscriber.open;
}

/** False when nothing changed for `LIMITS.snapshotStallMs`: no time to keep a snapshot open. */
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
