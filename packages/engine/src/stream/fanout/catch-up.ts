import type { Position, Since, SyncReason } from '@rivulet/protocol';
import { runInBackground } from '../../logging/background.js';
import type { Logger } from '../../logging/logger.js';
import type { GroupRef, StreamStore } from '../../store/store.js';
import { messageOf } from '../../structures/message-of.js';
import type { TurnBudget } from '../../structures/turn-budget.js';
import type { WhyRecords } from '../../why/why-records.js';
import type { EntryFilter } from '../frames/compacted-block.js';
import type { FrameEncoder } from '../frames/frame-encoder.js';
import type { SharedTurn } from '../frames/shared-turn.js';
import { type CompactedRead, EVERY_ITEM, framesBeforeSync, readCompacted, readCompactedItem } from './compacted-changes.js';
import type { HubCounters } from './fanout-counters.js';
import { type GroupFanout, SEGMENT_BYTES } from './group-fanout.js';
import { beforeRecovery, closed, delay, lost, noteJoined, noteResync, untilReady } from './pump.js';
import type { SharedChanges } from './shared-changes.js';
import { notifyAvailability, notifyUnavailable } from './staleness.js';
import type { Membership, OwedAnswer, Subscription } from './subscription.js';
import { changesSoon, readSync, type WriteOutcome } from './sync.js';
import type { SyncCache } from './sync-cache.js';

/** Milliseconds in which a commit that a snapshot shows must reach the log. It needs one turn of the event loop. */
const APPEND_MS = 1_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** Milliseconds between two log lines about failed reads of one group. */
const WARN_MS = 60_000;

export interface CatchUpOptions {
  readonly store: StreamStore;
  readonly frames: FrameEncoder;
  readonly syncs: SyncCache;
  readonly changes: SharedChanges;
  readonly turns: SharedTurn;
  /** Spreads the encoding of large items over turns of the event loop. */
  readonly encoding: TurnBudget;
  /** Runs when the store answers from another history than that of the log, and has not reported a break. */
  readonly onOtherEpoch: (ref: GroupRef, position: Position) => void;
  readonly counters: Pick<HubCounters, 'catchUps' | 'resyncs' | 'resynced'>;
  readonly logger: Logger;
  /** Records resyncs. @default none */
  readonly why?: WhyRecords | undefined;
}

/**
 * Moves the cursors that are not at the head of the log of their group. Joining, lagging and resuming are one loop, the pump of a
 * subscription. It writes only while the socket has room, so a reader that lags costs its cursor and nothing else.
 *
 * Data flow: one round of the pump does the first of these steps that applies.
 * 1. The cursor is lost, because the log begins after it or the history broke: recover it. A position-aware client gets each changed item
 *    once (rule RV-7). Another client gets a `sync`.
 * 2. An answer is owed: write it, as `resumed` or as a `sync`.
 * 3. The cursor is behind the head: write a stretch of the log.
 * 4. The cursor is at the head: the subscription goes live and shares the batch of its group.
 *
 * Invariants:
 * - Frames of a group reach the socket in offset order. If the socket watches the group already, the pump moves the cursor to
 *   the position of a snapshot before it writes the snapshot.
 * - `#deliver` alone begins an answer and breaks it off; `Subscription.answered` alone ends it.
 * - After each `await` the state is read again: the client may have left, the history may have broken.
 *
 * Example: a client joins with `since` 50, and the log begins at 80. The first round reads the items that changed since 50. The head is 100
 * at that moment, so they lead the client to 100. Meanwhile the head moves to 103. The second round writes the log from 101 to 103. The
 * third round goes live.
 *
 * If step 2 ran before step 1, a lost cursor would skip changes: the snapshot of the new answer lies beyond what the client has.
 */
export class CatchUp {
  readonly #options: CatchUpOptions;

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  /** Starts the pump of a subscription, unless it runs or the subscription is closed. */
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
    const { cursor: began, lagFrom } = subscription;
    subscription.lagFrom = began;
    for (;;) {
      try {
        await this.#pump(subscription);
        if (subscription.cursor === began) subscription.lagFrom = lagFrom;
        else subscription.liveFrom = subscription.cursor;
        break;
      } catch (error) {
        // The store can't be read now. The engine sends nothing, because the client would believe a wrong `sync`.
        this.#warn(subscription, error);
        notifyUnavailable(subscription, this.#options.frames);
        await delay(retryMs);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
    subscription.pumping = false;
    // A join that came while the pump was ending found it still running.
    if (closed(subscription) || subscription.state === 'live') return;
    this.start(subscription);
  }

  /** Returns when the subscription is live or closed. */
  async #pump(subscription: Subscription): Promise<void> {
    const { fanout, subscriber } = subscription;
    let recoveries = 0;
    while (!closed(subscription)) {
      const answer = subscription.nextAnswer;
      if (lost(subscription)) {
        await beforeRecovery(recoveries++);
        await this.#recover(subscription);
      } else if (answer?.state.kind === 'resuming') {
        await this.#resume(subscription, answer, answer.state.since);
      } else if (answer !== undefined) {
        await this.#sync(subscription);
      } else if (!subscriber.ready) {
        await subscriber.whenChanged();
      } else if (subscription.cursor >= fanout.log.head) {
        notifyAvailability(subscription, this.#options.frames);
        fanout.goLive(subscription);
        return;
      } else if (this.#options.turns.spend(this.#writeStretch(subscription, subscription))) {
        await this.#options.turns.next();
      }
    }
  }

  /** Writes the next stretch of the log, up to `through` at most, and moves the cursor. Returns the number of bytes. */
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

  /** Recovers a cursor that the log can't serve: it is before the first entry, or of a history that ended. */
  async #recover(subscription: Subscription): Promise<void> {
    const { fanout, subscriber, cursor, history } = subscription;
    if (history !== fanout.history) return this.#giveUp(subscription, fanout.brokenBy);
    if (!subscriber.positions || fanout.epoch === undefined || subscription.members.size === 0) return this.#giveUp(subscription);
    const since = { epoch: fanout.epoch, offset: cursor };
    if (subscription.watchesGroup) {
      // A copy: more members may come while the changes are read and written.
      const members = Array.from(subscription.members);
      const done = await this.#writeCompacted(subscription, members, subscription, () => readCompacted(this.#options, fanout, since));
      if (done === 'stale' || done === 'unwritten') return;
      noteResync(subscription, this.#options.why, { item: undefined, mode: 'changes', reason: 'behind', from: cursor, to: done.offset });
      subscription.cursor = Math.max(subscription.cursor, done.offset);
      return;
    }
    let first = Number.POSITIVE_INFINITY;
    for (const item of Array.from(subscription.items)) {
      const watching = subscription.watching(item);
      const read = () => readCompactedItem(this.#options, fanout, item, since);
      const done = await this.#writeCompacted(subscription, watching, EVERY_ITEM, read);
      if (done === 'stale' || done === 'unwritten') return;
      noteResync(subscription, this.#options.why, { item, mode: 'changes', reason: 'behind', from: cursor, to: done.offset });
      first = Math.min(first, done.offset);
    }
    // The cursor takes the lowest position. Watchers of the other items may get a change again that they have.
    subscription.cursor = Math.max(subscription.cursor, first);
  }

  #giveUp(subscription: Subscription, reason?: SyncReason): void {
    this.#options.counters.resynced++;
    this.#options.counters.resyncs[reason ?? 'behind']++;
    subscription.resync(reason);
  }

  /**
   * Writes the changes that `read` returns. Returns the position that they lead to; `stale` when a `sync` was queued in their place, and
   * `unwritten` when the state changed meanwhile and the pump must look again.
   */
  async #writeCompacted(
    subscription: Subscription,
    members: readonly Membership[],
    filter: EntryFilter,
    read: () => Promise<CompactedRead>,
  ): Promise<Position | 'stale' | 'unwritten'> {
    const { fanout, subscriber } = subscription;
    await untilReady(subscription);
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
      this.#options.counters.catchUps.changes++;
      for (const member of members) member.outdated = false;
      return result.position;
    } finally {
      result.close();
    }
  }

  /**
   * Writes one answer, and breaks it off when it was begun and not ended. Returns whether all of it was written. `gapAfter` is called
   * when the answer breaks off: it returns the offset up to which the client has everything.
   */
  async #deliver(
    subscription: Subscription,
    answer: OwedAnswer,
    gapAfter: () => number | undefined,
    write: () => Promise<WriteOutcome>,
  ): Promise<boolean> {
    const { fanout, subscriber } = subscription;
    const { history } = fanout;
    // A client without positions can't take a second `sync` for the first one: its connection was closed, or nothing was sent.
    const breakOff = () => {
      if (subscriber.positions) subscription.breakOff(answer, fanout.history === history ? gapAfter() : undefined);
    };
    let outcome: WriteOutcome;
    try {
      outcome = await write();
    } catch (error) {
      breakOff();
      throw error;
    }
    if (outcome === 'begun') breakOff();
    return outcome === 'whole';
  }

  /** Answers a join of a client that has a position. */
  async #resume(subscription: Subscription, answer: OwedAnswer, since: Since): Promise<void> {
    const { fanout, subscriber } = subscription;
    const { membership } = answer;
    const refuse = (reason: SyncReason, gapAfter?: number) => {
      if (subscription.nextAnswer !== answer) return;
      this.#options.counters.resyncs[reason]++;
      answer.refuse({ reason, gapAfter, history: fanout.history });
    };
    if (since === 'malformed' || membership === undefined) return refuse('malformed');
    await fanout.watched();
    await untilReady(subscription);
    if (closed(subscription) || subscription.nextAnswer !== answer || lost(subscription)) return;
    if (fanout.epoch === since.epoch && fanout.log.begun && since.offset >= fanout.log.base && since.offset <= fanout.log.head)
      return this.#resumeFromLog(subscription, answer, membership, since);
    // The client would apply these changes to targets that still await a `sync`.
    if (subscription.holdsBack) return refuse('restarted', fanout.epoch === since.epoch ? since.offset : undefined);
    const { history } = fanout;
    const { item } = answer;
    const result = await (item === undefined
      ? readCompacted(this.#options, fanout, since)
      : readCompactedItem(this.#options, fanout, item, since));
    if (result.kind === 'stale') return refuse(result.reason, result.reason === 'epoch' ? undefined : since.offset);
    try {
      if (closed(subscription) || fanout.history !== history || !this.#begin(fanout, result.position)) return;
      const { offset } = result.position;
      const arrived = await this.#advanceTo(subscription, offset);
      if (closed(subscription) || subscription.nextAnswer !== answer || !arrived) return;
      const reader = { subscriber, members: [membership], filter: EVERY_ITEM };
      const isWhole = await this.#deliver(
        subscription,
        answer,
        () => since.offset,
        () => result.writeTo(reader),
      );
      if (!isWhole) return;
      this.#options.counters.catchUps.changes++;
      noteJoined(membership, offset, since.offset);
      // Also when the cursor was lost meanwhile: the client has its answer, and is recovered with the others.
      subscription.noteShown(offset, history);
      subscription.answered(answer);
    } finally {
      result.close();
    }
  }

  /** Answers with exactly the frames that the client missed: the log reaches back to its position. */
  async #resumeFromLog(subscription: Subscription, answer: OwedAnswer, membership: Membership, since: Position): Promise<void> {
    const { fanout, subscriber } = subscription;
    const { history } = fanout;
    const fresh = subscription.cursor < 0 || subscription.holdsBack;
    const { epoch, offset: from } = since;
    this.#options.counters.catchUps.log++;
    const to = fresh ? fanout.log.head : Math.max(subscription.cursor, from);
    const resumed = { subscriptionId: membership.id, mode: 'tail', epoch, from, to } as const;
    subscriber.write(this.#options.frames.control({ type: 'resumed', data: resumed }));
    noteJoined(membership, from, from);
    if (fresh) {
      subscription.noteShown(from, history);
      return subscription.answered(answer);
    }
    // Other memberships stand at the cursor already: only the new one gets the frames up to there.
    let at = from;
    const write = async (): Promise<WriteOutcome> => {
      while (at < subscription.cursor) {
        await untilReady(subscription);
        if (closed(subscription) || subscription.nextAnswer !== answer) return 'nothing';
        if (fanout.history !== history || at < fanout.log.base) return 'begun';
        if (at >= fanout.log.head) {
          // A snapshot can show changes that the store has not reported yet. Then the cursor is ahead of the log.
          if (await fanout.whenAppended(APPEND_MS)) continue;
          return 'begun';
        }
        const { frames, cursor } = fanout.log.stretch(at, { maxBytes: SEGMENT_BYTES, filter: membership, through: subscription.cursor });
        if (frames !== undefined) subscriber.write(frames);
        at = cursor;
      }
      return 'whole';
    };
    if (await this.#deliver(subscription, answer, () => at, write)) subscription.answered(answer);
  }

  /** Writes a `sync` of the first answer. */
  async #sync(subscription: Subscription): Promise<void> {
    const { fanout, subscriber } = subscription;
    const answer = subscription.nextAnswer;
    if (answer === undefined) return;
    await fanout.watched();
    // A reader that takes nothing must not keep a snapshot.
    await untilReady(subscription);
    const { history } = fanout;
    subscription.freshen(answer);
    const { gapAfter, reason = 'behind' } = answer.cause ?? {};
    const sync = await readSync(this.#options, subscription, answer);
    try {
      if (closed(subscription) || fanout.history !== history || !this.#begin(fanout, sync.position)) return;
      const { offset } = sync.position;
      const arrived = await this.#advanceTo(subscription, offset);
      // With a lost cursor, the targets that are watched already would miss the changes before this `sync`.
      if (closed(subscription) || subscription.nextAnswer !== answer || !arrived) return;
      const isWhole = await this.#deliver(
        subscription,
        answer,
        () => gapAfter,
        () => sync.writeTo(subscriber, framesBeforeSync(this.#options.frames, subscription, answer, gapAfter, offset)),
      );
      if (!isWhole) return;
      this.#options.counters.catchUps.sync++;
      if (answer.membership !== undefined) noteJoined(answer.membership, offset);
      else noteResync(subscription, this.#options.why, { item: answer.item, mode: 'sync', reason, from: gapAfter ?? -1, to: offset });
      for (const member of subscription.receivers(answer)) member.outdated = false;
      subscription.noteShown(offset, history);
      subscription.answered(answer);
    } finally {
      sync.close();
    }
  }

  /** Records where the store stands. Returns false when that is another history; then the fan-out restarts. */
  #begin(fanout: GroupFanout, position: Position): boolean {
    if (fanout.epoch === undefined || fanout.epoch === position.epoch) {
      fanout.begin(position);
      return true;
    }
    this.#options.onOtherEpoch(fanout, position);
    return false;
  }

  /**
   * Brings the cursor of a socket that watches the group already to `offset`, the position of a new snapshot, so that frames and snapshot
   * stand in one order. Returns false when that fails: the cursor is lost, or the reader takes nothing.
   */
  async #advanceTo(subscription: Subscription, offset: number): Promise<boolean> {
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
      error: messageOf(error),
      consequence: 'clients that join this group wait; the engine tries again, and logs this once a minute',
    });
  }
}
