import { type ErrorCode, field, type JsonText } from '@rivulet/protocol';
import { answerOf, resultBytes } from '../core/builtin-answer.js';
import { mismatch, readCount, readData, readFlag, readInput, readText } from '../core/builtin-input.js';
import type { Fabric } from '../core/fabric.js';
import type { Call } from '../core/invocation.js';
import { requireStorable } from '../core/stored-value.js';
import { UpdateCall } from '../core/update-call.js';
import type { Logger } from '../logging/logger.js';
import { requireId } from '../store/ids.js';
import { listGroup } from '../store/list-group.js';
import { PendingWrites } from '../store/pending-writes.js';
import type { ApplyResult, Change, StoredItem } from '../store/store.js';
import type { BackedStore } from './backed-store.js';
import { readGroup, readId } from './stream-input.js';

interface Parts {
  readonly fabric: Fabric;
  readonly store: BackedStore;
  readonly logger: Logger;
}

const MOST_LISTED = 100_000;

/** Registers the eight stream::* functions (spec ST §2.1). */
export function registerStreamFunctions(parts: Parts): void {
  const functions = new StreamFunctions(parts);
  const add = (id: string, error: ErrorCode, description: string, run: (call: Call) => Promise<JsonText | undefined>) => {
    parts.fabric.registerBuiltin(id, (call) => answerOf(run(call), error, parts.logger, 'stream_function_failed'), description);
  };
  add('stream::set', 'STREAM_SET_ERROR', 'Creates or replaces an item.', (call) => functions.set(call));
  add('stream::get', 'STREAM_GET_ERROR', 'Reads an item.', (call) => functions.get(call));
  add('stream::delete', 'STREAM_DELETE_ERROR', 'Removes an item.', (call) => functions.delete(call));
  add('stream::list', 'STREAM_GET_GROUP_ERROR', 'Lists the values of a group.', (call) => functions.list(call));
  add('stream::list_groups', 'STREAM_LIST_GROUPS_ERROR', 'Lists the groups of a stream.', (call) => functions.listGroups(call));
  add('stream::list_all', 'STREAM_LIST_ALL_ERROR', 'Lists streams and their groups.', () => functions.listAll());
  add('stream::send', 'STREAM_SEND_ERROR', 'Pushes an event to everyone who watches.', (call) => functions.send(call));
  add('stream::update', 'STREAM_UPDATE_ERROR', 'Changes an item by operations, atomically.', (call) => functions.update(call));
}

class StreamFunctions {
  readonly #store: BackedStore;
  readonly #writes = new PendingWrites();

  constructor(parts: Parts) {
    this.#store = parts.store;
  }

  async set(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const change = { kind: 'set', ...readGroup(input), item: readId(input, 'item_id'), data: readData(call, input) } as const;
    requireStorable(change.data);
    const result = await this.#apply(change, change.data.length);
    const after = result.kind === 'applied' ? result.new : undefined;
    return `{"old_value":${result.old ?? 'null'},"new_value":${after ?? change.data}}`;
  }

  async get(call: Call): Promise<JsonText | undefined> {
    const input = readInput(call);
    const ref = readGroup(input);
    const item = readId(input, 'item_id');
    if (!this.#writes.has(ref)) return (await this.#store.get(ref, item)).value?.data;
    // Writes that were asked for before it are on their way: it stands in line with them, and writes nothing.
    return this.#store.getInLine(ref, item);
  }

  async delete(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const result = await this.#apply({ kind: 'delete', ...readGroup(input), item: readId(input, 'item_id') }, 0);
    return `{"old_value":${result.old ?? 'null'}}`;
  }

  async list(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const ref = readGroup(input);
    const options = {
      row: readFlag(input, 'with_ids') ? withId : (item: StoredItem) => item.data,
      limit: readCount(input, 'limit', MOST_LISTED),
      after: readText(input, 'after'),
      maxBytes: resultBytes(call),
    };
    await this.#writes.settled(ref);
    return listGroup(this.#store, ref, options);
  }

  async listGroups(call: Call): Promise<JsonText> {
    const stream = readId(readInput(call), 'stream_name');
    await this.#writes.streamSettled(stream);
    return JSON.stringify(await this.#store.groups(stream));
  }

  async listAll(): Promise<JsonText> {
    await this.#writes.allSettled();
    const rows = await this.#store.catalogue();
    return JSON.stringify({ stream: rows, count: rows.length });
  }

  async send(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const type = field(input, 'type') ?? field(input, 'event_type') ?? 'message';
    if (typeof type !== 'string') throw mismatch('type must be a string');
    const id = field(input, 'id') ?? field(input, 'item_id') ?? undefined;
    if (id !== undefined && typeof id !== 'string') throw mismatch('id must be a string');
    // The empty id is that of a whole group everywhere on the wire.
    const item = id === '' ? undefined : id;
    if (item !== undefined) requireId(item, 'id');
    const event = { kind: 'event', ...readGroup(input), item, type, data: readData(call, input, 'null') } as const;
    await this.#apply(event, type.length + event.data.length);
    return 'null';
  }

  async update(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const update = new UpdateCall(call, input);
    const ref = readGroup(input);
    const item = readId(input, 'item_id');
    if (this.#store.updates(ref.stream)) {
      const { old, new: after } = await this.#writes.begin(ref, update.text.length, () => this.#store.update(ref, item, update.text));
      return `{"old_value":${old ?? 'null'},"new_value":${after ?? 'null'}}`;
    }
    const result = await this.#apply({ kind: 'update', ...ref, item, compute: update.compute }, update.text.length);
    return update.result(result.old, result.kind === 'applied' ? result.new : undefined);
  }

  /** `chars`: what the write keeps of its call until it is answered. */
  #apply(change: Change, chars: number): Promise<ApplyResult> {
    return this.#writes.begin(change, chars, () => this.#store.apply(change));
  }
}

function withId({ item, data }: StoredItem): JsonText {
  return `{"id":${JSON.stringify(item)},"data":${data}}`;
}
