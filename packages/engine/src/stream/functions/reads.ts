import { field, formatPosition, isJsonObject, type JsonObject, type JsonText, type Position, stringField } from '@rivulet/protocol';
import { resultBytes } from '../../core/builtins/answer.js';
import { mismatch, readCount, readFlag, readInput, readText } from '../../core/builtins/input.js';
import type { Call } from '../../core/fabric/invocation.js';
import { listGroup } from '../../store/callers/list-group.js';
import { boundsOf, type NamesList, nextText, writeNames } from '../../store/callers/list-names.js';
import { ListSlots } from '../../store/callers/list-slots.js';
import type { PendingWrites } from '../../store/callers/pending-writes.js';
import { requireId } from '../../store/shared/ids.js';
import type { GroupRef, StoredItem } from '../../store/store.js';
import { systemClock } from '../../structures/clock.js';
import { CoalescedReads } from '../../structures/coalesced-reads.js';
import { TurnBudget } from '../../structures/turn-budget.js';
import type { WorkerBackedStore } from '../worker-store/worker-backed-store.js';
import { type GroupPlace, listAll } from './list-all.js';
import { MOST_LISTED, readGroup, readId, readNamesQuery } from './stream-input.js';

/** The `stream::*` functions that read. Each sees every write that was called before it. */
export class StreamReads {
  readonly #store: WorkerBackedStore;
  readonly #pending: PendingWrites;
  /** Lists that are read now. Calls of the same list share it. */
  readonly #names = new CoalescedReads<NamesList>();
  readonly #all = new CoalescedReads<JsonText>();
  readonly #lists = new ListSlots();
  readonly #turns = TurnBudget.of(systemClock);
  /** Slots of their own, because lists of all streams wait for workers. */
  readonly #allLists = new ListSlots();

  constructor(store: WorkerBackedStore, pending: PendingWrites) {
    this.#store = store;
    this.#pending = pending;
  }

  async get(call: Call): Promise<JsonText | undefined> {
    const input = readInput(call);
    const ref = readGroup(input);
    const item = readId(input, 'item_id');
    if (readFlag(input, 'with_versions')) return this.#getVersion(ref, item);
    if (!this.#pending.has(ref)) return (await this.#store.get(ref, item)).value?.data;
    // Earlier writes of the group are under way. This read waits in line with them, and writes nothing.
    return this.#store.getInLine(ref, item);
  }

  async list(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const ref = readGroup(input);
    const withVersions = readFlag(input, 'with_versions');
    const withPosition = readFlag(input, 'with_position');
    const options = {
      row: withVersions ? versionRow : readFlag(input, 'with_ids') ? idRow : (item: StoredItem) => item.data,
      limit: readCount(input, 'limit', MOST_LISTED),
      after: readText(input, 'after'),
      maxBytes: resultBytes(call),
    };
    if (withVersions || withPosition) this.#store.requireOwn(ref.stream);
    await this.#pending.settled(ref);
    const { rows, position, next } = await this.#listing('list', ref.stream, () => listGroup(this.#store.listed(ref.stream), ref, options));
    if (!withPosition && !readFlag(input, 'with_next')) return rows;
    const shownPosition = withPosition ? `,"position":${textOf(position)}` : '';
    return `{"items":${rows}${shownPosition}${nextText(options.limit === undefined ? undefined : next)}}`;
  }

  async listGroups(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const stream = readId(input, 'stream_name');
    const query = readNamesQuery(call, input);
    await this.#pending.streamSettled(stream);
    const key = JSON.stringify(query);
    const { text, next } = await this.#names.run(stream, key, () =>
      this.#listing('list_groups', stream, async () => writeNames(await this.#store.groupsPage(stream, boundsOf(query)), query)),
    );
    await this.#turns.pay(text.length);
    return readFlag(input, 'with_next') ? `{"groups":[${text}]${nextText(next)}}` : `[${text}]`;
  }

  async listAll(call: Call): Promise<JsonText> {
    const input = isJsonObject(call.payload.value) ? call.payload.value : {};
    const query = { limit: readCount(input, 'limit', MOST_LISTED), after: readPlace(input), maxBytes: resultBytes(call) };
    await this.#pending.allSettled();
    const text = await this.#all.run('', JSON.stringify(query), () => this.#allLists.run(() => listAll(this.#store, query)));
    // Calls that share the list get it in different turns.
    await this.#turns.pay(text.length);
    return text;
  }

  /** Runs a list in a slot. A list that a worker returns takes none: the worker itself may call lists meanwhile. */
  #listing<T>(operation: 'list' | 'list_groups', stream: string, list: () => Promise<T>): Promise<T> {
    return this.#store.keeps(operation, stream) ? this.#lists.run(list) : list();
  }

  async #getVersion(ref: GroupRef, item: string): Promise<JsonText> {
    this.#store.requireOwn(ref.stream);
    await this.#pending.settled(ref);
    const { value, position } = await this.#store.get(ref, item);
    const version = value === undefined ? 'null' : textOf({ epoch: position.epoch, offset: value.changed });
    return `{"data":${value?.data ?? 'null'},"version":${version},"position":${textOf(position)}}`;
  }
}

function idRow({ item, data }: StoredItem): JsonText {
  return `{"id":${JSON.stringify(item)},"data":${data}}`;
}

function versionRow({ item, data, changed }: StoredItem, { epoch }: Position): JsonText {
  return `{"id":${JSON.stringify(item)},"data":${data},"version":${textOf({ epoch, offset: changed })}}`;
}

function textOf(position: Position): JsonText {
  return JSON.stringify(formatPosition(position));
}

/** Reads `after` of `stream::list_all`. */
function readPlace(input: JsonObject): GroupPlace | undefined {
  const after = field(input, 'after') ?? undefined;
  if (after === undefined) return undefined;
  const [stream, group] = isJsonObject(after) ? [stringField(after, 'stream'), stringField(after, 'group')] : [];
  if (stream === undefined || group === undefined) throw mismatch('after must be an object with the texts stream and group');
  requireId(stream, 'after.stream');
  requireId(group, 'after.group');
  return { stream, group };
}
