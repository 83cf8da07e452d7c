import { LIMITS, type Position } from '@rivulet/protocol';
import type { StreamStore } from '../../store/store.js';
import { encodeTextFrame } from '../../transport/websocket-frame.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import { ReadEndedError } from '../frames/read-ended.js';
import { SharedFrames } from '../frames/shared-frames.js';
import type { SharedTurn } from '../frames/shared-turn.js';
import type { GroupFanout } from './group-fanout.js';
import type { Subscriber, Subscription, SyncTarget } from './subscription.js';
import type { GroupSync, SyncBuilder } from './sync-cache.js';

/** What came of writing an answer: all of it, a part that counts for nothing, or nothing of it. */
export type Written = 'whole' | 'begun' | 'nothing';

/** A `sync` ready to be written: the state of a group or an item, true at exactly one position. */
export interface Sync {
  readonly position: Position;
  /**
   * Behind `named`, the frames that say whom it is for; only who knows positions gets those. Not `whole`: the session closed, or the socket
   * was not free for so long that a newer state should be read.
   */
  writeTo(subscriber: Subscriber, named: Buffer): Promise<Written>;
  close(): void;
}

/** The frames of large items that are on their way to clients. */
const ITEM_FRAMES = new SharedFrames();

interface Sources {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly syncs: SyncBuilder;
  readonly turns: SharedTurn;
}

export async function readSync(sources: Sources, subscription: Subscription, target: SyncTarget): Promise<Sync> {
  const { fanout, subscriber } = subscription;
  const reason = subscriber.positions ? target.reason : undefined;
  if (target.item !== undefined) return readItemSync(sources, fanout, target.item, reason);
  // Another join of the socket may say meanwhile that it knows positions: what was begun as one message stays one.
  const parts = subscriber.positions;
  const sync = await sources.syncs.groupSync(fanout, { parts, reason }, subscription.cursor);
  const { turns } = sources;
  const writeTo = (to: Subscriber, named: Buffer) => (parts ? writeParts(to, named, sync, turns) : writeMessage(to, named, sync, turns));
  return { position: sync.position, writeTo, close: () => sync.close() };
}

async function readItemSync({ store, frames }: Sources, fanout: GroupFanout, item: string, reason: SyncTarget['reason']): Promise<Sync> {
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

/** Each part stands for itself: other frames of the socket may come between, and a reader that takes nothing is asked to begin again. */
async function writeParts(subscriber: Subscriber, named: Buffer, sync: GroupSync, turns: SharedTurn): Promise<Written> {
  if (!(await (sync.pinned ? writeSoon(subscriber, named) : writeWhole(subscriber, named)))) return 'nothing';
  const pieces = iterate(sync.pieces());
  try {
    // A piece is read when the socket has room for it, so a reader that stalls holds none.
    while (await (sync.pinned ? readySoon(subscriber) : readyAgain(subscriber))) {
      const next = await pieces.next();
      if (next.done === true) return 'whole';
      await turns.take(next.value.frame.length);
      if (!(await writeWhole(subscriber, next.value.frame))) return 'begun';
    }
    return 'begun';
  } catch (error) {
    if (error instanceof ReadEndedError) return 'begun';
    throw error;
  } finally {
    await pieces.return?.();
  }
}

/**
 * One message, whose fragments hold the socket: nothing else may be written between them. Another join may have said meanwhile that the client
 * knows positions: then it is told whom the message is for.
 */
async function writeMessage(subscriber: Subscriber, named: Buffer, sync: GroupSync, turns: SharedTurn): Promise<Written> {
  const pieces = iterate(sync.pieces());
  let holds = false;
  try {
    for (;;) {
      if (holds && !(await hasRoom(subscriber, sync.pinned))) return 'begun';
      // The holder is alone with the socket: it keeps its room while it waits below.
      const next = await pieces.next();
      if (next.done === true) return 'whole';
      const { frame, whole } = next.value;
      await turns.take(frame.length);
      if (whole) {
        const message = () => (subscriber.positions ? Buffer.concat([named, frame]) : frame);
        return (await writeWhole(subscriber, message)) ? 'whole' : 'nothing';
      }
      if (!holds) {
        holds = await hold(subscriber, sync.pinned);
        if (!holds) return 'nothing';
        if (subscriber.positions) subscriber.write(named);
      }
      subscriber.write(frame);
    }
  } catch (error) {
    const ended = error instanceof ReadEndedError;
    // A message of which a part was sent can't be ended early.
    if (holds || ended) subscriber.fail(ended ? 'tryLater' : 'internal');
    if (ended) return holds ? 'begun' : 'nothing';
    throw error;
  } finally {
    if (holds) subscriber.release();
    await pieces.return?.();
  }
}

function iterate<T>(source: Iterable<T> | AsyncIterable<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/** False when the session closed, or the socket did not become free in time. */
async function hold(subscriber: Subscriber, pinned: boolean): Promise<boolean> {
  while (subscriber.open) {
    if (subscriber.tryHold()) return true;
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
export async function readySoon(subscriber: Subscriber): Promise<boolean> {
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
