import { ERROR_CODES, type ErrorCode, LIMITS, type Position, RivuletError } from '@rivulet/protocol';
import type { ApplyResult, Change, Changes, GroupRef, ItemRead, Snapshot, StoreEvents, StreamStore, Write, WriteResult } from './store.js';

/**
 * A store whose code comes from a file of the operator. Its errors may be of another copy of the protocol package, and are told by their
 * name and code; its start has a bound and fails with the name of the file.
 */
export class LoadedStore implements StreamStore {
  readonly #store: StreamStore;
  readonly #path: string;
  readonly #startMs: number;
  #started = false;
  /** There when the store of the file has it. */
  readonly write?: (write: Write) => Promise<WriteResult>;

  /** `startMs`: how long `start` may take, and `close` when it never started. */
  constructor(store: StreamStore, path: string, startMs: number = LIMITS.adapterStartMs) {
    this.#store = store;
    this.#path = path;
    this.#startMs = startMs;
    const write = store.write?.bind(store);
    if (write !== undefined) this.write = (changes) => told(() => write(changes));
  }

  async start(events: StoreEvents): Promise<void> {
    await inTime(this.#path, 'start', this.#startMs, () => this.#store.start(events));
    this.#started = true;
  }

  apply(change: Change): Promise<ApplyResult> {
    return told(() => this.#store.apply(change));
  }

  get(ref: GroupRef, item: string): Promise<ItemRead> {
    return told(() => this.#store.get(ref, item));
  }

  snapshot(ref: GroupRef): Promise<Snapshot> {
    return told(() => this.#store.snapshot(ref));
  }

  changes(ref: GroupRef, since: Position): Promise<Changes> {
    return told(() => this.#store.changes(ref, since));
  }

  groups(stream: string): Promise<readonly string[]> {
    return told(() => this.#store.groups(stream));
  }

  streams(): Promise<readonly string[]> {
    return told(() => this.#store.streams());
  }

  watch(ref: GroupRef): Promise<void> {
    return told(() => this.#store.watch(ref));
  }

  unwatch(ref: GroupRef): void {
    this.#store.unwatch(ref);
  }

  close(): Promise<void> {
    // The stop of a running engine has a deadline of its own, which leaves a store all the time there is to write.
    if (this.#started) return told(() => this.#store.close());
    return inTime(this.#path, 'close', this.#startMs, () => this.#store.close());
  }
}

/** What `step` of an adapter answers. Rejects with its file and the step when it fails or takes longer than `milliseconds`. */
export async function inTime<T>(path: string, step: string, milliseconds: number, run: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came of it within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([(async () => await run())(), late]);
  } catch (error) {
    throw new Error(`adapter ${path}: ${step} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function told<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw ownError(error);
  }
}

/** `instanceof` knows one copy of the class; a file elsewhere on the disk may have found another. */
function ownError(error: unknown): unknown {
  if (error instanceof RivuletError || !(error instanceof Error) || error.name !== 'RivuletError' || !('code' in error)) return error;
  const { code } = error;
  return isErrorCode(code) ? new RivuletError(code, error.message, { cause: error }) : error;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}
