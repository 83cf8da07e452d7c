import { type Position, wrongOption } from '@rivulet/protocol';
import { StreamError } from '../access/stream-error.js';
import type { InitialState } from './initial-state.js';
import { Listeners, type Unsubscribe } from './listeners.js';
import type { Item } from './mirror.js';
import type { Change, Gap, Reset, StreamEvent } from './replica.js';
import type { Subscription } from './subscription.js';
import type { Status } from './subscription-phase.js';

/*
 * An application holds views: live copies of groups and items. The target of a view is its group or its item.
 *
 * Data flow:
 *
 * ```
 *   socket ──► StreamClient ──► Subscription ──► Replica ──► listeners of views
 *              decodes and      one join         the items
 *              routes frames
 * ```
 *
 * All views of one target share one subscription, and so one join on the wire. A view has its own listeners and its own `close`.
 *
 * Invariants:
 *
 * 1. The items of a view are true at exactly one position of the group. Frames that belong together are applied in one step: a batch, a
 *    `sync`, or the changes since the last connection.
 * 2. A view reports each change once, in the order of offsets. When it can't report changes one by one, it reports `onReset`.
 * 3. The client never skips a frame. If a frame is missing, the client joins again from the position of the view.
 * 4. The views of a target share their values. An application must not change a value.
 *
 * Example:
 *
 * ```
 *   const room = client.subscribeGroup('chat', 'room-1', { onChange: ({ type, id }) => console.log(type, id) });
 *   await room.whenLive();
 *   const end = room.subscribe(() => draw(room.items, room.status));
 *   room.close();
 * ```
 *
 * Each step has a fixed order: first the phase and the status, then the items and the position, then the listeners of changes, and last the
 * listeners of the status. If listeners ran before the items changed, they would read the old items. If the items changed before the
 * status, a listener would see new items with the old status.
 */

/**
 * The listeners of a view. The client calls them one after another, after it has applied all frames that belong together. A listener that
 * throws does not stop the others. The runtime reports its error.
 */
export interface ViewListeners<T> {
  /** Called for each change, once, in the order of offsets. A `sync` calls `onReset` in its place. */
  readonly onChange?: (change: Change<T>) => void;
  /** Called for each event that a worker sent with `stream::send`. */
  readonly onEvent?: (event: StreamEvent) => void;
  /**
   * Called when all items were replaced: by the first `sync`, by the persistent copy, or by a `sync` because the server could not continue.
   */
  readonly onReset?: (reset: Reset) => void;
  /** Called when events are lost, or may be lost. Items are never lost. */
  readonly onGap?: (gap: Gap) => void;
  /** Called after each change of the status. */
  readonly onStatus?: (status: Status) => void;
  /** Called for each error of this target. The client goes on by itself. */
  readonly onError?: (error: StreamError) => void;
}

/** The listeners of a new view, and the state with which it begins. */
export interface ViewOptions<T> extends ViewListeners<T> {
  /**
   * The state that the view shows at once, as `stale`, unless the client knows one. The client resumes from its position and requests only
   * what changed since. `onReset` is not called for it.
   * @default none
   */
  readonly initial?: InitialState<T> | undefined;
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

/** Throws `INVALID_OPTIONS` for an unknown listener, or for one that is no function. */
export function checkListeners(listeners: ViewListeners<never>): void {
  const wrong = wrongOption(listeners, LISTENER_RULES);
  if (wrong !== undefined) throw new StreamError('INVALID_OPTIONS', wrong);
}

/** A live copy of a group or an item. `T` is the type that the application expects of the values. Nothing checks it. */
export interface View<T> {
  readonly status: Status;
  /** The position at which the items are true. `undefined` before the first state, and with a server without positions. */
  readonly position: Position | undefined;
  /** The last error while it lasts; `undefined` when the view is live. */
  readonly error: StreamError | undefined;
  get(id: string): Item<T> | undefined;
  /**
   * Adds listeners. Throws `INVALID_OPTIONS` for an unknown listener, or for one that is no function. Returns a function that removes them.
   */
  on(listeners: ViewListeners<T>): Unsubscribe;
  /**
   * Calls `listener` when anything that can be read here has changed: at the end of the turn, and in a burst at most every 16 ms. It fits
   * `useSyncExternalStore` and similar functions.
   */
  subscribe(listener: () => void): Unsubscribe;
  /** Resolves when the view is live. Rejects with `CLOSED` if the view is closed first. */
  whenLive(): Promise<void>;
  /**
   * Replaces the data of the lease that a `stream:join` function gave to this join with `client_data: true`. The client sends the data now
   * and after each reconnect, at most eight times a second. Only the newest data counts. Throws `VALUE_TOO_LARGE` above 16 KiB of JSON.
   */
  lease(data: unknown): void;
  /** Closes the view. When the last view of a target is closed, the client sends a leave at the end of the turn. */
  close(): void;
}

export interface GroupView<T> extends View<T> {
  /** All items in the order of creation. It is the same array until an item changes, and it is built when it is read. */
  readonly items: readonly Item<T>[];
  readonly size: number;
}

export interface ItemView<T> extends View<T> {
  /** The item. It is the same object until the item changes. `undefined` if the item does not exist, or if the client knows nothing yet. */
  readonly item: Item<T> | undefined;
}

/** Both kinds of view. It has listeners of its own, and may share its subscription with other views of the target. */
export class TargetView<T> implements GroupView<T>, ItemView<T> {
  readonly #subscription: Subscription;
  readonly #ended: () => void;
  readonly #listening = new Set<Unsubscribe>();
  readonly #closing = new Listeners<void>();
  #closed = false;

  /** `ended` is called once, when the owner closes the view. */
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
    return this.#subscription.replica.shown.items as readonly Item<T>[];
  }

  get size(): number {
    return this.#subscription.replica.shown.size;
  }

  get item(): Item<T> | undefined {
    const { item } = this.#subscription.target;
    return item === undefined ? undefined : this.get(item);
  }

  get(id: string): Item<T> | undefined {
    return this.#subscription.replica.shown.get(id) as Item<T> | undefined;
  }

  on(listeners: ViewListeners<T>): Unsubscribe {
    checkListeners(listeners);
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
      const check = () => {
        const { status } = this;
        if (status !== 'live' && status !== 'closed') return;
        for (const end of ends) end();
        if (status === 'live') resolve();
        else reject(new StreamError('CLOSED', 'the view was closed before it was live'));
      };
      ends.push(this.#subscription.statuses.add(check), this.#closing.add(check));
      check();
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
