import { type LockIdentity, type LockRecord, UNKNOWN_HOLDER } from './lock-record.js';
import { StoreOpenError } from './store-open-error.js';

/** Between two looks at the locks of others while one of them keeps this process waiting, in milliseconds. */
const POLL_MS = 50;
/** How long a starting process lets others withdraw, in milliseconds. A refusal takes at most one second. */
const CONTENTION_MS = 800;
/** A process of another kernel is dead when its heartbeat has not changed for this time, in milliseconds. */
export const SILENCE_MS = 10_000;
/** Between two heartbeats, in milliseconds. A waiter sees the next one within a second. */
export const BEAT_MS = 400;
/** Attempts after other processes have removed files of this one. */
const ATTEMPTS = 20;

/** The lock file of this process. */
export interface Claim {
  readonly token: string;
  /** Whether the lock file and its socket are in the directory, and are those that this process has made. */
  isWhole(): boolean;
  /** Records that this process has the lock. */
  hold(): Promise<void>;
  /** Removes the lock file and its socket. */
  withdraw(): Promise<void>;
}

/** Result of a connection attempt. `unclear`: the operating system forbids to connect. */
export type Probe = 'alive' | 'dead' | 'unclear';

/** The directory of a lock, and the clock. Tests have one without a disk. Each lock file has a token as its name, used once. */
export interface LockPlace<C extends Claim = Claim> {
  readonly identity: LockIdentity;
  monotonic(): number;
  pause(milliseconds: number): Promise<void>;
  /** Returns the tokens of all lock files that exist during the whole call, and perhaps others. */
  list(): Promise<readonly string[]>;
  /** Returns the record of a lock; `unreadable` for a damaged file, and `undefined` when it does not exist. */
  read(token: string): Promise<LockRecord | 'unreadable' | undefined>;
  /** Connects to the socket of a lock. */
  connect(token: string): Promise<Probe>;
  /** Removes a lock and its socket, if they exist. */
  remove(token: string): Promise<void>;
  /** Listens on a socket, then makes a lock file in one step. Returns `undefined` when another process has removed parts of it. */
  claim(): Promise<C | undefined>;
  /** Removes what processes left that were killed before they had a lock file. Only the holder calls it. */
  removeLeftovers(own: string): Promise<void>;
}

export interface TakeOptions {
  /** How long to wait for another process to release the directory, in milliseconds. */
  readonly waitMs: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** Runs once, when another process has the lock and this one waits for it. */
  readonly onWait?: ((holder: LockRecord) => void) | undefined;
}

/** A lock of another process that is not known to be dead. */
interface Rival {
  readonly token: string;
  readonly record: LockRecord;
  /** `silent`: its kernel is another one, and no heartbeat was seen yet. */
  readonly state: 'alive' | 'silent' | 'unclear';
}

/**
 * Takes the lock of a directory, in these steps:
 *
 * 1. Remove the locks of dead processes. While another process is alive, wait or refuse.
 * 2. Make a socket and a lock file of its own. The socket listens before the lock file exists, so nobody takes a living process for dead.
 * 3. Look at all locks again. Without another living process, this one has the lock.
 *
 * Two processes never both pass step 3: the later one of their two lock files was made before its process looked, so it saw the other. When
 * two starting processes see each other, the one with the smaller token stays and the other one withdraws. A lock file disappears only
 * when its process removes it or is dead, and no token is used twice, so nobody removes the lock of a living process by mistake.
 */
export async function takeLock<C extends Claim>(place: LockPlace<C>, name: string, options: TakeOptions): Promise<C> {
  const starter = new Starter(place, name, options);
  for (let damages = 0; damages < ATTEMPTS; ) {
    await starter.untilFree();
    const claim = await place.claim();
    const outcome = claim === undefined ? 'damaged' : await starter.contend(claim);
    if (claim !== undefined && outcome === 'won') {
      await place.removeLeftovers(claim.token);
      return claim;
    }
    if (outcome === 'damaged') damages++;
    else if (outcome !== 'won') await starter.waitFor(outcome);
  }
  throw new StoreOpenError(`other processes removed the lock of ${name} again and again; start one engine at a time`);
}

class Starter<C extends Claim> {
  readonly #place: LockPlace<C>;
  readonly #name: string;
  readonly #options: TakeOptions;
  readonly #startedAt: number;
  readonly #silence = new Map<string, { readonly beat: number; readonly since: number }>();
  #hasWaited = false;

  constructor(place: LockPlace<C>, name: string, options: TakeOptions) {
    this.#place = place;
    this.#name = name;
    this.#options = options;
    this.#startedAt = place.monotonic();
  }

  /** Resolves when no other process has or wants the lock. Throws StoreOpenError when the wait is over. */
  async untilFree(): Promise<void> {
    for (let rivals = await this.#rivals(undefined); rivals[0] !== undefined; rivals = await this.#rivals(undefined)) {
      await this.waitFor(rivals.find(({ state }) => state !== 'silent') ?? rivals[0]);
    }
  }

  /** Waits a moment for another process. Throws StoreOpenError when the wait is over. */
  async waitFor(rival: Rival): Promise<void> {
    const { waitMs, signal, onWait } = this.#options;
    signal?.throwIfAborted();
    // A silent process is decided within SILENCE_MS: it is dead or shows a heartbeat.
    if (rival.state !== 'silent' && this.#place.monotonic() - this.#startedAt >= waitMs) throw this.#refusal(rival);
    if (!this.#hasWaited) onWait?.(rival.record);
    this.#hasWaited = true;
    await this.#place.pause(POLL_MS);
    signal?.throwIfAborted();
  }

  /** Decides between processes that start at the same time. Without a win it withdraws, and returns the process that goes first. */
  async contend(claim: C): Promise<'won' | 'damaged' | Rival> {
    let outcome: 'won' | 'damaged' | Rival | undefined;
    try {
      outcome = await this.#firstOf(claim);
      if (outcome === 'won') await claim.hold();
      return outcome;
    } finally {
      if (outcome !== 'won') await claim.withdraw();
    }
  }

  async #firstOf(claim: C): Promise<'won' | 'damaged' | Rival> {
    const since = this.#place.monotonic();
    for (;;) {
      const rivals = await this.#rivals(claim.token);
      // A holder that cleans up may have taken the files of this process for leftovers, before they were complete.
      if (!claim.isWhole()) return 'damaged';
      const [any] = rivals;
      if (any === undefined) return 'won';
      const first = rivals.find(({ token, record, state }) => state === 'unclear' || record.state === 'holding' || token < claim.token);
      if (first !== undefined) return first;
      if (this.#place.monotonic() - since >= CONTENTION_MS) return any;
      await this.#place.pause(POLL_MS / 5);
    }
  }

  /** Returns the locks of others that are not known to be dead, and removes the dead ones. */
  async #rivals(own: string | undefined): Promise<readonly Rival[]> {
    const rivals: Rival[] = [];
    for (const token of await this.#place.list()) {
      if (token === own) continue;
      const record = await this.#place.read(token);
      if (record === undefined) continue;
      // The socket of a living process is there even if its file is damaged.
      const state = record === 'unreadable' ? await this.#place.connect(token) : await this.#judge(token, record);
      if (state === 'dead') await this.#place.remove(token);
      else rivals.push({ token, record: record === 'unreadable' ? UNKNOWN_HOLDER : record, state });
    }
    return rivals;
  }

  async #judge(token: string, record: LockRecord): Promise<Rival['state'] | 'dead'> {
    const { boot, host, fileSystem } = this.#place.identity;
    // The kernel accepts connections for a frozen process too, and refuses them from the moment in which the process ends.
    const isSameKernel = record.boot === boot && (boot !== '' || record.host === host);
    if (isSameKernel && record.socket) return await this.#place.connect(token);
    if (record.beats) return this.#listen(token, record);
    // Only one kernel can have a local file system mounted. The process belongs to an earlier boot, or to a machine that lost the disk.
    return record.fileSystem === 'local' && fileSystem === 'local' ? 'dead' : 'unclear';
  }

  /** Judges by the heartbeat. Only this process measures time, so the clocks of two machines are never compared. */
  #listen(token: string, { beat }: LockRecord): Rival['state'] | 'dead' {
    const now = this.#place.monotonic();
    const seen = this.#silence.get(token);
    if (seen === undefined) {
      this.#silence.set(token, { beat, since: now });
      return 'silent';
    }
    if (seen.beat === beat) return now - seen.since >= SILENCE_MS ? 'dead' : 'silent';
    this.#silence.set(token, { beat, since: now });
    return 'alive';
  }

  #refusal({ token, record: { pid, host }, state }: Rival): StoreOpenError {
    const { waitMs } = this.#options;
    const waited = waitMs > 0 ? ` after ${waitMs} ms` : '';
    if (state === 'unclear') {
      return new StoreOpenError(
        `${this.#name} has the lock ${token} of process ${pid} on ${host}, which can't be checked from here; if no engine uses the directory, remove that file`,
      );
    }
    const holder = pid === UNKNOWN_HOLDER.pid ? 'a process whose lock file is damaged' : `process ${pid} on ${host}`;
    return new StoreOpenError(`${this.#name} is in use by ${holder}${waited}; stop that engine, or give this one a directory of its own`);
  }
}
