import { encodeTextFragment, encodeTextFrame } from '../structures/websocket-frame.js';
import type { FrameEncoder } from './frame-encoder.js';
import type { GroupFanout } from './group-fanout.js';
import type { Snapshot, StreamStore } from './store.js';
import type { Subscription, SyncTarget } from './subscription.js';

/** A `sync` ready to be written: the state of a group or an item, true at exactly one offset. */
export interface Sync {
  readonly offset: number;
  /** Writes one message; in fragments, each when the socket has room, if it is large. */
  writeTo(subscription: Subscription): Promise<void>;
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

async function writeWhole(subscription: Subscription, frame: Buffer): Promise<void> {
  if (await turnToWrite(subscription)) subscription.subscriber.write(frame);
}

async function writeSnapshot(subscription: Subscription, snapshot: Snapshot, frames: FrameEncoder): Promise<void> {
  const { fanout, subscriber } = subscription;
  let text = frames.groupSyncHead(fanout, snapshot.timestamp);
  let separator = '';
  let fragments = 0;
  try {
    for await (const chunk of snapshot.chunks()) {
      for (const item of chunk) {
        text += separator + frames.value(item.item, item.data);
        separator = ',';
        if (text.length < FRAGMENT_CHARS) continue;
        if (!(await turnToFragment(subscription, fragments))) return;
        subscriber.write(encodeTextFragment(text, { first: fragments === 0, last: false }));
        fragments++;
        text = '';
      }
    }
    text += frames.groupSyncTail;
    if (fragments > 0) {
      if (await turnToFragment(subscription, fragments)) subscriber.write(encodeTextFragment(text, { first: false, last: true }));
      return;
    }
    const frame = encodeTextFrame(text);
    if (frame.length <= SHARED_BYTES && fanout.log.head === snapshot.position.offset) {
      fanout.sharedSync = { offset: snapshot.position.offset, frame };
    }
    await writeWhole(subscription, frame);
  } catch (error) {
    if (fragments > 0) subscriber.fail();
    throw error;
  } finally {
    if (fragments > 0) subscriber.release();
  }
}

/** False when the session closed meanwhile. */
async function turnToWrite(subscription: Subscription): Promise<boolean> {
  while (subscription.subscriber.open && !subscription.subscriber.ready) await subscription.subscriber.whenChanged();
  return subscription.subscriber.open;
}

/** The first fragment takes hold of the socket; the others only wait for room. */
async function turnToFragment(subscription: Subscription, fragments: number): Promise<boolean> {
  const { subscriber } = subscription;
  if (fragments === 0) {
    if (!(await turnToWrite(subscription))) return false;
    subscriber.hold();
    return true;
  }
  while (subscriber.open && !subscriber.hasRoom) await subscriber.whenChanged();
  return subscriber.open;
}
