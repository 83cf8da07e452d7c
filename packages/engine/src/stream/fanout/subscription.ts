import type { Since, SyncReason } from '@rivulet/protocol';
import type { GroupFanout } from './group-fanout.js';

/** What the hub sees of a session: somewhere to write frames, which may be full. */
export interface Subscriber {
  /** Whole frames; the buffer may be shared and must not change. */
  write(frames: Buffer): void;
  /** False while the socket is above its watermark or in the middle of a fragmented message: nothing may be written then. */
  readonly ready: boolean;
  readonly open: boolean;
  /** The client has said that it knows positions: it may get control frames, and a large `sync` in parts. */
  readonly positions: boolean;
  /** Resolves when `ready` or `hasRoom` may have become true, or when the session closed: look again. */
  whenChanged(): Promise<void>;
  /** Below the watermark; what the holder of the socket looks at between fragments. */
  readonly hasRoom: boolean;
  /**
   * Takes the socket for one message in several fragments: `ready` is false for everyone until `unlock`. False while it is not `ready`.
   * Looking and taking are one step, since another pump of the same socket may run between two steps.
   */
  tryLock(): boolean;
  /** Only by who took it. */
  unlock(): void;
  /** Ends the connection: what was begun on it can't be completed, because of an error or because the reader takes nothing. */
  fail(because: 'internal' | 'tryLater'): void;
}

/**
 * One session's cursor into one group; a session never has two for the same group. It is `live` while it stands at the head and
 * shares the batch, and `catching_up` while it joins or lags: then a pump of its own moves the cursor.
 */
export class Subscription {
  readonly subscriber: Subscriber;
  readonly fanout: GroupFanout<Subscription>;
  /** Everything up to here was written to the subscriber, or was part of a snapshot that was. */
  cursor = -1;
  state: 'live' | 'catching_up' | 'closed' = 'catching_up';
  /** What still waits for its `sync`, in order; absent when nothing does. */
  #pendingSyncs: SyncTarget[] | undefined;
  /** How many memberships watch the whole group. */
  #groupMembers = 0;
  /** How many memberships watch each item; absent until there is one. */
  #itemMembers: Map<string, number> | undefined;
  /** Targets that are watched and whose `sync` is due again; nothing is sent for them before it. */
  #stale: SyncTarget[] | undefined;
  /** What it watches by now, each from its `sync` or resumption on; several may watch the same. */
  readonly #members: Membership[] = [];
  /** The group's history that the cursor belongs to. */
  history: number;
  pumping = false;

  constructor(subscriber: Subscriber, fanout: GroupFanout<Subscription>) {
    this.subscriber = subscriber;
    this.fanout = fanout;
    this.history = fanout.history;
  }

  get watchesGroup(): boolean {
    return this.#groupMembers > 0;
  }

  get empty(): boolean {
    return this.#groupMembers === 0 && this.#itemMembers === undefined && this.#pendingSyncs === undefined;
  }

  get items(): Iterable<string> {
    return this.#itemMembers?.keys() ?? [];
  }

  /** The only item that it watches; `undefined` when it watches the group or several items. */
  get onlyItem(): string | undefined {
    if (this.#groupMembers > 0 || this.#itemMembers?.size !== 1) return undefined;
    return this.#itemMembers.keys().next().value;
  }

  /** The memberships that count, oldest first. */
  get members(): readonly Membership[] {
    return this.#members;
  }

  /** Changes of the group that it does not have yet: 0 while it is live. */
  get lag(): number {
    return this.state === 'live' || this.cursor < 0 ? 0 : Math.max(0, this.fanout.log.head - this.cursor);
  }

  /**
   * Something that is watched waits for a new `sync`, and the client drops what it has by offset: nothing is sent before all of it is there,
   * for a frame of an item is one of the group too. The cursor stays with what is furthest behind.
   */
  get holdsBack(): boolean {
    return this.#stale !== undefined && this.subscriber.positions;
  }

  /** Whom a `sync` of that target is for. */
  receivers(target: SyncTarget): readonly Membership[] {
    return target instanceof Membership ? [target] : this.#members.filter(({ item }) => item === target.item);
  }

  /**
   * Something was shown as it is at `offset`, in the history that the fan-out had then. Who drops what it has by offset goes on from what is
   * furthest behind, whatever was left meanwhile.
   */
  noteShown(offset: number, history: number): void {
    if (this.cursor < 0) {
      this.cursor = offset;
      this.history = history;
    } else this.cursor = this.subscriber.positions ? Math.min(this.cursor, offset) : Math.max(this.cursor, offset);
  }

  /** Which changes are for it: one frame per socket and change, however many memberships match (spec ST §2.4). */
  wants(item: string | undefined): boolean {
    if (this.wantsAll) return true;
    return item !== undefined && this.#itemMembers?.has(item) === true && !this.#isStale(item);
  }

  /** Every change of the group is for it. */
  get wantsAll(): boolean {
    return this.#groupMembers > 0 && !this.#isStale(undefined);
  }

  /** The next `sync` to send; `undefined` when none is due. */
  get nextSync(): SyncTarget | undefined {
    return this.#pendingSyncs?.[0];
  }

  /** A membership asks to watch an item or the group. It counts from its `sync` on: nothing is sent for it before. */
  request(membership: Membership): void {
    this.#pendingSyncs ??= [];
    this.#pendingSyncs.push(membership);
  }

  /**
   * The cursor can't be served any more: it is given up, and everything that is watched gets a `sync` again, with the reason for clients
   * that know positions. What waits for one already goes first, so that a reader which falls behind over and over again still gets each in
   * its turn.
   */
  resync(reason?: SyncReason): void {
    const gapAfter = this.cursor >= 0 && this.history === this.fanout.history ? this.cursor : undefined;
    this.cursor = -1;
    this.history = this.fanout.history;
    const of = this.history;
    const fresh: SyncTarget[] = this.#groupMembers > 0 && !this.#isStale(undefined) ? [{ item: undefined, reason, gapAfter, of }] : [];
    for (const item of this.items) if (!this.#isStale(item)) fresh.push({ item, reason, gapAfter, of });
    if (fresh.length === 0) return;
    this.#stale = [...(this.#stale ?? []), ...fresh];
    this.#pendingSyncs = [...(this.#pendingSyncs ?? []), ...fresh];
  }

  /** Only for the target that `nextSync` names. */
  syncDone(): void {
    const target = this.#pendingSyncs?.shift();
    if (this.#pendingSyncs?.length === 0) this.#pendingSyncs = undefined;
    if (target === undefined) return;
    if (target instanceof Membership) this.#count(target);
    else this.#refreshed(target);
    if (!this.subscriber.positions && target.item !== undefined) this.#waitForGroup(target.item);
  }

  /**
   * The answer to the target that `nextSync` names was begun and not ended: it gets a `sync` in its place, and until then nothing is sent. For
   * who knows positions; it has everything up to `gapAfter`.
   */
  brokeOff(gapAfter: number | undefined): void {
    const target = this.#pendingSyncs?.[0];
    if (!(target instanceof Membership)) {
      if (target !== undefined) target.reason ??= 'restarted';
      return;
    }
    this.syncDone();
    const stale = this.#stale?.find(({ item }) => item === target.item);
    if (stale !== undefined) {
      stale.reason ??= 'restarted';
      if (gapAfter !== undefined && stale.gapAfter !== undefined) stale.gapAfter = Math.min(gapAfter, stale.gapAfter);
      return;
    }
    const again: SyncTarget = { item: target.item, reason: target.reason ?? 'restarted', gapAfter, of: this.fanout.history };
    this.#stale = [...(this.#stale ?? []), again];
    this.#pendingSyncs = [again, ...(this.#pendingSyncs ?? [])];
  }

  /** What was to be said with a `sync` of a history that has ended since says nothing of the present one. */
  freshen(target: SyncTarget): void {
    if (target.of === undefined || target.of === this.fanout.history) return;
    target.of = this.fanout.history;
    target.gapAfter = undefined;
    target.reason = this.subscriber.positions ? this.fanout.brokenBy : undefined;
  }

  /** Frames of the item would be news of the group before its `sync`: those who drop nothing by offset get the item again behind that. */
  #waitForGroup(item: string): void {
    if (!this.#isStale(undefined) || this.#isStale(item) || this.#itemMembers?.has(item) !== true) return;
    const again: SyncTarget = { item };
    this.#stale = [...(this.#stale ?? []), again];
    this.#pendingSyncs = [...(this.#pendingSyncs ?? []), again];
  }

  /** Ends a membership, whether its `sync` was sent or not. */
  remove(membership: Membership): void {
    if (!membership.active) {
      this.#dropSyncs((target) => target === membership);
      return;
    }
    membership.active = false;
    this.#members.splice(this.#members.indexOf(membership), 1);
    const { item } = membership;
    if (item === undefined) {
      this.#groupMembers--;
      if (this.#groupMembers === 0) this.#dropSyncs((target) => target.item === undefined && !(target instanceof Membership));
      return;
    }
    const count = this.#itemMembers?.get(item) ?? 0;
    if (count > 1) {
      this.#itemMembers?.set(item, count - 1);
      return;
    }
    this.#itemMembers?.delete(item);
    if (this.#itemMembers?.size === 0) this.#itemMembers = undefined;
    // One that `resync` asked for is of no use to anybody now.
    this.#dropSyncs((target) => target.item === item && !(target instanceof Membership));
  }

  #isStale(item: string | undefined): boolean {
    return this.#stale?.some((target) => target.item === item) === true;
  }

  #refreshed(target: SyncTarget): void {
    this.#stale = this.#stale?.filter((other) => other !== target);
    if (this.#stale?.length === 0) this.#stale = undefined;
  }

  #dropSyncs(of: (target: SyncTarget) => boolean): void {
    for (const target of this.#pendingSyncs?.filter(of) ?? []) this.#refreshed(target);
    this.#pendingSyncs = this.#pendingSyncs?.filter((target) => !of(target));
    if (this.#pendingSyncs?.length === 0) this.#pendingSyncs = undefined;
  }

  #count(membership: Membership): void {
    membership.active = true;
    this.#members.push(membership);
    const { item } = membership;
    if (item === undefined) {
      this.#groupMembers++;
      return;
    }
    this.#itemMembers ??= new Map();
    this.#itemMembers.set(item, (this.#itemMembers.get(item) ?? 0) + 1);
  }
}

/** What one `sync` shows: an item, or the whole group when `item` is `undefined`. */
export interface SyncTarget {
  readonly item: string | undefined;
  /** Why the client gets it although it had a position. */
  reason?: SyncReason | undefined;
  /** It had everything up to here: events after it are lost. `undefined`: it had nothing, or another history. */
  gapAfter?: number | undefined;
  /** The history of the fan-out that reason and gap are of; `undefined`: there are none. */
  of?: number | undefined;
}

/** What a client asks for when it joins. */
export interface JoinRequest {
  readonly subscriptionId: string;
  /** `undefined`: the whole group. */
  readonly item: string | undefined;
  /** Where the client stands already. */
  readonly since: Since | undefined;
}

/** One join of a session, named by the client's subscription id: a share in the cursor of its group. */
export class Membership implements SyncTarget {
  readonly subscription: Subscription;
  readonly id: string;
  readonly item: string | undefined;
  /** Where the client says that it stands, until that is answered. */
  since: Since | undefined;
  reason: SyncReason | undefined;
  gapAfter: number | undefined;
  of: number | undefined;
  /** From its `sync` or resumption on. */
  active = false;
  /** It was told `stale`, and nothing yet that ends it (rule RV-17). */
  outdated = false;

  constructor(subscription: Subscription, { subscriptionId, item, since }: JoinRequest) {
    this.subscription = subscription;
    this.id = subscriptionId;
    this.item = item;
    this.since = since;
  }

  wants(item: string | undefined): boolean {
    return this.item === undefined || this.item === item;
  }
}
