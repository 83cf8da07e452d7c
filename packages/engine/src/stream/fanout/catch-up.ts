import type { Position } from '@rivulet/protocol';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupRef, StreamStore } from '../../store/store.js';
import type { EntryFilter } from '../frames/compacted-block.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { SharedTurn } from '../frames/shared-turn.js';
import { type CompactedRead, EVERY_ITEM, gapFrame, readCompacted, readCompactedItem } from './compacted-changes.js';
import { type GroupFanout, SEGMENT_BYTES } from './group-fanout.js';
import type { SharedChanges } from './shared-changes.js';
import { notifyAvailability, notifyUnavailable } from './staleness.js';
import { Membership, type Subscription, type SyncTarget } from './subscription.js';
import { changesSoon, readSync, writeWhole } from './sync.js';
import type { SyncCache } from './sync-cache.js';

/** A commit that a snapshot shows reaches the log within a turn of the event loop. */
const APPEND_MS = 1_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** Between two recoveries of a cursor that is lost over and over again. */
const LAST_RECOVERY_MS = 1_000;
/** Failed reads are logged once in this time for each group. */
const WARN_MS = 60_000;

export interface CatchUpOptions {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly syncs: SyncCache;
  readonly changes: SharedChanges;
  readonly turns: SharedTurn;
  /** The store answers from another history than the log has, and has not said so. */
  readonly onOtherEpoch: (ref: GroupRef, position: Position) => void;
  readonly logger: Logger;
}

/**
 * Moves the cursors that are not live: joining, lagging and resuming are one loop. It writes only while the socket has room, so a reader
 * that lags costs its cursor and nothing else. A cursor is served from the log while that reaches back to it; else, for clients that know
 * positions, by each changed item once; else by one `sync`.
 */
export class CatchUp {
  readonly #options: CatchUpOptions;
  /** How often a cursor could only be answered with a `sync`. */
  resynced = 0;
  /** How often one was answered with each changed item once. */
  compacted = 0;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  start(subscription: Subscription): void {
    if (subscription.pumping || subscription.state === 'closed') return;
    subscription.pumping = true;
    runInBackground(this.#run(subscription), this.#options.logger, 'stream_catch_up', () => {
      subscription.pumping = false;
      subscription.subscriber.fail('internal');
    });
  }

  async #run(subscription: Subscription): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    for (;;) {
      try {
        await this.#pump(subscription);
        break;
      } catch (error) {
        // The store can't be read now. Nothing is sent instead: a wrong `sync` would be believed.
        this.#warn(subscription, error);
        notifyUnavailable(subscription, this.#options.frames);
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
    let recoveries = 0;
    while (!closed(subscription)) {
      if (lost(subscription)) {
        await turnOf(recoveries++);
        await this.#recover(subscription);
        continue;
      }
      const target = subscription.nextSync;
      if (target instanceof Membership && target.since !== undefined) {
        await this.#resume(subscription, target, target.since);
        continue;
      }
      if (target !== undefined) {
        await this.#sync(subscription);
        continue;
      }
      if (!subscriber.ready) {
        await subscriber.whenChanged();
        continue;
      }
      if (subscription.cursor >= fanout.log.head) {
        notifyAvailability(subscription, this.#options.frames);
        fanout.goLive(subscription);
        return;
      }
      if (this.#options.turns.spend(this.#writeStretch(subscription, subscription))) await this.#options.turns.next();
    }
  }

  #writeStretch(subscription: Subscription, filter: { wants(item: string | undefined): boolean }, through?: number): number {
    const { frames, cursor } = subscription.fanout.log.stretch(subscription.cursor, {
      maxBytes: SEGMENT_BYTES,
      filter,
      ...(through === undefined ? {} : { through }),
    });
    subscription.cursor = cursor;
    if (frames === undefined) return 0;
    subscription.subscriber.write(frames);
    return frames.length;
  }

  /** The cursor is behind what the log holds, or of a history that ended. */
  async #recover(subscription: Subscription): Promise<void> {
    const { fanout, subscriber, cursor, history } = subscription;
    if (history !== fanout.history) return this.#giveUp(subscription, fanout.brokenBy);
    if (!subscriber.positions || fanout.epoch === undefined || subscription.members.length === 0) return this.#giveUp(subscription);
    const since = { epoch: fanout.epoch, offset: cursor };
    // Those of now: more may come while it is read and written.
    const members = Array.from(subscription.members);
    if (subscription.watchesGroup) {
      const done = await this.#writeCompacted(subscription, members, subscription, () => readCompacted(this.#options, fanout, since));
      if (done === 'stale' || done === 'unwritten') return;
      subscription.cursor = Math.max(subscription.cursor, done.offset);
      return;
    }
    let reached = Number.POSITIVE_INFINITY;
    for (const item of Array.from(subscription.items)) {
      const watching = members.filter((member) => member.item === item);
      const read = () => readCompactedItem(this.#options, fanout, item, since);
      const done = await this.#writeCompacted(subscription, watching, EVERY_ITEM, read);
      if (done === 'stale' || done === 'unwritten') return;
      reached = Math.min(reached, done.offset);
    }
    // Where the first stands: the others may see a change again that they have.
    subscription.cursor = Math.max(subscription.cursor, reached);
  }

  #giveUp(subscription: Subscription, reason?: Parameters<Subscription['resync']>[0]): void {
    this.resynced++;
    subscription.resync(reason);
  }

  /** Answers the position that everything was written up to; `stale` after it has asked for a `sync` instead. */
  async #writeCompacted(
    subscription: Subscription,
    members: readonly Membership[],
    filter: EntryFilter,
    read: () => Promise<CompactedRead>,
  ): Promise<Position | 'stale' | 'unwritten'> {
    const { fanout, subscriber } = subscription;
    while (!closed(subscription) && !subscriber.ready) await subscriber.whenChanged();
    if (closed(subscription)) return 'unwritten';
    const { history } = fanout;
    const result = await read();
    if (result.kind === 'stale') {
      if (history === fanout.history) this.#giveUp(subscription, result.reason);
      return 'stale';
    }
    try {
      if (closed(subscription) || fanout.history !== history || !this.#begin(fanout, result.position)) return 'unwritten';
      if ((await result.writeTo({ subscriber, members, filter })) !== 'whole' || fanout.history !== history) return 'unwritten';
      this.compacted++;
      for (const member of members) member.outdated = false;
      return result.position;
    } finally {
      result.close();
    }
  }

  /** Answers a join with the position that the client brought along. */
  async #resume(subscription: Subscription, member: Membership, since: Exclude<Membership['since'], undefined>): Promise<void> {
    const { fanout, subscriber } = subscription;
    const sync = (reason: Membership['reason'], gapAfter?: number) => {
      if (subscription.nextSync !== member) return;
      member.since = undefined;
      member.reason = reason;
      member.gapAfter = gapAfter;
      member.of = fanout.history;
    };
    if (since === 'malformed') return sync('malformed');
    await fanout.watched();
    while (!closed(subscription) && !subscriber.ready) await subscriber.whenChanged();
    if (closed(subscription) || subscription.nextSync !== member || lost(subscription)) return;
    if (fanout.epoch === since.epoch && fanout.log.begun && since.offset >= fanout.log.base && since.offset <= fanout.log.head)
      return this.#resumeFromLog(subscription, member, since);
    // Its changes would be taken for news of what waits for a new `sync`.
    if (subscription.holdsBack) return sync('restarted', fanout.epoch === since.epoch ? since.offset : undefined);
    const { history } = fanout;
    const { item } = member;
    const result = await (item === undefined
      ? readCompacted(this.#options, fanout, since)
      : readCompactedItem(this.#options, fanout, item, since));
    if (result.kind === 'stale') return sync(result.reason, result.reason === 'epoch' ? undefined : since.offset);
    try {
      if (closed(subscription) || fanout.history !== history || !this.#begin(fanout, result.position)) return;
      const { offset } = result.position;
      const there = await this.#bringTo(subscription, offset);
      if (closed(subscription) || subscription.nextSync !== member || !there) return;
      const breaksOff = () => {
        if (subscription.nextSync === member) subscription.brokeOff(fanout.history === history ? since.offset : undefined);
      };
      const written = await result.writeTo({ subscriber, members: [member], filter: EVERY_ITEM }).catch((error: unknown) => {
        breaksOff();
        throw error;
      });
      if (written === 'begun') breaksOff();
      if (written !== 'whole') return;
      this.compacted++;
      // Even if the cursor was lost meanwhile: the client has its answer, and is one of those who are lost.
      subscription.noteShown(offset, history);
      this.#answered(subscription, member);
    } finally {
      result.close();
    }
  }

  /** The log reaches back to the position: exactly what was missed. */
  async #resumeFromLog(subscription: Subscription, member: Membership, since: Position): Promise<void> {
    const { fanout, subscriber } = subscription;
    const fresh = subscription.cursor < 0 || subscription.holdsBack;
    const to = fresh ? fanout.log.head : Math.max(subscription.cursor, since.offset);
    const { id: subscriptionId } = member;
    subscriber.write(
      this.#options.frames.control({ type: 'resumed', data: { subscriptionId, mode: 'tail', ...epochOf(since), from: since.offset, to } }),
    );
    if (fresh) {
      subscription.noteShown(since.offset, fanout.history);
      return this.#answered(subscription, member);
    }
    // What the socket watches already stands at the cursor: only the new one gets the frames up to there.
    const { history } = fanout;
    let at = since.offset;
    while (at < subscription.cursor) {
      while (!closed(subscription) && !subscriber.ready) await subscriber.whenChanged();
      if (closed(subscription) || subscription.nextSync !== member) return;
      if (fanout.history !== history) return subscription.brokeOff(undefined);
      if (at < fanout.log.base) return subscription.brokeOff(at);
      const { frames, cursor } = fanout.log.stretch(at, { maxBytes: SEGMENT_BYTES, filter: member, through: subscription.cursor });
      if (frames !== undefined) subscriber.write(frames);
      at = cursor;
    }
    this.#answered(subscription, member);
  }

  /** The client may have left meanwhile. */
  #answered(subscription: Subscription, member: Membership): void {
    if (subscription.nextSync !== member) return;
    member.since = undefined;
    subscription.syncDone();
  }

  async #sync(subscription: Subscription): Promise<void> {
    const { fanout, subscriber } = subscription;
    const target = subscription.nextSync;
    if (target === undefined) return;
    await fanout.watched();
    // A snapshot is not kept for a reader that takes nothing.
    while (!closed(subscription) && !subscriber.ready) await subscriber.whenChanged();
    const { history } = fanout;
    subscription.freshen(target);
    const sync = await readSync(this.#options, subscription, target);
    try {
      if (closed(subscription) || fanout.history !== history || !this.#begin(fanout, sync.position)) return;
      const { offset } = sync.position;
      const there = await this.#bringTo(subscription, offset);
      // The client may have left meanwhile, or the cursor been lost: what it watches already would miss changes behind this `sync`.
      if (closed(subscription) || subscription.nextSync !== target || !there) return;
      const breaksOff = () => {
        if (subscriber.positions && subscription.nextSync === target) subscription.brokeOff(target.gapAfter);
      };
      const written = await sync.writeTo(subscriber, this.#named(subscription, target)).catch((error: unknown) => {
        breaksOff();
        throw error;
      });
      if (written === 'begun') breaksOff();
      if (written !== 'whole') return;
      for (const member of subscription.receivers(target)) member.outdated = false;
      if (target.gapAfter !== undefined) await this.#tellGap(subscription, target, target.gapAfter, offset);
      subscription.noteShown(offset, history);
      if (subscription.nextSync === target) subscription.syncDone();
    } finally {
      sync.close();
    }
  }

  /** Whom the next `sync` is for (rule RV-16). */
  #named(subscription: Subscription, target: SyncTarget): Buffer {
    const { frames } = this.#options;
    return Buffer.concat(subscription.receivers(target).map(({ id }) => frames.control({ type: 'syncing', data: { subscriptionId: id } })));
  }

  /** Takes note of where the store stands; false when that is another history. */
  #begin(fanout: GroupFanout, position: Position): boolean {
    if (fanout.epoch === undefined || fanout.epoch === position.epoch) {
      fanout.begin(position);
      return true;
    }
    this.#options.onOtherEpoch(fanout, position);
    return false;
  }

  /** After a `sync` in the place of a position (rule RV-9). */
  async #tellGap(subscription: Subscription, target: SyncTarget, after: number, through: number): Promise<void> {
    const { fanout, subscriber } = subscription;
    if (!subscriber.positions) return;
    for (const { id: subscriptionId } of subscription.receivers(target)) {
      const frame = gapFrame(this.#options.frames, fanout, { subscriptionId, after, through });
      if (frame !== undefined) await writeWhole(subscriber, frame);
    }
  }

  /**
   * A socket that watches the group already is first brought to the position of the new snapshot, so that its frames and the
   * snapshot stand in one order. False when it does not get there: the cursor is lost, or the reader takes nothing.
   */
  async #bringTo(subscription: Subscription, offset: number): Promise<boolean> {
    const { fanout, subscriber } = subscription;
    if (subscription.cursor < 0 || subscription.holdsBack) return !lost(subscription);
    while (!closed(subscription) && subscription.cursor < offset && !lost(subscription)) {
      if (!subscriber.ready) {
        if (!(await changesSoon(subscriber))) return false;
      } else if (subscription.cursor >= fanout.log.head) {
        if (await fanout.whenAppended(APPEND_MS)) continue;
        // No change is on its way: the position of a group without items may rise without one.
        subscription.resync();
        return false;
      } else this.#writeStretch(subscription, subscription, offset);
    }
    return !lost(subscription);
  }

  #warn({ fanout }: Subscription, error: unknown): void {
    const now = performance.now();
    if (now - fanout.warnedAt < WARN_MS) return;
    fanout.warnedAt = now;
    this.#options.logger.warn('snapshot_failed', {
      stream: fanout.stream,
      group: fanout.group,
      error: error instanceof Error ? error.message : String(error),
      consequence: 'those who join wait; tried again and again, told once a minute',
    });
  }
}

function epochOf({ epoch }: Position): { epoch: string } {
  return { epoch };
}

/** A read through a function, since the state changes while the loop awaits. */
function closed(subscription: Subscription): boolean {
  return subscription.state === 'closed' || !subscription.subscriber.open;
}

/**
 * Whether the log no longer reaches back to the cursor. A subscription that has none yet has nothing to lose; one that holds back needs none
 * of it before everything that waits for a `sync` has it, and then what changed since.
 */
function lost({ cursor, history, fanout, holdsBack }: Subscription): boolean {
  return cursor >= 0 && (history !== fanout.history || (cursor < fanout.log.base && !holdsBack));
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

/** Whatever the store answers, a cursor that can't be served again and again lets others have their turn, and asks ever more rarely. */
async function turnOf(recoveries: number): Promise<void> {
  if (recoveries === 1) await nextTurn();
  else if (recoveries > 1) await delay(Math.min(2 ** recoveries, LAST_RECOVERY_MS));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
