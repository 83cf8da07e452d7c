import { type JsonText, LIMITS, type Position, parseJson, RivuletError, type StreamEffect } from '@rivulet/protocol';
import { requireStorable } from '../../core/builtins/stored-value.js';
import type { Logger } from '../../logging/logger.js';
import { groupsPage, sortedPage, streamsPage } from '../../store/callers/list-names.js';
import { requireId } from '../../store/shared/ids.js';
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
  StoredItem,
  StoreEvents,
  StreamStore,
  Write,
  WriteResult,
} from '../../store/store.js';
import { CoalescedReads } from '../../structures/coalesced-reads.js';
import { KeyedSerialQueue } from '../../structures/keyed-serial-queue.js';
import { messageOf } from '../../structures/message-of.js';
import { pageOf } from '../../structures/sorted-names.js';
import { UncertainGroups } from './uncertain-groups.js';
import { type BackendOperation, type CallOptions, type WorkerBackends, WRITE_ERRORS } from './worker-backends.js';
import { groupInput, itemInput, jsonError, readItems, readWritten, type WorkerWrite } from './worker-messages.js';

const ITEM_OPERATIONS = ['get', 'set', 'update', 'delete', 'list'] as const satisfies readonly BackendOperation[];

type ItemChange = Extract<Change, { kind: 'set' | 'update' | 'delete' }>;
type WriteKind = keyof typeof WRITE_ERRORS;
type Applied = Extract<ApplyResult, { kind: 'applied' }>;

/** Options of a call that belongs to a write. */
type WriteCall = Required<CallOptions> & { readonly of: WriteKind };

/** The items of a group as its worker returned them. */
interface Listed extends Pick<Snapshot, 'position' | 'timestamp'> {
  readonly items: readonly StoredItem[];
}

/**
 * The store of the engine, in which workers serve some streams (spec ST §2.9).
 *
 * A write to such a stream goes to its worker, and the reply of the worker is the commit. Then the store of the engine gives the change an
 * offset and a timestamp, and publishes it without keeping it. So fan-out, triggers and order are the same as for every stream.
 *
 * Writes to one item run one after another. A snapshot is read from the worker, which knows no offsets. Its position is that of the group
 * before the call. So a subscriber may see a change twice, in the snapshot and after it, and misses none.
 */
export class WorkerBackedStore implements StreamStore {
  readonly #inner: StreamStore;
  readonly #backends: WorkerBackends;
  readonly #logger: Logger;
  readonly #lines = new KeyedSerialQueue();
  readonly #lists = new CoalescedReads<Listed>();
  /** Groups with a write that their worker may have stored or not. */
  readonly uncertainGroups = new UncertainGroups();

  constructor(inner: StreamStore, backends: WorkerBackends, logger: Logger) {
    this.#inner = inner;
    this.#backends = backends;
    this.#logger = logger;
  }

  start(events: StoreEvents): Promise<void> {
    return this.#inner.start(events);
  }

  /** Not an async function, so that a write to a stream of the store costs only one look-up. */
  apply(change: Change, origin?: string): Promise<ApplyResult> {
    try {
      if (change.kind === 'event' || change.kind === 'external' || !this.#takes(change)) return this.#inner.apply(change, origin);
      requireId(change.group, 'group_id');
      requireId(change.item, 'item_id');
      return this.#inLine(change, (deadline) => this.#write(change, this.#part(change.kind, change, deadline)));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /**
   * Writes to a stream that no worker serves, because a worker decides no conditions and remembers no keys. Throws INVALID_ARGUMENTS
   * otherwise. Events are always written by the store.
   */
  async write(write: Write, origin?: string): Promise<WriteResult> {
    if (write.changes.some(({ kind }) => kind !== 'event')) this.requireOwn(write.stream);
    if (this.#inner.write !== undefined) return this.#inner.write(write, origin);
    throw unsupported();
  }

  /** Throws INVALID_ARGUMENTS when the store of the stream keeps no leases. */
  requireLeases(stream: string): void {
    this.requireOwn(stream);
    if (this.#inner.write === undefined) throw unsupported();
  }

  /** Throws INVALID_ARGUMENTS when a worker serves the stream, because only the store of the engine knows versions and positions. */
  requireOwn(stream: string): void {
    if (!ITEM_OPERATIONS.some((operation) => this.#backends.serves(operation, stream))) return;
    throw new RivuletError(
      'INVALID_ARGUMENTS',
      `a worker serves the stream ${stream}, which has no versions, positions, conditions, idempotency keys, times to live and batches`,
    );
  }

  /** Returns whether a worker computes the updates of this stream itself. */
  updates(stream: string): boolean {
    return this.#backends.serves('update', stream);
  }

  /** Updates an item. The worker of the stream computes the new value from the operations. */
  update(ref: GroupRef, item: string, ops: JsonText): Promise<Applied> {
    return this.#inLine({ ...ref, item }, async (deadline) => {
      const part = this.#part('update', ref, deadline);
      const before = this.#backends.serves('get', ref.stream) ? await this.#before(ref, item, part) : undefined;
      const answer = await this.#backends.call('update', ref.stream, itemInput(ref, item, `,"ops":${ops}`), part);
      const written = readWritten('update', answer);
      if (written?.new === undefined) {
        this.uncertainGroups.add(ref);
        throw jsonError('update', ref.stream, 'an object with new_value; the update may have taken effect');
      }
      return this.#publishWrite('update', ref, item, written.hadOld ? written.old : before, written.new);
    });
  }

  /** Returns the value of an item after all writes of the item that were called before. Writes nothing. */
  async getInLine(ref: GroupRef, item: string): Promise<JsonText | undefined> {
    if (!this.#backends.serves('get', ref.stream))
      return (await this.#inner.apply({ kind: 'update', ...ref, item, compute: () => undefined })).old;
    return this.#inLine({ ...ref, item }, (deadline) => this.#read(ref, item, { of: 'get', deadline }));
  }

  async get(ref: GroupRef, item: string): Promise<ItemRead> {
    const read = this.#backends.serves('get', ref.stream) ? () => this.#read(ref, item) : undefined;
    const own = await this.#inner.get(ref, item);
    if (read === undefined) return own;
    const data = await read();
    const { offset } = own.position;
    return { ...own, value: data === undefined ? undefined : { item, data, created: 0, changed: offset } };
  }

  async snapshot(ref: GroupRef, pace?: ReadPace): Promise<Snapshot> {
    if (!this.#backends.serves('list', ref.stream)) return this.#inner.snapshot(ref, pace);
    // When a worker comes back, every subscriber of its streams needs a snapshot: thousands may share one reply.
    const listed = await this.#lists.run(ref.stream, ref.group, () => this.#list(ref));
    return {
      ...listed,
      external: true,
      async *chunks() {
        yield listed.items;
      },
      close() {},
    };
  }

  /** Returns the store that lists the items of a stream. */
  listed(stream: string): StreamStore {
    return this.keeps('list', stream) ? this.#inner : this;
  }

  async changes(ref: GroupRef, since: Position, pace?: ReadPace): Promise<Changes> {
    // Only the worker knows what changed, and it has no function for that.
    if (this.#backends.serves('list', ref.stream)) return { kind: 'stale', reason: 'backend' };
    return this.#inner.changes(ref, since, pace);
  }

  async groups(stream: string): Promise<readonly string[]> {
    if (!this.#backends.serves('list_groups', stream)) return this.#inner.groups(stream);
    const answer = await this.#backends.call('list_groups', stream, `{"stream_name":${JSON.stringify(stream)}}`);
    const groups: unknown = answer === undefined ? [] : parseJson(answer);
    if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string')) {
      throw jsonError('list_groups', stream, 'an array of strings');
    }
    return groups as string[];
  }

  async streams(): Promise<readonly string[]> {
    return [...new Set([...(await this.#inner.streams()), ...this.#backends.streams])].sort();
  }

  /** Returns a page of the groups of a stream. Groups of a worker keep its order when there are no bounds. */
  async groupsPage(stream: string, bounds: PageBounds): Promise<NamesPage> {
    if (this.keeps('list_groups', stream)) return groupsPage(this.#inner, stream, bounds);
    return servedPage(await this.groups(stream), bounds);
  }

  async streamsPage(bounds: PageBounds): Promise<NamesPage> {
    const page = await streamsPage(this.#inner, bounds);
    const end = page.more ? page.names.at(-1) : undefined;
    const served = this.#backends.streams.filter((name) => end === undefined || name <= end);
    if (served.length === 0) return page;
    const both = await sortedPage([...page.names, ...served], bounds);
    return { names: both.names, more: both.more || page.more };
  }

  /** Returns whether the store of the engine serves the operation, and no worker. */
  keeps(operation: BackendOperation, stream: string): boolean {
    return !this.#backends.serves(operation, stream);
  }

  /**
   * Returns a page as `groupsPage`. When the worker of the stream fails, the page is empty and a line is logged: other streams are still
   * listed.
   */
  async listedPage(stream: string, bounds: PageBounds): Promise<NamesPage> {
    const isServed = this.#backends.streams.includes(stream);
    try {
      return await this.groupsPage(stream, bounds);
    } catch (error) {
      if (!isServed) throw error;
      return this.#notListed(stream, error);
    }
  }

  /**
   * Calls the workers of the streams, all at once, so that several workers that do not reply cost one time-out. Returns a function for each
   * stream that a worker has served.
   */
  listServed(streams: readonly string[]): ReadonlyMap<string, (bounds: PageBounds) => Promise<NamesPage>> {
    const served = new Set(this.#backends.streams);
    return new Map(
      streams
        .filter((stream) => served.has(stream))
        .map((stream) => {
          const groups = this.groups(stream).catch((error: unknown) => this.#notListed(stream, error).names);
          return [stream, async (bounds: PageBounds) => servedPage(await groups, bounds)];
        }),
    );
  }

  #notListed(stream: string, error: unknown): NamesPage {
    this.#logger.warn('stream_not_listed', { stream, error: String(error) });
    return { names: [], more: false };
  }

  watch(ref: GroupRef): Promise<void> {
    return this.#inner.watch(ref);
  }

  unwatch(ref: GroupRef): void {
    this.#inner.unwatch(ref);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #takes({ kind, stream }: ItemChange): boolean {
    if (kind !== 'update') return this.#backends.serves(kind, stream);
    return this.#backends.serves('set', stream) || this.#backends.serves('get', stream);
  }

  async #list(ref: GroupRef): Promise<Listed> {
    // Read before the call: a later commit stands after the snapshot.
    const { position, timestamp } = await this.#inner.get(ref, '');
    const answer = await this.#backends.call('list', ref.stream, groupInput(ref));
    return { position, timestamp, items: readItems(answer, ref.stream, position.offset) };
  }

  /** Runs `work` after the earlier writes of the item. The deadline includes the wait, so writes behind a worker that hangs end in time. */
  #inLine<T>({ stream, group, item }: GroupRef & { readonly item: string }, work: (deadline: number) => Promise<T>): Promise<T> {
    if (this.#lines.size >= LIMITS.backendWrites) {
      throw new RivuletError('OVERLOADED', `more than ${LIMITS.backendWrites} writes wait for workers that serve streams; slow down`);
    }
    const { deadline } = this.#backends;
    return this.#lines.run(JSON.stringify([stream, group, item]), () => work(deadline));
  }

  #write(change: ItemChange, part: WriteCall): Promise<ApplyResult> {
    switch (change.kind) {
      case 'set':
        return this.#set(change, change.item, change.data, part);
      case 'update':
        return this.#update(change, part);
      case 'delete':
        return this.#delete(change, change.item, part);
      default:
        return change satisfies never;
    }
  }

  async #set(
    ref: GroupRef,
    item: string,
    data: JsonText,
    part: WriteCall,
    known?: { readonly old: JsonText | undefined },
  ): Promise<Applied> {
    // Read before the write, because the old value is lost afterwards. Used when the worker does not return it.
    const before = known ?? { old: this.#backends.serves('get', ref.stream) ? await this.#before(ref, item, part) : undefined };
    const answer = await this.#backends.call('set', ref.stream, itemInput(ref, item, `,"data":${data}`), part);
    const written = readWritten('set', answer);
    if (written === undefined) return this.#publishWrite(part.of, ref, item, before.old, data);
    return this.#publishWrite(part.of, ref, item, written.hadOld ? written.old : before.old, written.new ?? data);
  }

  async #update(change: Extract<Change, { kind: 'update' }>, part: WriteCall): Promise<ApplyResult> {
    const { stream, item } = change;
    const stored = this.#backends.serves('get', stream)
      ? this.#before(change, item, part)
      : this.#inner.get(change, item).then(({ value }) => value?.data);
    const old = await stored;
    const data = change.compute(old);
    if (data === undefined) return { kind: 'unchanged', old };
    requireStorable(data);
    if (this.#backends.serves('set', stream)) return this.#set(change, item, data, part, { old });
    return this.#inner.apply({ kind: 'set', stream, group: change.group, item, data });
  }

  async #delete(ref: GroupRef, item: string, part: WriteCall): Promise<ApplyResult> {
    const before = this.#backends.serves('get', ref.stream) ? await this.#before(ref, item, part) : undefined;
    const answer = await this.#backends.call('delete', ref.stream, itemInput(ref, item, ''), part);
    const written = readWritten('delete', answer);
    const old = written?.hadOld === true ? written.old : before;
    if (old === undefined) return { kind: 'unchanged', old };
    return this.#publish(part.of, ref, item, 'delete', old, { old, new: undefined });
  }

  /** Returns the options of a call. They keep only the group of the change, because they may wait for a late reply. */
  #part(of: WriteKind, { stream, group }: GroupRef, deadline: number): WriteCall {
    return { of, deadline, onUncertain: () => this.uncertainGroups.add({ stream, group }) };
  }

  /** Returns the value before a write. A failure of this read leaves the item as it is, so its outcome is certain. */
  #before(ref: GroupRef, item: string, { of, deadline }: WriteCall): Promise<JsonText | undefined> {
    return this.#read(ref, item, { of, deadline });
  }

  #read(ref: GroupRef, item: string, part?: CallOptions): Promise<JsonText | undefined> {
    return this.#backends.call('get', ref.stream, itemInput(ref, item, ''), part);
  }

  #publishWrite(of: WriteKind, ref: GroupRef, item: string, old: JsonText | undefined, data: JsonText): Promise<Applied> {
    return this.#publish(of, ref, item, old === undefined ? 'create' : 'update', data, { old, new: data });
  }

  /**
   * Gives a change that the worker has stored its offset and timestamp, and publishes it. After a failure the worker still has the change:
   * the caller gets an error that says so, and watchers get a new snapshot.
   */
  async #publish(
    of: WriteKind,
    { stream, group }: GroupRef,
    item: string,
    effect: StreamEffect,
    data: JsonText,
    written: WorkerWrite,
  ): Promise<Applied> {
    try {
      if (effect !== 'delete') requireStorable(data);
      const result = await this.#inner.apply({ kind: 'external', stream, group, item, effect, data });
      if (result.kind !== 'applied') throw new Error(`an external change was not applied: ${result.kind}`);
      return { ...result, ...written };
    } catch (error) {
      this.uncertainGroups.add({ stream, group });
      const cause = messageOf(error);
      throw new RivuletError(
        WRITE_ERRORS[of],
        `the worker of ${stream} has done it, but the engine could not publish the change: ${cause}`,
        {
          cause: error,
        },
      );
    }
  }
}

/** Returns a page of the names that a worker returned. */
async function servedPage(names: readonly string[], bounds: PageBounds): Promise<NamesPage> {
  const isWhole = bounds.after === undefined && bounds.limit === Number.POSITIVE_INFINITY;
  return isWhole ? pageOf(names, bounds) : sortedPage(names, bounds);
}

function unsupported(): RivuletError {
  return new RivuletError(
    'INVALID_ARGUMENTS',
    'the adapter of this engine offers no conditions, versions of writes, idempotency keys, times to live, leases and batches; write without them',
  );
}
