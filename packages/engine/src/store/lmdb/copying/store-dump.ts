import { chunksOf, type DumpedExpiry, type DumpedGroup, type DumpedItem, type DumpedStore, type DumpSource } from '../../shared/dump.js';
import type { RecordedExpiry } from '../tables/records.js';
import { type ReadGroup, StoreReader } from './store-reader.js';

/** Reads the store of a directory that no engine uses, for an export. */
export class LmdbDump implements DumpSource {
  readonly #reader: StoreReader;

  private constructor(reader: StoreReader) {
    this.#reader = reader;
  }

  static async open(directory: string): Promise<LmdbDump> {
    return new LmdbDump(await StoreReader.open(directory));
  }

  get store(): DumpedStore {
    const { epoch, removedOffset, removedTimestamp } = this.#reader.state;
    return { epoch, removedOffset, removedTimestamp };
  }

  async *groups(): AsyncIterable<DumpedGroup> {
    for (const group of this.#reader.groups()) {
      const { stream, head } = group;
      // After a crash, events may have taken offsets up to `reserved`.
      const offset = Math.max(head.offset, head.reserved);
      yield { stream, group: group.group, offset, timestamp: head.timestamp, chunks: () => chunksOf(this.#items(group)) };
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  *#items(group: ReadGroup): Iterable<DumpedItem> {
    for (const item of this.#reader.items(group)) yield { ...item, expiry: item.expiry && dumped(item.expiry) };
  }
}

function dumped(expiry: RecordedExpiry): DumpedExpiry {
  return expiry.kind === 'ttl' ? { kind: 'ttl', at: expiry.at } : { kind: 'leased', graceMs: expiry.graceMs };
}
