import type { Position } from '@rivulet/protocol';
import type { CallGroup } from '../calls/call-types.js';
import { targetKey } from '../subscription/join.js';
import type { Unsubscribe } from '../subscription/listeners.js';
import type { Item } from '../subscription/mirror.js';
import type { ItemOverlay } from '../subscription/replica.js';
import type { Subscription } from '../subscription/subscription.js';
import type { Status } from '../subscription/subscription-phase.js';
import { type Effects, isSameData, itemAfter, merge, type Overlaid } from './effects.js';

/** The members of a subscription that a layer needs. */
export type LayerTarget = Pick<Subscription, 'target' | 'replica' | 'status' | 'statuses' | 'errors' | 'isRefused'>;

/** Gets the news of the layers. */
export interface LayerOwner {
  /** Brings all layers up to date. */
  refresh(): void;
  moved(layer: DraftLayer): void;
  entered(layer: DraftLayer, status: Status): void;
}

const NONE: Overlaid = new Map();

/** Returns a text that is the same for all targets of one group. */
export function keyOf({ stream, group }: CallGroup): string {
  return targetKey({ stream, group, item: undefined });
}

/**
 * The items that the views of one target show while calls are pending: those of the replica, with the effects of drafts. The replica stays
 * as the server says.
 */
export class DraftLayer implements ItemOverlay {
  readonly subscription: LayerTarget;
  readonly #owner: LayerOwner;
  #shown = NONE;
  /** The next `#shown`, while the owner puts it together. */
  #staged = new Map<string, Item<unknown> | undefined>();
  #merged: { readonly base: readonly Item<unknown>[]; readonly items: readonly Item<unknown>[] } | undefined;
  readonly #ends: readonly Unsubscribe[];
  /** The epochs that the replica has left since the layer was made. */
  readonly #left = new Set<string>();
  /** Counts the states that replaced all items, except those that the page had before. */
  syncs = 0;
  /** Whether the replica followed the server before the current step. */
  wasLive: boolean;
  /** The position that the replica has reached by single frames of the server while it was live. */
  followed: Position | undefined;

  constructor(subscription: LayerTarget, owner: LayerOwner) {
    this.subscription = subscription;
    this.#owner = owner;
    this.wasLive = subscription.status === 'live';
    subscription.replica.overlay = this;
    const check = () => owner.entered(this, subscription.status);
    this.#ends = [subscription.statuses.add(check), subscription.errors.add(check)];
  }

  get items(): readonly Item<unknown>[] {
    this.#owner.refresh();
    const base = this.subscription.replica.mirror.items;
    if (this.#merged?.base !== base) this.#merged = { base, items: merge(base, this.#shown) };
    return this.#merged.items;
  }

  get size(): number {
    this.#owner.refresh();
    const { mirror } = this.subscription.replica;
    let { size } = mirror;
    for (const [id, item] of this.#shown) size += Number(item !== undefined) - Number(mirror.get(id) !== undefined);
    return size;
  }

  get(id: string): Item<unknown> | undefined {
    this.#owner.refresh();
    return this.#shown.has(id) ? this.#shown.get(id) : this.subscription.replica.mirror.get(id);
  }

  moved(): void {
    if (this.wasLive) this.followed = this.subscription.replica.position;
    this.#owner.moved(this);
  }

  replaced(before: Position | undefined, isSync: boolean): void {
    if (before !== undefined && before.epoch !== this.subscription.replica.position?.epoch) this.#left.add(before.epoch);
    if (isSync) this.syncs++;
    this.#owner.moved(this);
  }

  /** Whether the replica has left an epoch for a later one. */
  hasLeft(epoch: string): boolean {
    return this.#left.has(epoch) && this.subscription.replica.position?.epoch !== epoch;
  }

  /** Begins to put the overlay together anew. */
  begin(): void {
    this.#staged = new Map();
  }

  /** Begins with what is shown. */
  goOn(): void {
    this.#staged = new Map(this.#shown);
  }

  /** Adds the effects of one call. A replica that knows no state shows none. */
  add(effects: Effects, order: number): void {
    const { replica, target } = this.subscription;
    if (!replica.known) return;
    for (const [id, effect] of effects)
      if (target.item === undefined || target.item === id) this.#staged.set(id, itemAfter(effect, id, this.stagedItem(id), order));
  }

  stagedItem(id: string): Item<unknown> | undefined {
    return this.#staged.has(id) ? this.#staged.get(id) : this.subscription.replica.mirror.get(id);
  }

  stagedItems(): readonly Item<unknown>[] {
    return merge(this.subscription.replica.mirror.items, this.#staged);
  }

  /** Shows what was put together. Items that are as before stay the same objects. Returns whether anything is different. */
  end(): boolean {
    let isSame = this.#staged.size === this.#shown.size;
    for (const [id, item] of this.#staged) {
      const before = this.#shown.get(id);
      if (before === item && this.#shown.has(id)) continue;
      if (before && before.created === item?.created && before.offset === item.offset && isSameData(before.data, item.data))
        this.#staged.set(id, before);
      else isSame = false;
    }
    if (isSame) return false;
    this.#shown = this.#staged;
    this.#merged = undefined;
    return true;
  }

  /** Lets the views show the replica again. */
  remove(): void {
    for (const end of this.#ends) end();
    this.subscription.replica.overlay = undefined;
  }
}
