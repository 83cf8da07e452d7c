import { type ErrorCode, field, type JsonText, LIMITS, RivuletError } from '@rivulet/protocol';
import type { Fabric } from '../core/fabric.js';
import type { Call, Outcome } from '../core/invocation.js';
import { requireStorable } from '../core/stored-value.js';
import { applyUpdateOps } from '../core/update-apply.js';
import { parseUpdateOps } from '../core/update-ops.js';
import type { Logger } from '../logging/logger.js';
import { listGroup } from './list.js';
import { PendingWrites } from './pending-writes.js';
import type { ApplyResult, Change, StreamStore } from './store.js';
import { mismatch, readCount, readData, readFlag, readGroup, readId, readInput, readText, requireExact } from './stream-input.js';

interface Parts {
  readonly fabric: Fabric;
  readonly store: StreamStore;
  readonly logger: Logger;
}

/** Left for the envelope of an answer when a list is measured against the caller's message limit. */
const ENVELOPE_BYTES = 4_096;
const MOST_LISTED = 100_000;

/** Registers the eight stream::* functions (spec ST §2.1). */
export function registerStreamFunctions(parts: Parts): void {
  const functions = new StreamFunctions(parts);
  const add = (id: string, error: ErrorCode, description: string, run: (call: Call) => Promise<JsonText | undefined>) => {
    parts.fabric.registerBuiltin(id, (call) => functions.answer(run(call), error), description);
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
  readonly #store: StreamStore;
  readonly #logger: Logger;
  readonly #writes = new PendingWrites();

  constructor(parts: Parts) {
    this.#store = parts.store;
    this.#logger = parts.logger;
  }

  /** A code of our own passes through; every other failure is the function's (spec ST §2.1). */
  answer(running: Promise<JsonText | undefined>, code: ErrorCode): Promise<Outcome> {
    return running.then(
      (text) => ({ kind: 'result', text }) as const,
      (error: unknown) => {
        if (error instanceof RivuletError) return { kind: 'error', error: error.toBody() } as const;
        this.#logger.error('stream_function_failed', { code, error: error instanceof Error ? error.stack : String(error) });
        return { kind: 'error', error: { code, message: 'the store failed; the log of the engine has the cause' } } as const;
      },
    );
  }

  async set(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const change = { kind: 'set', ...readGroup(input), item: readId(input, 'item_id'), data: readData(call, input) } as const;
    requireStorable(change.data);
    const result = await this.#apply(change);
    return `{"old_value":${result.old ?? 'null'},"new_value":${change.data}}`;
  }

  async get(call: Call): Promise<JsonText | undefined> {
    const input = readInput(call);
    const ref = readGroup(input);
    const item = readId(input, 'item_id');
    if (!this.#writes.has(ref)) return (await this.#store.get(ref, item)).value?.data;
    // Writes that were asked for before it are on their way: it stands in line with them, and writes nothing.
    return (await this.#store.apply({ kind: 'update', ...ref, item, compute: () => undefined })).old;
  }

  async delete(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const result = await this.#apply({ kind: 'delete', ...readGroup(input), item: readId(input, 'item_id') });
    return `{"old_value":${result.old ?? 'null'}}`;
  }

  async list(call: Call): Promise<JsonText> {
    const input = readInput(call);
    const ref = readGroup(input);
    const options = {
      withIds: readFlag(input, 'with_ids'),
      limit: readCount(input, 'limit', MOST_LISTED),
      after: readText(input, 'after'),
      maxBytes: (call.caller?.maxMessageBytes ?? LIMITS.workerMessageBytes) - ENVELOPE_BYTES,
    };
    await this.#writes.settled(ref);
    return listGroup(this.#store, ref, options);
  }

  async listGroups(call: Call): Promise<JsonText> {
    const stream = readId(readInput(call), 'stream_name');
    await this.#writes.allSettled();
    return JSON.stringify(await this.#store.groups(stream));
  }

  async listAll(): Promise<JsonText> {
    await this.#writes.allSettled();
    const rows: { id: string; groups: readonly string[] }[] = [];
    for (const id of await this.#store.streams()) rows.push({ id, groups: await this.#store.groups(id) });
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
    await this.#apply({ kind: 'event', ...readGroup(input), item, type, data: readData(call, input, 'null') });
    return 'null';
  }

  async update(call: Call): Promise<JsonText> {
    const input = readInput(call);
    requireExact(call);
    const parsed = parseUpdateOps(field(input, 'ops'));
    if (parsed.kind === 'invalid') throw mismatch(parsed.message);
    let after: JsonText | undefined;
    let errors: readonly unknown[] = [];
    const compute = (old: JsonText | undefined) => {
      const applied = applyUpdateOps(old, parsed.ops);
      after = applied.text;
      errors = applied.errors;
      return applied.changed ? applied.text : undefined;
    };
    const result = await this.#apply({ kind: 'update', ...readGroup(input), item: readId(input, 'item_id'), compute });
    const tail = errors.length === 0 ? '' : `,"errors":${JSON.stringify(errors)}`;
    return `{"old_value":${result.old ?? 'null'},"new_value":${after ?? 'null'}${tail}}`;
  }

  #apply(change: Change): Promise<ApplyResult> {
    const applying = this.#store.apply(change);
    this.#writes.began(change, applying);
    return applying;
  }
}
