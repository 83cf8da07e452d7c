import type { Since, SyncReason } from '@rivulet/protocol';
import { Answer } from './answer.js';
import type { GroupFanout } from './group-fanout.js';
import type { Subscriber } from './subscriber.js';

/**
 * The cursor of one session into one group. A session has at most one subscription for each group; all its joins of the group are
 * memberships of that subscription.
 *
 * Data flow: `request` queues an answer for a join. `CatchUp` writes the first answer of the queue, and then calls `answered`, which makes
 * the membership active. `wants` decides which changes are sent, so a change is sent once for a socket, however many memberships match.
 * When the cursor is lost, `resync` queues a `sync` for each target that active memberships watch. A target is the group or one item.
 *
 * Invariants:
 * - Everything up to `cursor` was written to the subscriber, or was part of a snapshot that was written. -1: nothing was.
 * - The subscription is `live` only while its cursor is at the head of the log: then it shares the batch of the group. Otherwise a pump
 *   of its own moves the cursor.
 * - A `sync` in `#owedSyncs` is for active memberships. No change of its target is sent before it.
 *
 * Example: a client watches the group, falls behind the log, and joins the item `a`. `resync` has queued the group, `request` queues `a`
 * behind it. If `a` were answered first, its frames would count as news of a group that the client is about to replace.
 */
export class Subscription {
  readonly subscriber: Subscriber;
  readonly fanout: GroupFanout<Subscription>;
  /** Offset up to which the client has everything; -1 before the first answer. */
  cursor = -1;
  state: 'live' | 'catching_up' | 'closed' = 'catching_up';
  /** Answers that are owed, in the order in which they are written; absent when there is none. */
  #answers: OwedAnswer[] | undefined;
  /** Number of active memberships of the whole group. */
  #groupMembers = 0;
  /** Active memberships of each item; absent when there is none. Most items have one, so a set is made for the second. */
  #itemMembers: Map<string, Membership | Set<Membership>> | undefined;
  /** For each target with active memberships that needs a new `sync`: the queued answer. The key `undefined` is the whole group. */
  #owedSyncs: Map<string | undefined, OwedAnswer> | undefined;
  /** Active memberships, oldest first. */
  readonly #members = new Set<Membership>();
  /** History of the group that the cursor belongs to. */
  history: number;
  /** A pump of `CatchUp` runs. */
  pumping = false;
  /** Offset after which every change came with a flush of the group; -1 before the subscription was live. */
  liveFrom = -1;
  /** Offset at which the last catch-up began that moved the cursor, or that runs; -1 when it began without anything. */
  lagFrom = -1;
  /** Last offset to which a resync led, and the number of resyncs. */
  resyncedThrough = -1;
  resyncs = 0;

  constructor(subscriber: Subscriber, fanout: GroupFanout<Subscription>) {
    this.subscriber = subscriber;
    this.fanout = fanout;
    this.history = fanout.history;
  }

  /** Whether an active membership watches the whole group. */
  get watchesGroup(): boolean {
    return this.#groupMembers > 0;
  }

  /** Whether there is neither an active membership nor an owed answer. */
  get empty(): boolean {
    return this.#groupMembers === 0 && this.#itemMembers === undefined && this.#answers === undefined;
  }

  /** Items that active memberships watch. */
  get items(): Iterable<string> {
    return this.#itemMembers?.keys() ?? [];
  }

  /** The only item that is watched; `undefined` when the group or several items are. */
  get onlyItem(): string | undefined {
    if (this.#groupMembers > 0 || this.#itemMembers?.size !== 1) return undefined;
    return this.#itemMembers.keys().next().value;
  }

  /** Active memberships, oldest first. */
  get members(): ReadonlySet<Membership> {
    return this.#members;
  }

  /** Offset up to which the client was sent everything that it watches. The cursor of a live reader of items does not move at others. */
  get through(): number {
    return this.state === 'live' ? Math.max(this.cursor, this.fanout.flushed) : this.cursor;
  }

  /** Number of changes of the group that the client does not have yet; 0 while the subscription is live. */
  get lag(): number {
    return this.state === 'live' || this.cursor < 0 ? 0 : Math.max(0, this.fanout.log.head - this.cursor);
  }

  /**
   * Whether no change may be sent. A position-aware client drops frames by offset, and a frame of an item is also a frame of the group. So
   * nothing is sent until every watched target has its new `sync`; the cursor stays with the target that is furthest behind.
   */
  get holdsBack(): boolean {
    return this.#owedSyncs !== undefined && this.subscriber.positions;
  }

  /** Returns the memberships that an answer is for. */
  receivers(answer: OwedAnswer): readonly Membership[] {
    return answer.membership === undefined ? this.watching(answer.item) : [answer.membership];
  }

  /** Returns the active memberships of an item; `undefined` for those of the whole group. */
  watching(item: string | undefined): readonly Membership[] {
    if (item === undefined) return Array.from(this.#members).filter((member) => member.item === undefined);
    const watchers = this.#itemMembers?.get(item);
    if (watchers === undefined) return [];
    return watchers instanceof Set ? Array.from(watchers) : [watchers];
  }

  /**
   * Records that a target was shown as it is at `offset` of `history`. A position-aware client goes on from the target that is furthest
   * behind; it drops the frames that it has. Another client goes on from the newest target.
   */
  noteShown(offset: number, history: number): void {
    if (this.cursor < 0) {
      this.cursor = offset;
      this.history = history;
    } else this.cursor = this.subscriber.positions ? Math.min(this.cursor, offset) : Math.max(this.cursor, offset);
  }

  /** Returns whether a change of `item` is sent to the socket (spec ST §2.4). `undefined`: a change of the group without an item. */
  wants(item: string | undefined): boolean {
    if (this.wantsAll) return true;
    return item !== undefined && this.#itemMembers?.has(item) === true && !this.#awaitsSync(item);
  }

  /** Whether every change of the group is sent to the socket. */
  get wantsAll(): boolean {
    return this.#groupMembers > 0 && !this.#awaitsSync(undefined);
  }

  /** The answer that is written next; `undefined` when none is owed. */
  get nextAnswer(): OwedAnswer | undefined {
    return this.#answers?.[0];
  }

  /** Queues the answer of a join. No change is sent for the returned membership before the answer. */
  request(request: JoinRequest): Membership {
    const membership = new Membership(this, request);
    const { since, item } = request;
    this.#answers ??= [];
    this.#answers.push(new Answer(item, since === undefined ? { kind: 'waiting' } : { kind: 'resuming', since }, membership));
    return membership;
  }

  /**
   * Gives up the cursor and queues a `sync` for every target that is watched, with the reason for position-aware clients. Older answers
   * stay first, so that a reader which falls behind again and again still gets each of them.
   */
  resync(reason?: SyncReason): void {
    const gapAfter = this.cursor >= 0 && this.history === this.fanout.history ? this.cursor : undefined;
    const { history } = this.fanout;
    this.cursor = -1;
    this.history = history;
    const targets = [...(this.#groupMembers > 0 ? [undefined] : []), ...this.items].filter((item) => !this.#awaitsSync(item));
    this.#owe(
      targets.map((item) => new Answer<Membership>(item, { kind: 'syncing', reason, gapAfter, history })),
      'last',
    );
  }

  /** The first answer was written as a whole. Changes nothing when `answer` is not the first any more, because the client has left. */
  answered(answer: OwedAnswer): void {
    if (this.nextAnswer !== answer) return;
    const { membership } = answer;
    answer.end();
    this.#shift();
    if (membership !== undefined) this.#activate(membership);
    else this.#dropOwedSync(answer.item);
    if (!this.subscriber.positions && answer.item !== undefined) this.#awaitGroup(answer.item);
  }

  /**
   * The first answer was begun and can't be ended. A `sync` replaces it, and until then nothing is sent for its target. For
   * position-aware clients. Changes nothing when `answer` is not the first any more.
   */
  breakOff(answer: OwedAnswer, gapAfter: number | undefined): void {
    if (this.nextAnswer !== answer) return;
    const { membership } = answer;
    answer.breakOff(gapAfter, this.fanout.history);
    if (membership === undefined) return;
    this.#shift();
    this.#activate(membership);
    const owed = this.#owedSyncs?.get(answer.item);
    if (owed === undefined) this.#owe([answer], 'first');
    else owed.absorb(gapAfter);
  }

  /** Replaces reason and gap of an answer when they belong to a history that has ended. */
  freshen(answer: OwedAnswer): void {
    answer.restart(this.fanout.history, this.subscriber.positions ? this.fanout.brokenBy : undefined);
  }

  /** Ends a membership, whether its join was answered or not. */
  remove(membership: Membership): void {
    if (!membership.active) {
      this.#dropAnswer((answer) => answer.membership === membership);
      return;
    }
    membership.active = false;
    this.#members.delete(membership);
    const { item } = membership;
    if (item === undefined) {
      this.#groupMembers--;
      if (this.#groupMembers > 0) return;
    } else {
      const watchers = this.#itemMembers?.get(item);
      if (watchers instanceof Set) {
        watchers.delete(membership);
        if (watchers.size > 0) return;
      }
      this.#itemMembers?.delete(item);
      if (this.#itemMembers?.size === 0) this.#itemMembers = undefined;
    }
    // Nobody watches the target any more, so nobody needs its owed `sync`.
    const owed = this.#owedSyncs?.get(item);
    if (owed === undefined) return;
    this.#dropOwedSync(item);
    this.#dropAnswer((answer) => answer === owed);
  }

  /**
   * Queues an item again behind the group. Frames of the item would count as news of the group, so none are sent before the group has
   * its `sync`. A client without positions would miss them: it gets the item once more behind the group.
   */
  #awaitGroup(item: string): void {
    if (!this.#awaitsSync(undefined) || this.#awaitsSync(item) || this.#itemMembers?.has(item) !== true) return;
    this.#owe([new Answer<Membership>(item, { kind: 'waiting' })], 'last');
  }

  #awaitsSync(item: string | undefined): boolean {
    return this.#owedSyncs?.has(item) === true;
  }

  /** Queues answers for targets that are watched already. */
  #owe(answers: readonly OwedAnswer[], place: 'first' | 'last'): void {
    if (answers.length === 0) return;
    this.#owedSyncs ??= new Map();
    for (const answer of answers) this.#owedSyncs.set(answer.item, answer);
    this.#answers = place === 'first' ? [...answers, ...(this.#answers ?? [])] : [...(this.#answers ?? []), ...answers];
  }

  /** Removes the first answer from the queue. */
  #shift(): void {
    this.#answers?.shift();
    if (this.#answers?.length === 0) this.#answers = undefined;
  }

  #dropAnswer(isDropped: (answer: OwedAnswer) => boolean): void {
    this.#answers = this.#answers?.filter((answer) => !isDropped(answer));
    if (this.#answers?.length === 0) this.#answers = undefined;
  }

  #dropOwedSync(item: string | undefined): void {
    this.#owedSyncs?.delete(item);
    if (this.#owedSyncs?.size === 0) this.#owedSyncs = undefined;
  }

  #activate(membership: Membership): void {
    membership.active = true;
    this.#members.add(membership);
    const { item } = membership;
    if (item === undefined) {
      this.#groupMembers++;
      return;
    }
    this.#itemMembers ??= new Map();
    const watchers = this.#itemMembers.get(item);
    if (watchers === undefined) this.#itemMembers.set(item, membership);
    else if (watchers instanceof Set) watchers.add(membership);
    else this.#itemMembers.set(item, new Set([watchers, membership]));
  }
}

/** The wish of a client to watch an item or a group. */
export interface JoinRequest {
  readonly subscriptionId: string;
  /** `undefined` for the whole group. */
  readonly item: string | undefined;
  /** The position that the client has already; `undefined` when it has none. */
  readonly since: Since | undefined;
}

/** One join of a session, named by the subscription id of the client. All memberships of a group share the cursor of its subscription. */
export class Membership {
  readonly subscription: Subscription;
  readonly id: string;
  readonly item: string | undefined;
  /** The join was answered: from then on changes are sent for it. */
  active = false;
  /** The client got `stale`, and nothing yet that ends it (rule RV-17). */
  outdated = false;
  /** Offset to which the answer of the join led; -1 before. Later changes are frames of their own, unless a resync stands for them. */
  from = -1;
  /** Offset of the position that the client had, and that the answer went on from; -1 for none. */
  since = -1;

  constructor(subscription: Subscription, { subscriptionId, item }: JoinRequest) {
    this.subscription = subscription;
    this.id = subscriptionId;
    this.item = item;
  }

  /** Returns whether a change of `item` is for this membership. */
  wants(item: string | undefined): boolean {
    return this.item === undefined || this.item === item;
  }
}

/** An answer that a subscription owes one of its memberships, or all that watch the same. */
export type OwedAnswer = Answer<Membership>;
