import type {
  GroupSyncFrame,
  ItemSyncFrame,
  Position,
  StreamChangeFrame,
  StreamErrorFrame,
  StreamGapFrame,
  StreamResumedFrame,
} from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import type { Clock } from '../connection/clock.js';
import { CoalescedNotifier } from './coalesced-notifier.js';
import { coveredOffset, nextStep } from './frame-sequence.js';
import { encodeJoin, encodeLeave, type Target } from './join.js';
import { JoinRetry } from './join-retry.js';
import { LeaseSender } from './lease-sender.js';
import { Listeners } from './listeners.js';
import type { Item } from './mirror.js';
import { Replica } from './replica.js';
import { batchOf, type Frame, isAnswered, isJoined, isOutdated, type Phase, type Status, stage, statusOf } from './subscription-phase.js';
import { itemsOfGroup, itemsOfItem, SyncParts } from './sync-parts.js';

/** The services of the client that a subscription needs. */
export interface SubscriptionLink {
  readonly clock: Clock;
  readonly random: () => number;
  /** Sends a text on the open connection. Without an open connection it drops the text. */
  send(text: string): void;
  readonly counters: { holes: number; duplicates: number };
  report(error: StreamError): void;
}

/** Milliseconds without an answer after which the client sends the join again. A server that fails to read a group may send nothing. */
const ANSWER_MS = 60_000;
/** Frames that the client holds until the `sync` of a server without positions comes. */
const MOST_EARLY = 10_000;
/** Reports of lost events that wait for the changes that come with them. */
const MOST_EVENT_GAPS = 1_024;
const OFFLINE: Phase = { kind: 'offline' };

/**
 * One join on the wire, and the replica that follows it. Several views may share it. The client calls its `on…` methods with the events of
 * the connection and with the frames of its target. {@link Phase} shows the life of a join.
 *
 * Data flow: frame → `on…` → phase → `Replica` → listeners of views.
 *
 * Invariants:
 * - The replica is always true at exactly its position. Frames that belong together are applied in one step.
 * - The offsets of a group have no holes. If a frame is missing, the subscription joins again from its position. It never skips a frame.
 * - `#enter` changes the phase first, then applies the step, and notifies last. A listener that ran earlier would see a status that does
 *   not fit the items.
 */
export class Subscription {
  readonly id: string;
  readonly target: Target;
  readonly replica = new Replica((isUrgent) => this.#notifier.request(isUrgent));
  readonly statuses = new Listeners<Status>();
  readonly errors = new Listeners<StreamError>();
  /** Notifies after anything that a view can read has changed. Coalesced. */
  readonly notices = new Listeners<void>();
  readonly #notifier: CoalescedNotifier;
  readonly #link: SubscriptionLink;
  readonly #lease: LeaseSender;
  readonly #retry = new JoinRetry();
  #phase: Phase = { kind: 'restoring' };
  #status: Status = 'connecting';
  /** Ends the phase `joining` or `waiting`. */
  #timer: unknown;
  /** Numbers the items and changes of a server without positions. */
  #count = 0;
  /** The last refusal or failure; `undefined` once the subscription is live. */
  error: StreamError | undefined;

  constructor(id: string, target: Target, link: SubscriptionLink) {
    this.id = id;
    this.target = target;
    this.#link = link;
    this.#notifier = new CoalescedNotifier(link.clock, () => this.notices.emit());
    this.#lease = new LeaseSender(link.clock, (text) => {
      if (this.#phase.kind === 'live') link.send(text);
    });
  }

  get phase(): Phase['kind'] {
    return this.#phase.kind;
  }

  get status(): Status {
    return this.#status;
  }

  /** Lets the next `onOpen` join. The client calls this when the persistent copy is read, or when there is none. */
  release(): void {
    if (this.#phase.kind === 'restoring') this.#enter(OFFLINE);
  }

  /** Shows a state that the application brings, unless a state is known or the join is sent. The join will continue from its position. */
  begin(items: readonly Item<unknown>[], position: Position | undefined): void {
    if (this.replica.known || (this.#phase.kind !== 'restoring' && this.#phase.kind !== 'offline')) return;
    this.replica.replace(items, position, 'initial');
    this.#enter(this.#phase);
  }

  /** Sends the join, unless it is sent. The client calls this at the end of a turn while a connection is open. */
  onOpen(): void {
    if (this.#phase.kind !== 'offline') return;
    this.#retry.reset();
    this.#join();
  }

  onLost(): void {
    if (isJoined(this.#phase)) this.#enter(OFFLINE);
  }

  /** Whether the engine refused the join because the connection has no place for it. */
  get isTurnedAway(): boolean {
    return this.#phase.kind === 'waiting' && this.#phase.cause === 'no place';
  }

  /** Whether the engine refuses the join. The client joins again from time to time. */
  get isRefused(): boolean {
    return this.error?.code === 'FORBIDDEN' || this.error?.code === 'TOO_MANY_SUBSCRIPTIONS';
  }

  /** Sends the join again, because another subscription of the connection has left. */
  onPlaceFree(): void {
    if (this.isTurnedAway) this.#join();
  }

  /** Sends a refused join again, because the engine has a new token. */
  onRefreshed(): void {
    if (this.#phase.kind === 'waiting' && this.#phase.cause !== 'gap') this.#join();
  }

  close(): void {
    if (this.#phase.kind === 'closed') return;
    if (isJoined(this.#phase)) this.#link.send(encodeLeave(this.id, this.target));
    this.#end();
  }

  /** Replaces the data of the lease. The data is sent while the subscription is live. Throws `VALUE_TOO_LARGE`. */
  lease(data: unknown): void {
    this.#lease.set(this.id, data);
  }

  onUnauthorized(): void {
    if (this.#phase.kind === 'joining') this.#refuse(new StreamError('FORBIDDEN', 'the engine refused the join'));
  }

  onError({ code, message }: StreamErrorFrame): void {
    const error = new StreamError(code, message);
    if (code === 'INVALID_ID') {
      this.#fail(error);
      this.#end();
    } else if (code === 'FORBIDDEN' || code === 'TOO_MANY_SUBSCRIPTIONS') {
      if (this.#phase.kind !== 'waiting') this.#refuse(error);
    } else this.#fail(error);
  }

  onFrame(frame: Frame): void {
    if (frame.offset === undefined) {
      this.#plain(frame);
      return;
    }
    const phase = this.#phase;
    switch (phase.kind) {
      // The frame is for another subscription to the same group, or for an earlier join.
      case 'restoring':
      case 'offline':
      case 'joining':
      case 'waiting':
      case 'closed':
        return;
      case 'syncing':
        if (frame.offset > phase.parts.position.offset) this.#onSequenceGap('a change came inside a sync in parts');
        return;
      case 'changes':
        if (frame.offset > phase.to) this.#onSequenceGap('a change came before earlier ones');
        else if (frame.type !== 'event') stage(phase.staged, frame);
        return;
      case 'tail':
      case 'live':
        // Only compacted changes have `created`. They are for another subscription of the group, and this one follows the log.
        if (frame.type === 'event' || frame.created === undefined) this.#follow(frame, frame.offset);
        return;
      default:
        phase satisfies never;
    }
  }

  onSyncing(): void {
    if (isJoined(this.#phase)) this.#phase = { ...this.#phase, syncGaps: [] };
  }

  onGroupSync(frame: GroupSyncFrame): void {
    const phase = this.#phase;
    if (!isJoined(phase)) return;
    const { position, ids, created } = frame;
    if (position === undefined) {
      this.#plainSync(itemsOfGroup(frame.data, () => this.#count++));
      return;
    }
    const { syncGaps } = phase;
    if (syncGaps === undefined) return;
    if (ids === undefined || created === undefined) {
      this.#onSequenceGap('a sync with a position does not name its items');
      return;
    }
    let parts = phase.kind === 'syncing' ? phase.parts : undefined;
    if (parts === undefined || !parts.add(frame, ids, created)) {
      if ((frame.part ?? 0) > 0) {
        this.#onSequenceGap('parts of a sync are missing');
        return;
      }
      parts = new SyncParts(frame, position, ids, created);
    }
    if (frame.last) this.#sync(parts.items(), position, parts.reason, syncGaps);
    else this.#enter({ kind: 'syncing', syncGaps, isOutdated: isOutdated(phase), parts });
  }

  onItemSync(frame: ItemSyncFrame): void {
    const phase = this.#phase;
    if (!isJoined(phase)) return;
    if (frame.position === undefined) {
      this.#plainSync(frame.data === null ? [] : itemsOfItem(frame, this.#count++));
      return;
    }
    const { syncGaps } = phase;
    if (syncGaps === undefined) return;
    const isMissing = frame.data === null && frame.created === undefined;
    this.#sync(isMissing ? [] : itemsOfItem(frame, frame.created ?? frame.position.offset), frame.position, frame.reason, syncGaps);
  }

  onResumed({ mode, epoch, from, to }: StreamResumedFrame): void {
    const phase = this.#phase;
    if (!isJoined(phase)) return;
    const known = this.replica.position;
    const batch = batchOf(phase);
    // A subscription to an item gets only the changes of that item. The engine resumes from its place in the group, which may be ahead.
    const isAhead = this.target.item !== undefined && phase.kind === 'live';
    if (known === undefined || known.epoch !== epoch || (!isAhead && from > coveredOffset(batch, known.offset))) {
      this.#onSequenceGap('the server resumes from a later position');
      return;
    }
    const outdated = isOutdated(phase);
    if (mode === 'changes') {
      const staged = new Map<string, StreamChangeFrame>();
      // The rest of an open batch may come compacted.
      for (const frame of batch) if (frame.type !== 'event') stage(staged, frame);
      this.#enter({ kind: 'changes', syncGaps: undefined, isOutdated: outdated, to, staged, gaps: [] });
      // Nothing says when an item has passed `to`. So its subscription is live at once.
    } else if (this.target.item === undefined && to > known.offset)
      this.#enter({ kind: 'tail', syncGaps: undefined, isOutdated: outdated, batch, to });
    else this.#enterLive(outdated, batch);
  }

  /** Marks the view as outdated. Before the join is answered, the frame is about an earlier join. */
  onStale(): void {
    if (isAnswered(this.#phase)) this.#enter({ ...this.#phase, isOutdated: true });
  }

  onCaughtUp(epoch: string, offset: number): void {
    const phase = this.#phase;
    const known = this.replica.position;
    if (known === undefined || !isAnswered(phase)) return;
    if ('batch' in phase) {
      // An item gets only its own changes, so its position is behind that of the group. It has no other change up to this offset.
      const isItem = this.target.item !== undefined;
      const isMet = epoch === known.epoch && (isItem || offset <= coveredOffset(phase.batch, known.offset));
      const step = isItem ? () => this.replica.apply([], offset) : undefined;
      if (!phase.isOutdated) {
        if (isMet) step?.();
      } else if (isMet) this.#enterLive(false, phase.batch, step);
      else this.#onSequenceGap('caught_up names a later offset');
      return;
    }
    if (phase.kind !== 'changes') return;
    if (offset !== phase.to || epoch !== known.epoch) {
      this.#onSequenceGap('caught_up names another offset');
      return;
    }
    const frames = [...phase.staged.values()].filter((frame) => (frame.offset ?? 0) > known.offset);
    frames.sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0));
    this.#enterLive(false, [], () => this.replica.apply(frames, offset));
    this.#notifyGaps(phase.gaps);
  }

  /** Reports lost events: at once, or together with the state that they come with. */
  onGap(gap: StreamGapFrame): void {
    const phase = this.#phase;
    if (!isJoined(phase)) return;
    const held = phase.syncGaps ?? (phase.kind === 'changes' ? phase.gaps : undefined);
    if (held === undefined) this.#notifyGaps([gap]);
    else if (held.push(gap) > MOST_EVENT_GAPS) this.#onSequenceGap('too many gaps');
  }

  #follow(frame: Frame, offset: number): void {
    const phase = this.#phase;
    const known = this.replica.position;
    if (known === undefined) return;
    // A subscription to an item sees only some of the offsets of the group, so no offset is missing and no batch is complete.
    const step = this.target.item !== undefined && offset > known.offset ? [frame] : nextStep(batchOf(phase), known.offset, frame, offset);
    if (step === 'duplicate') this.#link.counters.duplicates++;
    else if (step !== 'incomplete') {
      if ('gap' in step) this.#onSequenceGap(step.gap);
      else if (phase.kind === 'tail' && offset >= phase.to) this.#enterLive(phase.isOutdated, [], () => this.replica.apply(step, offset));
      else this.replica.apply(step, offset);
    }
  }

  #sync(items: ReturnType<SyncParts['items']>, position: Position, reason: string | undefined, gaps: readonly StreamGapFrame[]): void {
    this.#enterLive(false, [], () => this.replica.replace(items, position, reason));
    this.#notifyGaps(gaps);
  }

  /**
   * Applies a frame of a server without positions. Such a server may send changes before the `sync` that already holds them. They are
   * applied again behind the `sync`, which does no harm.
   */
  #plain(frame: Frame): void {
    const phase = this.#phase;
    if (phase.kind === 'joining') {
      if (phase.early.push(frame) > MOST_EARLY) this.#joinLater('gap');
    } else if (phase.kind === 'live' && this.replica.position === undefined) this.replica.apply([frame], this.#count++);
  }

  #plainSync(items: ReturnType<SyncParts['items']>): void {
    const early = this.#phase.kind === 'joining' ? this.#phase.early : [];
    this.#enterLive(false, [], () => this.replica.replace(items, undefined, undefined));
    for (const frame of early) this.replica.apply([frame], this.#count++);
  }

  #notifyGaps(gaps: readonly StreamGapFrame[]): void {
    for (const { after, through, count } of gaps) this.replica.gaps.emit({ after, through, count });
  }

  /** Joins again from the known position, because frames are missing. */
  #onSequenceGap(what: string): void {
    this.#link.counters.holes++;
    this.#retry.countGap(this.#phase.kind === 'live' ? this.#link.clock.now() - this.#phase.since : 0);
    this.#fail(new StreamError('HOLE', what));
    this.#joinLater('gap');
  }

  #refuse(error: StreamError): void {
    this.#fail(error);
    this.#joinLater(error.code === 'TOO_MANY_SUBSCRIPTIONS' ? 'no place' : 'refused');
  }

  #joinLater(cause: 'gap' | 'refused' | 'no place'): void {
    if (this.#phase.kind === 'closed') return;
    const delayMs = this.#retry.delayMs(cause !== 'gap', this.#link.random());
    this.#enter({ kind: 'waiting', syncGaps: undefined, cause });
    // A listener of the status may have closed the client.
    if (this.#phase.kind !== 'waiting') return;
    if (delayMs === 0) this.#join();
    else this.#timer = this.#link.clock.setTimer(() => this.#join(), delayMs);
  }

  #join(): void {
    if (this.#phase.kind === 'closed') return;
    this.#enter({ kind: 'joining', syncGaps: undefined, early: [] });
    if (this.#phase.kind !== 'joining') return;
    this.#timer = this.#link.clock.setTimer(() => this.#joinLater('gap'), ANSWER_MS);
    this.#link.send(encodeJoin(this.id, this.target, this.#retry.startsAnew ? undefined : this.replica.position));
  }

  #end(): void {
    this.#lease.stop();
    this.#enter({ kind: 'closed' });
  }

  #enterLive(isOutdated: boolean, batch: Frame[], step?: () => void): void {
    const since = this.#phase.kind === 'live' ? this.#phase.since : this.#link.clock.now();
    this.#enter({ kind: 'live', syncGaps: undefined, isOutdated, batch, since }, step);
  }

  /** Enters a phase. `step` applies what leads there, after the phase has changed and before any listener runs. */
  #enter(phase: Phase, step?: () => void): void {
    this.#link.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    const wasLive = this.#phase.kind === 'live';
    const before = this.#status;
    this.#phase = phase;
    if (phase.kind === 'live') this.error = undefined;
    this.#status = statusOf(phase, this.replica.known);
    step?.();
    // A listener of the step may have closed the client.
    if (this.#phase !== phase) return;
    if (phase.kind === 'live' && !wasLive) this.#lease.again();
    if (before === this.#status) return;
    this.#notifier.request();
    this.statuses.emit(this.#status);
  }

  #fail(error: StreamError): void {
    this.error = error;
    this.#notifier.request();
    this.errors.emit(error);
    this.#link.report(error);
  }
}
