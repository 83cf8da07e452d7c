import type { GroupView, Item, Position, Status, StreamClient, StreamError } from '@rivulet/client';
import { ChangeRing, type FeedEntry } from './change-ring.js';
import { Throttle } from './throttle.js';

/** The state of a watched group, as the page shows it. It is the same object until the next update of the page. */
export interface WatchState {
  readonly status: Status;
  readonly position: Position | undefined;
  /** All items, in the order of creation. */
  readonly items: readonly Item<unknown>[];
  /** The newest entries, the newest first. */
  readonly feed: readonly FeedEntry[];
  /** Number of entries since the page began to watch. */
  readonly count: number;
  readonly error: StreamError | undefined;
}

/** Entries of the feed. */
export const FEED_ENTRIES = 200;
/** The least milliseconds between two updates of the page. */
const EVERY_MS = 1_000;

/**
 * Watches a group through `/live`, with our own client. Changes come at any rate. Each one takes a place in a ring, and the page gets a new
 * state at most once a second.
 */
export class GroupWatch {
  readonly #view: GroupView<unknown>;
  readonly #ring = new ChangeRing(FEED_ENTRIES);
  readonly #throttle: Throttle;
  readonly #listeners = new Set<() => void>();
  #state: WatchState;
  /** Why the last connection failed, until one opens. */
  #connectionError: StreamError | undefined;

  constructor(client: StreamClient, stream: string, group: string) {
    const note = (content: Parameters<ChangeRing['add']>[0]) => this.#ring.add(content, Date.now());
    this.#view = client.subscribeGroup(stream, group, {
      onChange: (change) =>
        note({ kind: change.type, id: change.id, offset: change.offset, data: change.type === 'delete' ? change.old : change.data }),
      onEvent: ({ name, id, data, offset }) => note({ kind: 'event', name, id, data, offset }),
      onReset: ({ reason, position }) => note({ kind: 'reset', reason, offset: position?.offset }),
      onGap: ({ after, through }) => note({ kind: 'gap', after, through }),
    });
    this.#state = this.#read();
    this.#throttle = new Throttle(() => {
      this.#state = this.#read();
      for (const listener of this.#listeners) listener();
    }, EVERY_MS);
    client.onError((error) => {
      this.#connectionError = error;
      this.#throttle.request();
    });
    client.onState(({ kind }) => {
      if (kind === 'open') this.#connectionError = undefined;
    });
    this.#view.subscribe(() => this.#throttle.request());
    this.#view.on({ onStatus: () => this.#throttle.request(), onError: () => this.#throttle.request() });
  }

  readonly state = (): WatchState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  end(): void {
    this.#throttle.end();
    this.#view.close();
  }

  #read(): WatchState {
    const { status, position, items, error = this.#connectionError } = this.#view;
    return { status, position, items, error, feed: this.#ring.newest(), count: this.#ring.count };
  }
}
