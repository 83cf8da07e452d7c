import type { GroupRef } from '../../store/store.js';
import { PairMap } from '../../structures/pair-map.js';
import type { Hub } from '../fanout/hub.js';
import type { Membership, Subscription } from '../fanout/subscription.js';

/** Memberships up to which a search costs less than an index of the groups. Most sessions have fewer. */
const SEARCHED = 8;

/**
 * The memberships of one session by subscription id, and its subscriptions by group. A session has one subscription for each group, which
 * all memberships of the group share.
 */
export class SessionMemberships {
  readonly #byId = new Map<string, Membership>();
  /** Present from the first time that the session has more than `SEARCHED` memberships. */
  #byGroup: PairMap<Subscription> | undefined;

  get size(): number {
    return this.#byId.size;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  get(id: string): Membership | undefined {
    return this.#byId.get(id);
  }

  entries(): IterableIterator<[id: string, membership: Membership]> {
    return this.#byId.entries();
  }

  values(): IterableIterator<Membership> {
    return this.#byId.values();
  }

  /** Adds a membership, or replaces the one with the same id. */
  set(id: string, membership: Membership): void {
    this.#byId.set(id, membership);
    if (this.#byGroup !== undefined) this.#index(membership.subscription);
    else if (this.#byId.size > SEARCHED) {
      this.#byGroup = new PairMap();
      for (const { subscription } of this.#byId.values()) this.#index(subscription);
    }
  }

  delete(id: string): void {
    this.#byId.delete(id);
  }

  /** Forgets a subscription that the hub has closed. */
  forget(subscription: Subscription): void {
    const { stream, group } = subscription.fanout;
    if (this.#byGroup?.get(stream, group) === subscription) this.#byGroup.delete(stream, group);
  }

  /** Returns the subscription of this session to a group; `undefined` when it watches nothing of the group. */
  subscriptionOf({ stream, group }: GroupRef): Subscription | undefined {
    if (this.#byGroup !== undefined) return this.#byGroup.get(stream, group);
    for (const { subscription } of this.#byId.values()) {
      if (subscription.fanout.stream === stream && subscription.fanout.group === group) return subscription;
    }
    return undefined;
  }

  /** The lag of the subscription that is furthest behind. */
  get lag(): number {
    let lag = 0;
    for (const { subscription } of this.#byId.values()) lag = Math.max(lag, subscription.lag);
    return lag;
  }

  /** Returns the time at which the last available group became unavailable; `undefined` while one is available, or without groups. */
  unavailableSince(hub: Pick<Hub, 'unavailableSince'>): number | undefined {
    let since: number | undefined;
    for (const { subscription } of this.#byId.values()) {
      const unavailable = hub.unavailableSince(subscription);
      if (unavailable === undefined) return undefined;
      since = Math.max(since ?? unavailable, unavailable);
    }
    return since;
  }

  #index(subscription: Subscription): void {
    this.#byGroup?.set(subscription.fanout.stream, subscription.fanout.group, subscription);
  }
}
