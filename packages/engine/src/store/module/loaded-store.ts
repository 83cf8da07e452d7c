import { ERROR_CODES, type ErrorCode, LIMITS, type Position, RivuletError } from '@rivulet/protocol';
import type { Logger } from '../../logging/logger.js';
import { RepeatedLine } from '../../logging/repeated-line.js';
import { messageOf } from '../../structures/message-of.js';
import type {
  ApplyResult,
  Change,
  Changes,
  GroupRef,
  ItemRead,
  NamesPage,
  PageBounds,
  ReadPace,
  Snapshot,
  StoreEvents,
  StreamStore,
  Write,
  WriteChange,
  WriteResult,
} from '../store.js';

/**
 * A store whose code comes from a file of the operator. The wrapper does three things:
 *
 * - It recognises errors by name and code, because the file may use another copy of the protocol package.
 * - It bounds the start, and names the file in its errors.
 * - It logs the failures of `unwatch`, `follow`, `unfollow` and of the `close` of a read, for which no caller waits.
 */
export class LoadedStore implements StreamStore {
  readonly #store: StreamStore;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #startMs: number;
  readonly #failed = new RepeatedLine();
  #started = false;
  /** Present when the store of the file has it; so are the methods below. */
  readonly write?: (write: Write, origin?: string) => Promise<WriteResult>;
  readonly follow?: (stream: string | undefined) => void;
  readonly unfollow?: (stream: string | undefined) => void;
  readonly groupsPage?: (stream: string, bounds: PageBounds) => Promise<NamesPage>;
  readonly streamsPage?: (bounds: PageBounds) => Promise<NamesPage>;
  readonly snapshotAfter?: (ref: GroupRef, item: string) => Promise<Snapshot | undefined>;

  /** `startMs`: milliseconds that `start` may take, and `close` of a store that did not start. */
  constructor(store: StreamStore, path: string, logger: Logger, startMs: number = LIMITS.adapterStartMs) {
    this.#store = store;
    this.#path = path;
    this.#logger = logger;
    this.#startMs = startMs;
    const write = store.write?.bind(store);
    if (write !== undefined) this.write = (request, origin) => translated(() => write(withDeprecatedNames(request), origin));
    const groupsPage = store.groupsPage?.bind(store);
    const streamsPage = store.streamsPage?.bind(store);
    const snapshotAfter = store.snapshotAfter?.bind(store);
    if (groupsPage !== undefined) this.groupsPage = (stream, bounds) => translated(() => groupsPage(stream, bounds));
    if (streamsPage !== undefined) this.streamsPage = (bounds) => translated(() => streamsPage(bounds));
    if (snapshotAfter !== undefined)
      this.snapshotAfter = (ref, item) =>
        translated(async () => {
          const snapshot = await snapshotAfter(ref, item);
          return snapshot && this.#snapshot(snapshot);
        });
    const follow = store.follow?.bind(store);
    const unfollow = store.unfollow?.bind(store);
    if (follow === undefined || unfollow === undefined) return;
    this.follow = (stream) => this.#logged('follow', () => follow(stream));
    this.unfollow = (stream) => this.#logged('unfollow', () => unfollow(stream));
  }

  async start(events: StoreEvents): Promise<void> {
    // A file of the last minor version calls the old name. A file that passes both names on to an inner store causes one call only.
    // @deprecated
    const known: StoreEvents = { ...events, onReach: (ref, available) => events.onAvailability?.(ref, available) };
    await inTime(this.#path, 'start', this.#startMs, () => this.#store.start(known));
    this.#started = true;
  }

  apply(change: Change, origin?: string): Promise<ApplyResult> {
    return translated(() => this.#store.apply(change, origin));
  }

  get(ref: GroupRef, item: string): Promise<ItemRead> {
    return translated(() => this.#store.get(ref, item));
  }

  snapshot(ref: GroupRef, pace?: ReadPace): Promise<Snapshot> {
    return translated(async () => this.#snapshot(await this.#store.snapshot(ref, pace)));
  }

  #snapshot(snapshot: Snapshot): Snapshot {
    const { position, timestamp, external = false } = snapshot;
    return { position, timestamp, external, ...this.#read(snapshot) };
  }

  changes(ref: GroupRef, since: Position, pace?: ReadPace): Promise<Changes> {
    return translated(async () => {
      const changes = await this.#store.changes(ref, since, pace);
      if (changes.kind === 'stale') return changes;
      const { kind, position, timestamp } = changes;
      return { kind, position, timestamp, ...this.#read(changes) };
    });
  }

  groups(stream: string): Promise<readonly string[]> {
    return translated(() => this.#store.groups(stream));
  }

  streams(): Promise<readonly string[]> {
    return translated(() => this.#store.streams());
  }

  watch(ref: GroupRef): Promise<void> {
    return translated(() => this.#store.watch(ref));
  }

  unwatch(ref: GroupRef): void {
    this.#logged('unwatch', () => this.#store.unwatch(ref));
  }

  close(): Promise<void> {
    // The stop of the engine has a deadline of its own. Until then, the store may take its time to write.
    if (this.#started) return translated(() => this.#store.close());
    return inTime(this.#path, 'close', this.#startMs, () => this.#store.close());
  }

  #read<T>(read: Read<T>): Read<T> {
    return {
      async *chunks() {
        try {
          yield* read.chunks();
        } catch (error) {
          throw ownError(error);
        }
      },
      close: () => this.#logged('close of a read', () => read.close()),
    };
  }

  #logged(step: string, run: () => unknown): void {
    const running = (async () => await run())();
    running.catch((error: unknown) =>
      this.#failed.add((times) => this.#logger.warn('adapter_step_failed', { adapter: this.#path, step, error: String(error), times })),
    );
  }
}

/** Repeats `unlessLeased` under the name that it had in the last minor version, for files that read the old one. */
function withDeprecatedNames(write: Write): Write {
  const isNew = (change: WriteChange) => change.kind !== 'event' && change.unlessLeased !== undefined;
  if (!write.changes.some(isNew)) return write;
  const changes = write.changes.map((change) =>
    // @deprecated
    change.kind === 'event' ? change : { ...change, unlessHeld: change.unlessLeased },
  );
  return { ...write, changes };
}

/** A snapshot, or changes: the caller iterates it and must close it. */
interface Read<T> {
  chunks(): AsyncIterable<T>;
  close(): void;
}

/** Resolves with the result of a step of an adapter. Rejects, with its file and step, when it fails or takes longer than `milliseconds`. */
export async function inTime<T>(path: string, step: string, milliseconds: number, run: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([(async () => await run())(), late]);
  } catch (error) {
    throw new Error(`adapter ${path}: ${step} failed: ${messageOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw ownError(error);
  }
}

/** Returns an error of another copy of the class `RivuletError` as one of this copy; `instanceof` does not recognise it. */
function ownError(error: unknown): unknown {
  if (error instanceof RivuletError || !(error instanceof Error) || error.name !== 'RivuletError' || !('code' in error)) return error;
  const { code } = error;
  return isErrorCode(code) ? new RivuletError(code, error.message, { cause: error }) : error;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}
