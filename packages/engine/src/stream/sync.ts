import { LIMITS } from '@rivulet/protocol';
import type { Snapshot, StreamStore } from '../store/store.js';
import { encodeTextFragment, encodeTextFrame } from '../structures/websocket-frame.js';
import type { FrameEncoder } from './frame-encoder.js';
import type { GroupFanout } from './group-fanout.js';
import type { Subscriber, Subscription, SyncTarget } from './subscription.js';

/** A `sync` ready to be written: the state of a group or an item, true at exactly one offset. */
export interface Sync {
  readonly offset: number;
  /**
   * Writes one message; in fragments, each when the socket has room, if it is large. False when it was not written: the session closed, or
   * the socket was not free for so long that a newer state should be read.
   */
  writeTo(subscription: Subscription): Promise<boolean>;
  close(): void;
}

/** Characters after which a fragment is sent. */
const FRAGMENT_CHARS = 32_768;
/** A group `sync` up to this size is kept for the next joiner while the group does not change. */
const SHARED_BYTES = 65_536;

export async function readSync(store: StreamStore, frames: FrameEncoder, fanout: GroupFanout, target: SyncTarget): Promise<Sync> {
  if (target.item !== undefined) return readItemSync(store, frames, fanout, target.item);
  const shared = fanout.sharedSync;
  if (shared !== undefined && fanout.log.begun && shared.offset === fanout.log.head) {
    return { offset: shared.offset, writeTo: (subscription) => writeWhole(subscription, shared.frame), close() {} };
  }
  const snapshot = await store.snapshot(fanout);
  return {
    offset: snapshot.position.offset,
    writeTo: (subscription) => writeSnapshot(subscription, snapshot, frames),
    close: () => snapshot.close(),
  };
}

async function readItemSync(store: StreamStore, frames: FrameEncoder, fanout: GroupFanout, item: string): Promise<Sync> {
  const read = await store.get(fanout, item);
  return {
    offset: read.position.offset,
    writeTo: (subscription) => writeWhole(subscription, encodeTextFrame(frames.itemSync(fanout, item, read))),
    close() {},
  };
}

/** Looks and writes in one step: another pump of the same socket may run whenever this one awaits. */
async function writeWhole({ subscriber }: Subscription, frame: Buffer): Promise<boolean> {
  while (subscriber.open) {
    if (subscriber.ready) {
      subscriber.write(frame);
      return true;
    }
    await subscriber.whenChanged();
  }
  return false;
}

async function writeSnapshot(subscription: Subscription, snapshot: Snapshot, frames: FrameEncoder): Promise<boolean> {
  const { fanout, subscriber } = subscription;
  let text = frames.groupSyncHead(fanout, snapshot.timestamp);
  let separator = '';
  let holds = false;
  let first = true;
  const writeFragment = (last: boolean) => {
    subscriber.write(encodeTextFragment(text, { first, last }));
    first = false;
    text = '';
  };
  try {
    for await (const chunk of snapshot.chunks()) {
      for (const item of chunk) {
        text += separator + frames.value(item.item, item.data);
        separator = ',';
        if (text.length < FRAGMENT_CHARS) continue;
        holds ||= await hold(subscriber);
        if (!(holds && (await hasRoom(subscriber)))) return false;
        writeFragment(false);
      }
    }
    text += frames.groupSyncTail;
    if (holds) {
      if (!(await hasRoom(subscriber))) return false;
      writeFragment(true);
      return true;
    }
    const frame = encodeTextFrame(text);
    if (frame.length <= SHARED_BYTES && snapshot.external !== true && fanout.log.head === snapshot.position.offset) {
      fanout.sharedSync = { offset: snapshot.position.offset, frame };
    }
    return await writeWhole(subscription, frame);
  } catch (error) {
    if (holds) subscriber.fail('internal');
    throw error;
  } finally {
    if (holds) subscriber.release();
  }
}

/** False when the session closed, or the socket did not become free in time. */
async function hold(subscriber: Subscriber): Promise<boolean> {
  while (subscriber.open) {
    if (subscriber.tryHold()) return true;
    if (!(await changesSoon(subscriber))) return false;
  }
  return false;
}

/**
 * Waits for room for the next fragment; false when the session closed. A reader that takes nothing for `LIMITS.snapshotStallMs` is
 * closed: the message can't be ended early, and meanwhile the store keeps the whole view that it shows.
 */
async function hasRoom(subscriber: Subscriber): Promise<boolean> {
  while (subscriber.open && !subscriber.hasRoom) {
    if (await changesSoon(subscriber)) continue;
    subscriber.fail('tryLater');
    return false;
  }
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
