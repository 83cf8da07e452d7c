import type { Logger } from '../logging/logger.js';
import type { StreamStore } from '../store/store.js';
import type { FrameEncoder } from './frame-encoder.js';
import { SEGMENT_BYTES } from './group-fanout.js';
import type { Subscription } from './subscription.js';
import { changesSoon, readSync } from './sync.js';

/** Bytes that one subscription may write before the event loop gets its turn. */
const TURN_BYTES = 1_048_576;
/** A commit that a snapshot shows reaches the log within a turn of the event loop. */
const APPEND_MS = 1_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/**
 * Moves the cursors that are not live: joining, lagging and (later) resuming are one loop. It writes only while the socket has
 * room, so a reader that lags costs its cursor and nothing else. Existing clients get exact frames from the log while it reaches
 * back to their cursor, else one `sync`.
 */
export class CatchUp {
  readonly #store: StreamStore;
  readonly #frames: FrameEncoder;
  readonly #logger: Logger;
  /** How often a cursor fell out of the log and was answered with a `sync`. */
  resynced = 0;

  constructor(store: StreamStore, frames: FrameEncoder, logger: Logger) {
    this.#store = store;
    this.#frames = frames;
    this.#logger = logger;
  }

  start(subscription: Subscription): void {
    if (subscription.pumping || subscription.state === 'closed') return;
    subscription.pumping = true;
    void this.#run(subscription);
  }

  async #run(subscription: Subscription): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    for (;;) {
      try {
        await this.#pump(subscription);
        break;
      } catch (error) {
        // The snapshot can't be read now. Nothing is sent instead of it: a wrong `sync` would be believed.
        this.#logger.warn('snapshot_failed', {
          stream: subscription.fanout.stream,
          group: subscription.fanout.group,
          error: error instanceof Error ? error.message : String(error),
          retryMs,
        });
        await delay(retryMs);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
    subscription.pumping = false;
    // A join that came in while the loop was ending.
    if (closed(subscription) || subscription.state === 'live') return;
    this.start(subscription);
  }

  /** Returns when the subscription is live or closed. */
  async #pump(subscription: Subscription): Promise<void> {
    const { fanout, subscriber } = subscription;
    let written = 0;
    while (!closed(subscription)) {
      if (lost(subscription)) {
        this.resynced++;
        subscription.resync();
        continue;
      }
      if (subscription.nextSync !== undefined) {
        await this.#sync(subscription);
        continue;
      }
      if (!subscriber.ready) {
        await subscriber.whenChanged();
        continue;
      }
      if (subscription.cursor >= fanout.log.head) {
        fanout.goLive(subscription);
        return;
      }
      written += this.#writeStretch(subscription);
      if (written >= TURN_BYTES) {
        written = 0;
        await nextTurn();
      }
    }
  }

  #writeStretch(subscription: Subscription, through?: number): number {
    const { frames, cursor } = subscription.fanout.log.stretch(subscription.cursor, {
      maxBytes: SEGMENT_BYTES,
      filter: subscription,
      ...(through === undefined ? {} : { through }),
    });
    subscription.cursor = cursor;
    if (frames === undefined) return 0;
    subscription.subscriber.write(frames);
    return frames.length;
  }

  async #sync(subscription: Subscription): Promise<void> {
    const { fanout, subscriber } = subscription;
    const target = subscription.nextSync;
    if (target === undefined) return;
    await fanout.watched;
    // A snapshot is not kept for a reader that takes nothing.
    while (!closed(subscription) && !subscriber.ready) await subscriber.whenChanged();
    const { history } = fanout;
    const sync = await readSync(this.#store, this.#frames, fanout, target);
    try {
      if (closed(subscription) || fanout.history !== history) return;
      fanout.begin(sync.offset);
      const there = await this.#bringTo(subscription, sync.offset);
      // The client may have left meanwhile, or the cursor been lost: what it watches already would miss changes behind this `sync`.
      if (closed(subscription) || subscription.nextSync !== target || !there) return;
      if (!(await sync.writeTo(subscription)) || lost(subscription)) return;
      if (subscription.cursor < 0) subscription.history = history;
      subscription.cursor = Math.max(subscription.cursor, sync.offset);
      if (subscription.nextSync === target) subscription.syncDone();
    } finally {
      sync.close();
    }
  }

  /**
   * A socket that watches the group already is first brought to the position of the new snapshot, so that its frames and the
   * snapshot stand in one order. False when it does not get there: the cursor is lost, or the reader takes nothing.
   */
  async #bringTo(subscription: Subscription, offset: number): Promise<boolean> {
    const { fanout, subscriber } = subscription;
    if (subscription.cursor < 0) return true;
    while (!closed(subscription) && subscription.cursor < offset && !lost(subscription)) {
      if (!subscriber.ready) {
        if (!(await changesSoon(subscriber))) return false;
      } else if (subscription.cursor >= fanout.log.head) {
        if (await Promise.race([fanout.whenAppended().then(() => true), delay(APPEND_MS).then(() => false)])) continue;
        // No change is on its way: the position of a group without items may rise without one.
        subscription.resync();
        return false;
      } else this.#writeStretch(subscription, offset);
    }
    return !lost(subscription);
  }
}

/** A read through a function, since the state changes while the loop awaits. */
function closed(subscription: Subscription): boolean {
  return subscription.state === 'closed' || !subscription.subscriber.open;
}

/** Whether the log no longer reaches back to the cursor. A subscription that has none yet has nothing to lose. */
function lost({ cursor, history, fanout }: Subscription): boolean {
  return cursor >= 0 && (history !== fanout.history || cursor < fanout.log.base);
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
