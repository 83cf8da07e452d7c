import { randomUUID } from 'node:crypto';
import { RivuletError } from '@rivulet/protocol';
import type { DumpedExpiry, DumpedHead, DumpedItem, DumpedStore, DumpSink } from '../../shared/dump.js';
import { LmdbEnvironment } from '../env/environment.js';
import {
  encodeHead,
  encodeItem,
  encodeText,
  encodeVersion,
  expiryKey,
  headKey,
  itemKey,
  LAST_NUMBER,
  numbersKey,
  type RecordedExpiry,
} from '../tables/records.js';
import { writeState } from '../tables/store-meta.js';
import { TABLES, type Tables } from '../tables/tables.js';

/** Leases of an import belong to this run. The next start of the engine counts as a later one. */
const RUN = 1;
/** Items of one transaction, and characters of their values. */
const TRANSACTION_ITEMS = 4_096;
const TRANSACTION_CHARS = 8_388_608;

interface Loading extends DumpedHead {
  readonly number: number;
  readonly key: Buffer;
  items: number;
  lastCreated: number;
  /** The highest offset so far. Items of a Redis may have changed while they were exported. */
  last: number;
}

/** Fills a new store in an empty directory. Nothing is durable before `finish`. */
export class LmdbLoader implements DumpSink {
  readonly #environment: LmdbEnvironment;
  readonly #tables: Tables;
  #pending: (() => void)[] = [];
  #pendingItems = 0;
  #pendingChars = 0;
  #group: Loading | undefined;
  #nextNumber = 1;

  private constructor(environment: LmdbEnvironment) {
    this.#environment = environment;
    this.#tables = Object.fromEntries(TABLES.map((name) => [name, this.#environment.table(name)])) as unknown as Tables;
  }

  static async open(directory: string): Promise<LmdbLoader> {
    return new LmdbLoader(await LmdbEnvironment.open({ path: directory, relaxed: false, bulk: true, tables: TABLES }));
  }

  async beginGroup(head: DumpedHead): Promise<void> {
    const key = headKey(head.stream, head.group);
    this.#group = { ...head, key, number: this.#nextNumber++, items: 0, lastCreated: 0, last: head.offset };
  }

  async add(items: readonly DumpedItem[]): Promise<void> {
    const group = this.#require();
    for (const item of items) {
      if (item.created <= group.lastCreated) throw wrong(group, `item ${item.item} is not in the order of creation`);
      if (item.changed < item.created) throw wrong(group, `item ${item.item} has offsets that cannot be`);
      group.lastCreated = item.created;
      group.last = Math.max(group.last, item.changed);
      group.items++;
      this.#pendingItems++;
      this.#pendingChars += item.data.length;
      this.#pending.push(() => this.#put(group, item));
    }
    if (this.#pendingItems >= TRANSACTION_ITEMS || this.#pendingChars >= TRANSACTION_CHARS) await this.#flush();
  }

  async endGroup(): Promise<void> {
    const { stream, group, key, number, last: offset, timestamp, items } = this.#require();
    this.#group = undefined;
    this.#pendingItems++;
    this.#pending.push(() => {
      if (this.#tables.heads.get(key) !== undefined) throw wrong({ stream, group }, 'it comes twice');
      this.#tables.heads.put(key, encodeHead(key, { number, offset, timestamp, reserved: offset, floor: offset, items }));
    });
    if (this.#pendingItems >= TRANSACTION_ITEMS) await this.#flush();
  }

  async finish({ removedOffset, removedTimestamp }: Omit<DumpedStore, 'epoch'>, epoch: string | undefined): Promise<void> {
    const state = {
      epoch: epoch ?? randomUUID(),
      run: RUN,
      runSaved: true,
      nextGroup: this.#nextNumber,
      removedOffset,
      removedTimestamp,
      clean: true,
      keys: 0,
      keyBytes: 0,
    };
    this.#pending.push(() => writeState(this.#tables.meta, state));
    await this.#flush();
    await this.#environment.checkpoint();
  }

  close(): Promise<void> {
    return this.#environment.close(undefined);
  }

  async #flush(): Promise<void> {
    const writes = this.#pending;
    this.#pending = [];
    this.#pendingItems = 0;
    this.#pendingChars = 0;
    try {
      await this.#environment.transaction(() => {
        for (const write of writes) write();
      });
    } catch (error) {
      throw error instanceof Error && error.cause instanceof RivuletError ? error.cause : error;
    }
  }

  #put(group: Loading, { item, data, created, changed, expiry }: DumpedItem): void {
    const { items, order, versions, expiries } = this.#tables;
    const key = itemKey(group.number, item);
    const version = numbersKey(group.number, changed);
    if (items.get(key) !== undefined) throw wrong(group, `item ${item} comes twice`);
    if (versions.get(version) !== undefined) throw wrong(group, `two items have the offset ${changed}`);
    const recorded = expiry && recordedOf(expiry);
    items.put(key, encodeItem(key, { live: true, created, changed, expiry: recorded, data }));
    const place = numbersKey(group.number, created);
    order.put(place, encodeText(place, item));
    versions.put(version, encodeVersion(version, { live: true, created, item, valueId: undefined }));
    if (recorded === undefined) return;
    const due = expiryKey(recorded, group.number, created);
    expiries.put(due, encodeText(due, `${group.stream}\u0000${group.group}\u0000${item}`));
  }

  #require(): Loading {
    if (this.#group === undefined) throw new Error('no group was begun');
    return this.#group;
  }
}

function recordedOf(expiry: DumpedExpiry): RecordedExpiry {
  return expiry.kind === 'ttl'
    ? { kind: 'ttl', at: Math.min(expiry.at, LAST_NUMBER - 1) }
    : { kind: 'held', run: RUN, graceMs: expiry.graceMs };
}

function wrong({ stream, group }: { readonly stream: string; readonly group: string }, what: string): RivuletError {
  return new RivuletError('IMPORT_REFUSED', `group ${group} of ${stream}: ${what}; correct the file`);
}
