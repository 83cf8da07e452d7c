import { formatPosition, type JsonText, type Position } from '@rivulet/protocol';
import { resultBytes } from '../core/builtin-answer.js';
import { readCount, readFlag, readInput, readText } from '../core/builtin-input.js';
import type { Call } from '../core/invocation.js';
import { listGroup } from '../store/list-group.js';
import type { PendingWrites } from '../store/pending-writes.js';
import type { GroupRef, StoredItem } from '../store/store.js';
import type { BackedStore } from './backed-store.js';
import { readGroup, readId } from './stream-input.js';

const MOST_LISTED = 100_000;

/** The stream::* functions that read. Each sees what was written before it was called. */
export class StreamReads {
  readonly #store: BackedStore;
  readonly #pending: PendingWrites;

  constructor(store: BackedStore, pending: PendingWrites) {
    this.#store = store;
    this.#pending = pending;
  }

  async get(call: Call): Promise<JsonText | undefined> {
    const input = readInput(call);
    const ref = readGroup(input);
    const item = readId(input, 'item_id');
    if (readFlag(input, 'with_versions')) return this.#getVersion(ref, item);
    if (!this.#pending.has(ref)) return (await this.#store.get(ref, item)).value?.data;
    // Writes that were asked for before it are on their way: it stands in line with them, and writes nothing.
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
    const { rows, position } = await listGroup(this.#store, ref, options);
    return withPosition ? `{"items":${rows},"position":${textOf(position)}}` : rows;
  }

  async listGroups(call: Call): Promise<JsonText> {
    const stream = readId(readInput(call), 'stream_name');
    await this.#pending.streamSettled(stream);
    return JSON.stringify(await this.#store.groups(stream));
  }

  async listAll(): Promise<JsonText> {
    await this.#pending.allSettled();
    const rows = await this.#store.catalogue();
    return JSON.stringify({ stream: rows, count: rows.length });
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
