import { type Position, wrongOption } from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import { Listeners, type Unsubscribe } from './listeners.js';
import type { Item } from './mirror.js';
import type { Change, Gap, Reset, StreamEvent } from './replica.js';
import type { Subscription } from './subscription.js';
import type { Status } from './subscription-phase.js';

/** What a view may be told of. Listeners are called one after another, after everything that belongs together has been applied. */
export interface ViewListeners<T> {
  /** Each change once, in the order of offsets. Not called for what a `sync` brings: `onReset` is. */
  readonly onChange?: (change: Change<T>) => void;
  /** `stream::send`. */
  readonly onEvent?: (event: StreamEvent) => void;
  /** Everything was replaced: the first `sync`, what was restored, or a `sync` because the server could not continue. */
  readonly onReset?: (reset: Reset) => void;
  /** Events are lost, or may be. Items never are. */
  readonly onGap?: (gap: Gap) => void;
  readonly onStatus?: (status: Status) => void;
  readonly onError?: (error: StreamError) => void;
}

/** The type keeps the list of listeners complete. */
const LISTENER_RULES = {
  onChange: 'a function',
  onEvent: 'a function',
  onReset: 'a function',
  onGap: 'a function',
  onStatus: 'a function',
  onError: 'a function',
} satisfies Record<keyof ViewListeners<unknown>, string>;

/**
 * A live look at a group or an item. `T` is what the application says of its values; it is not checked. Values are shared between the views of
 * one target: don't change them.
 */
export interface View<T> {
  readonly status: Status;
  /** Where the view is; what it shows is true at exactly this position. `undefined` before the first state, and with servers that have none. */
  readonly position: Position | undefined;
  /** The last trouble while it lasts; `undefined` when live. */
  readonly error: StreamError | undefined;
  get(id: string): Item<T> | undefined;
  /** Adds listeners, which are told from now on. */
  on(listeners: ViewListeners<T>): Unsubscribe;
  /**
   * Calls `listener` when anything that can be read here has changed: at the end of the turn, and in a burst at most every 16 ms. For
   * `useSyncExternalStore` and its like.
   */
  subscribe(listener: () => void): Unsubscribe;
  /** Resolves when it is live; rejects with `CLOSED` when it is closed first. */
  whenLive(): Promise<void>;
  /**
   * Replaces the data of the lease that the engine's `stream:join` function gave to this join (`client_data: true`), now and after each
   * reconnect. At most 16 KiB of JSON (`VALUE_TOO_LARGE` is thrown); sent at most eight times a second, the newest counts.
   */
  lease(data: unknown): void;
  /** Ends the view. The last view of a target leaves on the wire, at the end of the turn. */
  close(): void;
}

export interface GroupView<T> extends View<T> {
  /** All items in the order of creation: the same array until something changes, built when it is read. */
  readonly items: readonly Item<T>[];
  readonly size: number;
}

export interface ItemView<T> extends View<T> {
  /** `undefined` when there is no such item, or nothing is known yet. The same object until it changes. */
  readonly item: Item<T> | undefined;
}

/** Both kinds of view: a handle with listeners of its own on a subscription that others may share. */
export class TargetView<T> implements GroupView<T>, ItemView<T> {
  readonly #subscription: Subscription;
  readonly #ended: () => void;
  readonly #listening = new Set<Unsubscribe>();
  readonly #closing = new Listeners<void>();
  #closed = false;

  /** `ended` is called once, when the view is closed by its owner. */
  constructor(subscription: Subscription, ended: () => void) {
    this.#subscription = subscription;
    this.#ended = ended;
  }

  get status(): Status {
    return this.#closed ? 'closed' : this.#subscription.status;
  }

  get position(): Position | undefined {
    return this.#subscription.replica.position;
  }

  get error(): StreamError | undefined {
    return this.#subscription.error;
  }

  get items(): readonly Item<T>[] {
    return this.#subscription.replica.mirror.items as readonly Item<T>[];
  }

  get size(): number {
    return this.#subscription.replica.mirror.size;
  }

  get item(): Item<T> | undefined {
    const { item } = this.#subscription.target;
    return item === undefined ? undefined : this.get(item);
  }

  get(id: string): Item<T> | undefined {
    return this.#subscription.replica.mirror.get(id) as Item<T> | undefined;
  }

  on(listeners: ViewListeners<T>): Unsubscribe {
    const wrong = wrongOption(listeners, LISTENER_RULES);
    if (wrong !== undefined) throw new StreamError('INVALID_OPTIONS', wrong);
    const { onChange, onEvent, onReset, onGap, onStatus, onError } = listeners;
    const { replica, statuses, errors } = this.#subscription;
    const ends = [
      onChange && replica.changes.add(onChange as (change: Change<unknown>) => void),
      onEvent && replica.events.add(onEvent),
      onReset && replica.resets.add(onReset),
      onGap && replica.gaps.add(onGap),
      onStatus && statuses.add(onStatus),
      onError && errors.add(onError),
    ];
    return this.#listen(() => {
      for (const end of ends) end?.();
    });
  }

  subscribe(listener: () => void): Unsubscribe {
    return this.#listen(this.#subscription.notices.add(listener));
  }

  whenLive(): Promise<void> {
    return new Promise((resolve, reject) => {
      const ends: Unsubscribe[] = [];
      const look = () => {
        const { status } = this;
        if (status !== 'live' && status !== 'closed') return;
        for (const end of ends) end();
        if (status === 'live') resolve();
        else reject(new StreamError('CLOSED', 'the view was closed before it was live'));
      };
      ends.push(this.#subscription.statuses.add(look), this.#closing.add(look));
      look();
    });
  }

  lease(data: unknown): void {
    this.#subscription.lease(data);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of this.#listening) end();
    this.#closing.emit();
    this.#ended();
  }

  #listen(end: Unsubscribe): Unsubscribe {
    const once = () => {
      if (this.#listening.delete(once)) end();
    };
    this.#listening.add(once);
    if (this.#closed) once();
    return once;
  }
}
