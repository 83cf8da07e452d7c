import { StreamError } from '../access/stream-error.js';
import { type Store, type StoredView, type ViewStore, viewStore } from '../bindings/view-store.js';
import type { Status, StreamClient } from '../index.js';
import { type Target, targetKey } from '../subscription/join.js';

/** Milliseconds for which a view stays open for a component that React has not mounted yet. React does not say that it gave one up. */
const HOLD_MS = 30_000;

interface Shown {
  readonly status: Status;
  readonly error: StreamError | undefined;
}

/**
 * The stores in use, by client and target. A component that mounts later takes the store of the others. So it shows their items in its
 * first render, and a component that waits in `Suspense` finds its store again.
 */
const IN_USE = new WeakMap<StreamClient, Map<string, unknown>>();

/** A store that several components share, and that can open its view for a component that waits in `Suspense`. */
export interface SharedStore<V, S> extends ViewStore<V, S> {
  /** Subscribes a component that is mounted. From then on the component keeps the view open. */
  readonly mount: (changed: () => void) => () => void;
  /**
   * Returns when the store has a state. Otherwise it throws the error of the target, or a promise for React that resolves when there is one
   * or the other.
   */
  readonly requireState: () => void;
}

/** Returns the store of a target that is in use, or a new one. The types of the view and of what it shows belong to the kind of target. */
export function sharedStore<V extends StoredView, S extends Shown>(
  client: StreamClient,
  target: Target,
  open: () => V,
  read: (view: V | undefined) => S,
): SharedStore<V, S> {
  const stores = IN_USE.get(client) ?? new Map<string, unknown>();
  IN_USE.set(client, stores);
  const key = targetKey(target);
  const found = stores.get(key) as SharedStore<V, S> | undefined;
  if (found !== undefined) return found;
  const store = viewStore(open, read, (isUsed) => {
    // Two components that mount together have a store each. The first one is shared.
    if (isUsed && !stores.has(key)) stores.set(key, made);
    else if (!isUsed && stores.get(key) === made) stores.delete(key);
  });
  const made: SharedStore<V, S> = { ...store, ...suspenseOf(store) };
  return made;
}

function suspenseOf(store: Store<Shown>): Pick<SharedStore<unknown, unknown>, 'mount' | 'requireState'> {
  let hold: Hold | undefined;
  return {
    mount: (changed) => {
      const end = store.subscribe(changed);
      hold?.end();
      return end;
    },
    requireState: () => {
      if (isKnown(store.snapshot())) return;
      if (typeof window === 'undefined')
        throw new StreamError(
          'INVALID_OPTIONS',
          'on a server, a hook with Suspense needs the option `initial`; the page shows the fallback',
        );
      hold ??= new Hold(store, () => {
        hold = undefined;
      });
      hold.extend();
      // The new view may share its state with other views.
      const shown = store.snapshot();
      if (isKnown(shown)) return;
      const failure = failureOf(shown);
      if (failure !== undefined) throw failure;
      // oxlint-disable-next-line typescript/only-throw-error -- React waits for a promise that is thrown
      throw hold.settled;
    },
  };
}

/** A subscription for a component that may never mount. It ends `HOLD_MS` after the last render. */
class Hold {
  /** Resolves when the store has a state or an error, and when the hold has ended. */
  readonly settled: Promise<void>;
  readonly #ended: () => void;
  #release: () => void = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(store: Store<Shown>, ended: () => void) {
    this.#ended = ended;
    this.settled = new Promise((resolve) => {
      const unsubscribe = store.subscribe(() => {
        const shown = store.snapshot();
        if (isKnown(shown) || failureOf(shown) !== undefined) resolve();
      });
      this.#release = () => {
        unsubscribe();
        resolve();
      };
    });
  }

  extend(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end(), HOLD_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#ended();
    this.#release();
  }
}

function isKnown(shown: Shown): boolean {
  return shown.status !== 'connecting' && failureOf(shown) === undefined;
}

/** Returns the error of a target that the engine refuses. Its state is not known. After `HOLE` the client joins again at once. */
function failureOf({ status, error }: Shown): StreamError | undefined {
  return (status === 'connecting' || status === 'closed') && error?.code !== 'HOLE' ? error : undefined;
}
