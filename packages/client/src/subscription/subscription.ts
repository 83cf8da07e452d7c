import {
  BATCH_WRITES,
  type GroupSyncFrame,
  type ItemSyncFrame,
  type Position,
  type StreamChangeFrame,
  type StreamErrorFrame,
  type StreamGapFrame,
  type StreamResumedFrame,
} from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import { type BackoffOptions, backoffDelay } from '../connection/backoff.js';
import type { Clock } from '../connection/clock.js';
import { encodeJoin, encodeLeave, type Target } from './join.js';
import { LeaseSender } from './lease-sender.js';
import { Listeners } from './listeners.js';
import { Notice } from './notice.js';
import { Replica } from './replica.js';
import { APART, type Frame, isAnswered, LIVE, type Phase, stage } from './subscription-phase.js';
import { itemsOfGroup, itemsOfItem, SyncParts } from './sync-parts.js';

/**
 * - `connecting`: nothing is known yet.
 * - `live`: every change is shown as it comes.
 * - `stale`: the last known state is shown; changes are missing, or being caught up with, or the engine can't reach its store.
 * - `closed`: for good.
 */
export type Status = 'connecting' | 'live' | 'stale' | 'closed';

/** What a subscription needs of the client. */
export interface SubscriptionLink {
  readonly clock: Clock;
  readonly random: () => number;
  /** Sends on the open connection; without one nothing is sent. */
  send(text: string): void;
  readonly counters: { holes: number; duplicates: number };
  report(error: StreamError): void;
}

/** Milliseconds without an answer after which a join is made again: servers that fail to read a group say nothing. */
const ANSWER_MS = 60_000;
/** Milliseconds of being live after which trouble counts as new. */
const PROVEN_MS = 5_000;
/** Holes in a row after which it begins anew from a `sync`. */
const MOST_HOLES = 3;
/** Frames that are held until the `sync` of a server without positions comes. */
const MOST_EARLY = 10_000;
/** Gaps that wait for the changes that they come with. */
const MOST_GAPS = 1_024;
const AGAIN: BackoffOptions = { initialDelayMs: 1_000, firstDelayMs: 0, maxDelayMs: 20_000, multiplier: 2 };
const REFUSED: BackoffOptions = { initialDelayMs: 2_000, maxDelayMs: 60_000, multiplier: 2 };

/** One join on the wire and the replica that follows it, however many views look at it. Comes back with each connection, from where it was. */
export class Subscription {
  readonly id: string;
  readonly target: Target;
  readonly replica = new Replica(() => this.#notice.request());
  readonly statuses = new Listeners<Status>();
  readonly errors = new Listeners<StreamError>();
  /** Something to see has changed; coalesced. */
  readonly notices = new Listeners<void>();
  readonly #notice: Notice;
  readonly #link: SubscriptionLink;
  readonly #lease: LeaseSender;
  /** A persistent copy is being read: joining waits for its position. */
  #held = true;
  #connected = false;
  #phase: Phase = APART;
  /** The next `sync` with a position is for it; others are for others on this connection (RV-16). */
  #named = false;
  /** The engine can't tell what happens (RV-17). */
  #outdated = false;
  /** Frames of a batch whose last one is not there yet. */
  #batch: Frame[] = [];
  #status: Status = 'connecting';
  #timer: unknown;
  #strikes = 0;
  #holes = 0;
  #liveAt = 0;
  /** Counts what a server without positions does not: its items have no `created`. */
  #count = 0;
  /** The server of this connection has shown positions. */
  positioned = false;
  /** It has joined on this connection, and has to leave. */
  #asked = false;
  /** Of the last refusal or failure; `undefined` once live. */
  error: StreamError | undefined;

  constructor(id: string, target: Target, link: SubscriptionLink) {
    this.id = id;
    this.target = target;
    this.#link = link;
    this.#notice = new Notice(link.clock, () => this.notices.emit());
    this.#lease = new LeaseSender(link.clock, (text) => {
      if (this.#phase.kind === 'live') link.send(text);
    });
  }

  get status(): Status {
    return this.#status;
  }

  /** Nothing is to be read any more before it joins. */
  release(): void {
    this.#held = false;
    if (this.#connected) this.#join();
  }

  onOpen(): void {
    if (this.#connected) return;
    this.#connected = true;
    this.#strikes = this.#holes = 0;
    if (!this.#held) this.#join();
  }

  onLost(): void {
    if (this.#status === 'closed') return;
    this.#connected = false;
    this.positioned = false;
    this.#asked = false;
    this.#enter(APART);
  }

  /** The connection had no place for it. */
  get isTurnedAway(): boolean {
    return this.#phase.kind === 'waiting' && this.error?.code === 'TOO_MANY_SUBSCRIPTIONS';
  }

  /** Joins now, because a place is free. */
  onPlaceFree(): void {
    if (this.isTurnedAway) this.#join();
  }

  /** What refused it may have changed. */
  onRefreshed(): void {
    if (this.#phase.kind === 'waiting' && this.#phase.refused) this.#join();
  }

  close(): void {
    if (this.#status === 'closed') return;
    if (this.#asked) this.#link.send(encodeLeave(this.id, this.target));
    this.#end();
  }

  /** Throws `VALUE_TOO_LARGE`. Sent when it is live. */
  lease(data: unknown): void {
    this.#lease.set(this.id, data);
  }

  onUnauthorized(): void {
    if (this.#phase.kind === 'joining') this.#refuse(new StreamError('FORBIDDEN', 'the group may not be watched'));
  }

  onError({ code, message }: StreamErrorFrame): void {
    const error = new StreamError(code, message);
    if (code === 'INVALID_ID') {
      this.#tell(error);
      this.#end();
    } else if (code === 'FORBIDDEN' || code === 'TOO_MANY_SUBSCRIPTIONS') {
      if (this.#phase.kind !== 'waiting') this.#refuse(error);
    } else this.#tell(error);
  }

  onFrame(frame: Frame): void {
    if (frame.offset === undefined) {
      this.#plain(frame);
      return;
    }
    const phase = this.#phase;
    switch (phase.kind) {
      // Of another subscription to the same group; the answer to the own join is still to come.
      case 'apart':
      case 'joining':
      case 'waiting':
        return;
      case 'parts':
        if (frame.offset > phase.parts.position.offset) this.#hole('a change came inside a sync in parts');
        return;
      case 'changes':
        if (frame.offset > phase.to) this.#hole('a change came before everything before it');
        else if (frame.type !== 'event') stage(phase.staged, frame);
        return;
      case 'tail':
      case 'live':
        // Compacted changes are for another subscription of the group: this one has them, or will.
        if (frame.type === 'event' || frame.created === undefined) this.#follow(frame, frame.offset);
        return;
      default:
        phase satisfies never;
    }
  }

  onSyncing(): void {
    if (this.#phase.kind === 'apart') return;
    this.positioned = true;
    this.#named = true;
  }

  onGroupSync(frame: GroupSyncFrame): void {
    if (this.#phase.kind === 'apart') return;
    const { position, ids, created } = frame;
    if (position === undefined) {
      this.#plainSync(itemsOfGroup(frame.data, () => this.#count++));
      return;
    }
    if (!this.#named) return;
    if (ids === undefined || created === undefined) {
      this.#hole('a sync with a position does not name its items');
      return;
    }
    let { parts, gaps } = this.#phase.kind === 'parts' ? this.#phase : { parts: undefined, gaps: [] };
    if (parts === undefined || !parts.add(frame, ids, created)) {
      if ((frame.part ?? 0) > 0) {
        this.#hole('parts of a sync are missing');
        return;
      }
      parts = new SyncParts(frame, position, ids, created);
      gaps = [];
    }
    if (frame.last) this.#sync(parts.items(), position, parts.reason, gaps);
    else this.#enter({ kind: 'parts', parts, gaps });
  }

  onItemSync(frame: ItemSyncFrame): void {
    if (this.#phase.kind === 'apart') return;
    if (frame.position === undefined) {
      this.#plainSync(frame.data === null ? [] : itemsOfItem(frame, this.#count++));
      return;
    }
    if (!this.#named) return;
    const missing = frame.data === null && frame.created === undefined;
    this.#sync(missing ? [] : itemsOfItem(frame, frame.created ?? frame.position.offset), frame.position, frame.reason, []);
  }

  onResumed({ mode, epoch, from, to }: StreamResumedFrame): void {
    if (this.#phase.kind === 'apart') return;
    this.positioned = true;
    const known = this.replica.position;
    // Of the group an item gets only its own changes: a server that goes on from its place in the group may be ahead of the last of them.
    const ahead = this.target.item !== undefined && this.#phase.kind === 'live';
    if (known === undefined || known.epoch !== epoch || (!ahead && from > this.#covered(known))) {
      this.#hole('what is resumed does not meet what is known');
      return;
    }
    if (mode === 'changes') {
      const staged = new Map<string, StreamChangeFrame>();
      // The rest of a batch may come compacted.
      for (const frame of this.#batch) if (frame.type !== 'event') stage(staged, frame);
      this.#batch = [];
      this.#enter({ kind: 'changes', to, staged, gaps: [] });
      // The position of an item is not known to be `to` before something says so; it shows what it has meanwhile.
    } else if (this.target.item === undefined && to > known.offset) this.#enter({ kind: 'tail', to });
    else this.#enter(LIVE);
  }

  /** Before the join is answered it is about an earlier one. */
  onStale(): void {
    if (!isAnswered(this.#phase)) return;
    this.#outdated = true;
    this.#enter(this.#phase);
  }

  onCaughtUp(epoch: string, offset: number): void {
    const phase = this.#phase;
    const known = this.replica.position;
    if (known === undefined) return;
    if (this.#outdated && (phase.kind === 'live' || phase.kind === 'tail')) {
      this.#outdated = false;
      // An item gets its own changes only: it is behind the group.
      if (epoch === known.epoch && (this.target.item !== undefined || offset <= this.#covered(known))) this.#enter(LIVE);
      else this.#hole('it caught up with what is not here');
      return;
    }
    if (phase.kind !== 'changes') return;
    if (offset !== phase.to || epoch !== known.epoch) {
      this.#hole('it caught up with something else');
      return;
    }
    const frames = [...phase.staged.values()].filter((frame) => (frame.offset ?? 0) > known.offset);
    frames.sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0));
    this.#outdated = false;
    // Before anyone is told: who is told sees a status that fits what it sees.
    this.#enter(LIVE, () => this.replica.apply(frames, offset));
    this.#tellGaps(phase.gaps);
  }

  onGap(gap: StreamGapFrame): void {
    if (this.#phase.kind === 'changes' || this.#phase.kind === 'parts') {
      if (this.#phase.gaps.push(gap) > MOST_GAPS) this.#hole('gaps do not end');
    } else if (this.#phase.kind !== 'apart') this.#tellGaps([gap]);
  }

  /** The offset up to which everything is here, be it in a batch that is not complete. */
  #covered(known: Position): number {
    return this.#batch.at(-1)?.offset ?? known.offset;
  }

  #follow(frame: Frame, offset: number): void {
    const known = this.replica.position;
    if (known === undefined) return;
    const covered = this.#covered(known);
    if (offset <= covered) {
      this.#link.counters.duplicates++;
      return;
    }
    // An item gets the changes of the item only: others take offsets too, and the last one of a batch may be another's.
    if (this.target.item !== undefined) {
      this.replica.apply([frame], offset);
      return;
    }
    const through = frame.type === 'event' ? undefined : frame.through;
    const open = this.#batch[0];
    const fits = open === undefined || open.type === 'event' || open.through === through;
    if (offset !== covered + 1 || !fits) {
      this.#hole(`offset ${offset} came after ${covered}`);
      return;
    }
    if (through !== undefined && through > offset) {
      if (this.#batch.push(frame) >= BATCH_WRITES) this.#hole('a batch does not end');
      return;
    }
    const step = [...this.#batch, frame];
    this.#batch = [];
    const phase = this.#phase;
    if (phase.kind === 'tail' && offset >= phase.to) this.#enter(LIVE, () => this.replica.apply(step, offset));
    else this.replica.apply(step, offset);
  }

  #sync(items: ReturnType<SyncParts['items']>, position: Position, reason: string | undefined, gaps: readonly StreamGapFrame[]): void {
    this.#batch = [];
    this.#outdated = false;
    this.#enter(LIVE, () => this.replica.replace(items, position, reason));
    this.#tellGaps(gaps);
  }

  /** Servers without positions may send changes before the `sync` that holds them already; applied again behind it they do no harm. */
  #plain(frame: Frame): void {
    const phase = this.#phase;
    if (phase.kind === 'joining') {
      if (phase.early.push(frame) > MOST_EARLY) this.#again(AGAIN, false);
    } else if (phase.kind === 'live' && this.replica.position === undefined) this.replica.apply([frame], this.#count++);
  }

  #plainSync(items: ReturnType<SyncParts['items']>): void {
    const early = this.#phase.kind === 'joining' ? this.#phase.early : [];
    this.#enter(LIVE, () => this.replica.replace(items, undefined, undefined));
    for (const frame of early) this.replica.apply([frame], this.#count++);
  }

  #tellGaps(gaps: readonly StreamGapFrame[]): void {
    for (const { after, through, count } of gaps) this.replica.gaps.emit({ after, through, count });
  }

  #hole(what: string): void {
    this.#link.counters.holes++;
    if (this.#phase.kind === 'live' && this.#link.clock.now() - this.#liveAt > PROVEN_MS) this.#strikes = this.#holes = 0;
    this.#holes++;
    this.#tell(new StreamError('HOLE', what));
    this.#again(AGAIN, false);
  }

  #refuse(error: StreamError): void {
    this.#tell(error);
    this.#again(REFUSED, true);
  }

  #again(backoff: BackoffOptions, refused: boolean): void {
    const delay = backoffDelay(this.#strikes++, this.#link.random(), backoff);
    this.#enter({ kind: 'waiting', refused });
    if (delay === 0) this.#join();
    else this.#timer = this.#link.clock.setTimer(() => this.#join(), delay);
  }

  #join(): void {
    if (this.#status === 'closed') return;
    const since = this.#holes < MOST_HOLES ? this.replica.position : undefined;
    this.#enter({ kind: 'joining', early: [] });
    this.#timer = this.#link.clock.setTimer(() => this.#again(AGAIN, false), ANSWER_MS);
    this.#asked = true;
    this.#link.send(encodeJoin(this.id, this.target, since));
  }

  #end(): void {
    this.#link.clock.clearTimer(this.#timer);
    this.#phase = APART;
    this.#batch = [];
    this.#lease.stop();
    this.#status = 'closed';
    this.#tellStatus('closed');
  }

  /** `step` is what brings it there: done after the change of phase and before anyone hears of either. */
  #enter(phase: Phase, step?: () => void): void {
    this.#link.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    if (phase.kind !== 'live' && phase.kind !== 'tail') this.#batch = [];
    if (phase.kind !== 'parts') this.#named = false;
    if (!isAnswered(phase)) this.#outdated = false;
    const wasLive = this.#phase.kind === 'live';
    this.#phase = phase;
    const isLive = phase.kind === 'live';
    if (isLive) this.error = undefined;
    const before = this.#status;
    const status = isLive && !this.#outdated ? 'live' : this.replica.known ? 'stale' : 'connecting';
    this.#status = status;
    step?.();
    // Who was told of the step may have closed it.
    if (this.#status !== status) return;
    if (isLive && !wasLive) {
      this.#liveAt = this.#link.clock.now();
      this.#lease.again();
    }
    if (before !== status) this.#tellStatus(status);
  }

  #tellStatus(status: Status): void {
    this.#notice.request();
    this.statuses.emit(status);
  }

  #tell(error: StreamError): void {
    this.error = error;
    this.#notice.request();
    this.errors.emit(error);
    this.#link.report(error);
  }
}
