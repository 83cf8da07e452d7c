import { StreamError } from './access/stream-error.js';
import type { CallKeeper, KeptCall, RestoredCall } from './calls/call-keeper.js';
import { type CallRow, type CallRows, callRowsOf } from './calls/call-rows.js';

export type { CallKeeper, KeptCall, RestoredCall } from './calls/call-keeper.js';
export type { CallRow, CallRows } from './calls/call-rows.js';

/** The most calls that are kept under one name, of all pages together. Further calls are made, and are not kept. */
const MOST_KEPT = 1_000;

export interface KeptCallsOptions {
  /**
   * Called when a call of an earlier page has ended. The promise of the call ended with its page.
   * @default errors go to `onError` of the client
   */
  readonly onSettled?: (restored: RestoredCall) => void;
}

/** The kept calls of one user. Give them to `connect` as `calls: { persist }`, to one open client only. */
export interface KeptCalls extends CallKeeper {
  /** Deletes all kept calls of the name. Call it when the user signs out. Resolves when they are deleted. */
  discard(): Promise<void>;
}

/**
 * Keeps the calls that have no answer yet in IndexedDB, under a name, for one user. A page that is loaded again sends them with the keys
 * that they had, so they take effect at most once. Calls of another identity are dropped and reported as `IDENTITY_CHANGED`.
 *
 * @param rows The name of the database, or a store of your own.
 * @param identity The user, such as the id of the account. Nothing checks that the token of the connection is for this user.
 */
export function keepCalls(rows: string | CallRows, identity: string, { onSettled }: KeptCallsOptions = {}): KeptCalls {
  const store = typeof rows === 'string' ? callRowsOf(rows) : rows;
  const name = typeof rows === 'string' ? rows : 'calls';
  const page = `${String(Date.now()).padStart(15, '0')}.${Math.random().toString(36).slice(2)}`;
  /** The lock of the open client. */
  let lock: Lock | undefined;
  let count = 0;
  let report: (error: StreamError) => void = () => {};
  /** The id of the row of each key. */
  const ids = new Map<string, string>();
  const { change, changed } = inTurn(store, (error) => report(error));
  const rowOf = (call: KeptCall): CallRow => {
    const id = `${page}.${String(++count).padStart(8, '0')}`;
    ids.set(call.key, id);
    return { id, page, identity, call };
  };
  return {
    async load(onError) {
      report = onError;
      const own = holdLock(`rivulet-calls:${name}:${page}`);
      lock = own;
      await own.held;
      const living = await livingPages(name);
      let mine: KeptCall[] = [];
      change((all) => {
        // The client was closed meanwhile. The calls stay as they are, for the next one.
        if (lock !== own) return { remove: [], put: [] };
        const left = all.filter((row) => !ids.has(row.call?.key) && (row.page === page || !living.has(row.page)));
        mine = callsOf(left, identity, onError);
        return { remove: left.map(({ id }) => id), put: mine.map(rowOf) };
      });
      await changed();
      return mine;
    },
    add(call) {
      const row = rowOf(call);
      change((all) => ({ remove: [], put: all.length < MOST_KEPT ? [row] : [] }));
    },
    remove(key, restored) {
      const id = ids.get(key);
      if (id === undefined) return;
      ids.delete(key);
      change(() => ({ remove: [id], put: [] }));
      if (restored === undefined) return;
      if (onSettled !== undefined) onSettled(restored);
      else if (restored.kind === 'error') report(restored.error);
    },
    close() {
      ids.clear();
      lock?.release();
      lock = undefined;
    },
    async discard() {
      ids.clear();
      change((all) => ({ remove: all.map(({ id }) => id), put: [] }));
      await changed();
    },
  };
}

/** Changes the rows of a store, one change after another. `changed` resolves when all are made. `report` gets a failure. */
function inTurn(store: CallRows | undefined, report: (error: StreamError) => void) {
  const failed = (cause: unknown) => report(new StreamError('PERSIST_FAILED', 'the calls can not be kept in the browser', { cause }));
  let work: Promise<unknown> = Promise.resolve();
  const change = (step: Parameters<CallRows['update']>[0]): void => {
    work = work.then(() => store?.update(step)).catch(failed);
  };
  return { change, changed: () => work };
}

/** Returns the calls of a user, and reports those of others. A damaged row is deleted with them. */
function callsOf(rows: readonly CallRow[], identity: string, report: (error: StreamError) => void): KeptCall[] {
  const others = rows.filter((row) => row.identity !== identity);
  if (others.length > 0) report(droppedError(others.length));
  return rows.filter((row) => row.identity === identity && isCall(row.call)).map(({ call }) => call);
}

function droppedError(count: number): StreamError {
  return new StreamError('IDENTITY_CHANGED', `${count} kept calls of another user were dropped; they may have taken effect`);
}

function isCall(call: unknown): call is KeptCall {
  if (typeof call !== 'object' || call === null) return false;
  const { key, functionId, data, timeoutMs, madeAt } = call as Partial<Record<keyof KeptCall, unknown>>;
  if (typeof key !== 'string' || typeof functionId !== 'string' || typeof data !== 'string') return false;
  return typeof timeoutMs === 'number' && typeof madeAt === 'number';
}

/** The members of `navigator.locks` that this part uses. They exist on `https:` pages of current browsers. */
interface Locks {
  request(name: string, run: () => Promise<unknown>): Promise<unknown>;
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>;
}

function locks(): Locks | undefined {
  return (globalThis as { readonly navigator?: { readonly locks?: Locks } }).navigator?.locks;
}

interface Lock {
  /** Resolves when the lock is held, or can't be held. */
  readonly held: Promise<void>;
  /** Gives the lock up, also before it is held. */
  release(): void;
}

/** Holds a lock until the client is closed or the page ends, so that other clients leave its calls alone. */
function holdLock(name: string): Lock {
  let release = () => {};
  const end = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held = new Promise<void>((resolve) => {
    const all = locks();
    if (all === undefined) resolve();
    else
      all
        .request(name, () => {
          resolve();
          return end;
        })
        .catch(() => resolve());
  });
  return { held, release };
}

/** Returns the pages that are open. Without locks it returns none, and then two pages may send a call. The engine runs it once. */
async function livingPages(name: string): Promise<ReadonlySet<string>> {
  const prefix = `rivulet-calls:${name}:`;
  const { held = [] } =
    (await locks()
      ?.query()
      .catch(() => undefined)) ?? {};
  return new Set(held.flatMap((lock) => (lock.name?.startsWith(prefix) ? [lock.name.slice(prefix.length)] : [])));
}
