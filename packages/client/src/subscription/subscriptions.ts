import type { Copy } from '../persistence/copies.js';
import { type RoutedMessage, routeFrame, type Shared } from './frame-routes.js';
import { checkInitial, initialItems, initialPosition } from './initial-state.js';
import { type Target, targetKey } from './join.js';
import { Subscription, type SubscriptionLink } from './subscription.js';
import { TargetView, type ViewOptions } from './view.js';

/** The services of the client that its subscriptions need. */
export interface SubscriptionsLink extends SubscriptionLink {
  /** Returns the persistent copy of a new subscription, or `undefined` if nothing is kept. */
  readonly copyOf: (key: string, subscription: Subscription) => Copy | undefined;
  readonly persistFailed: (cause: unknown) => void;
  /** Called for each new subscription. */
  readonly opened: (subscription: Subscription) => void;
}

/**
 * The subscriptions of a client, and the views that share them.
 *
 * Views that are opened and closed in one turn take effect at its end. So a page that closes a view and opens the same view again sends
 * nothing.
 */
export class Subscriptions {
  readonly #link: SubscriptionsLink;
  /** The subscriptions by `targetKey`. */
  readonly #byTarget = new Map<string, Shared>();
  readonly #byId = new Map<string, Shared>();
  #ids = 0;
  #turn: unknown;
  #isOpen = false;

  constructor(link: SubscriptionsLink) {
    this.#link = link;
  }

  get size(): number {
    return this.#byTarget.size;
  }

  all(): Subscription[] {
    return Array.from(this.#byId.values(), ({ subscription }) => subscription);
  }

  /** Opens a view. Throws `INVALID_OPTIONS` for a wrong listener or a wrong initial state. */
  view<T>(target: Target, { initial, ...listeners }: ViewOptions<T>): TargetView<T> {
    if (initial !== undefined) checkInitial(initial);
    const key = targetKey(target);
    const shared = this.#byTarget.get(key) ?? this.#share(key, target);
    const view = new TargetView<T>(shared.subscription, () => {
      shared.views.delete(view);
      if (shared.views.size === 0) this.#endTurnSoon();
    });
    if (initial !== undefined) shared.subscription.begin(initialItems(initial, target.item), initialPosition(initial));
    view.on(listeners);
    shared.views.add(view);
    return view;
  }

  /** Sends the joins, because a connection has opened. */
  onOpen(): void {
    this.#isOpen = true;
    this.#endTurn();
  }

  onLost(): void {
    this.#isOpen = false;
    for (const { subscription } of this.#byTarget.values()) subscription.onLost();
  }

  /** Routes a message. Returns `true` if only a server with positions sends such a message. */
  onMessage(message: RoutedMessage): true | void {
    return routeFrame(message, this.#byTarget, this.#byId, (error) => this.#link.report(error));
  }

  /** Sends what waits for the end of the turn now, so that it goes out before the next text. */
  flush(): void {
    if (this.#turn !== undefined) this.#endTurn();
  }

  /** Closes all views. Resolves when the copies are saved. */
  async close(): Promise<void> {
    const all = [...this.#byTarget.values()];
    for (const shared of all) {
      for (const view of shared.views) view.close();
      this.#leave(shared);
    }
    await Promise.all(all.map(async ({ copy }) => copy?.close()));
  }

  #share(key: string, target: Target): Shared {
    const subscription = new Subscription(`s${++this.#ids}`, target, this.#link);
    const copy = this.#link.copyOf(key, subscription);
    const shared: Shared = { subscription, views: new Set(), copy };
    this.#byTarget.set(key, shared);
    this.#byId.set(subscription.id, shared);
    this.#link.opened(subscription);
    subscription.errors.add(({ code }) => {
      if (code === 'FORBIDDEN') copy?.forget();
    });
    this.#endTurnSoon();
    if (copy === undefined) subscription.release();
    else
      copy
        .restore()
        .finally(() => {
          subscription.release();
          this.#endTurnSoon();
        })
        .catch(this.#link.persistFailed);
    return shared;
  }

  #endTurnSoon(): void {
    this.#turn ??= this.#link.clock.setTimer(() => this.#endTurn(), 0);
  }

  /**
   * Sends the leaves and joins of this turn. Leaves come first, so that joins find the places that they free. Then come subscriptions that
   * the engine turned away, and new subscriptions last.
   */
  #endTurn(): void {
    this.#link.clock.clearTimer(this.#turn);
    this.#turn = undefined;
    let free = 0;
    for (const shared of this.#byTarget.values()) {
      if (shared.views.size > 0) continue;
      if (!shared.subscription.isTurnedAway) free++;
      this.#leave(shared);
    }
    for (const { subscription } of this.#byTarget.values()) {
      if (free === 0 || !subscription.isTurnedAway) continue;
      free--;
      subscription.onPlaceFree();
    }
    if (this.#isOpen) for (const { subscription } of this.#byTarget.values()) subscription.onOpen();
  }

  #leave(shared: Shared): void {
    const { subscription, copy } = shared;
    const key = targetKey(subscription.target);
    if (this.#byTarget.get(key) === shared) this.#byTarget.delete(key);
    this.#byId.delete(subscription.id);
    subscription.close();
    copy?.close().catch(this.#link.persistFailed);
  }
}
