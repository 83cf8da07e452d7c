import { RivuletError } from '@rivulet/protocol';
import { LmdbEnvironment, type View } from '../env/environment.js';
import {
  decodeHead,
  decodeItem,
  decodeText,
  type Head,
  itemKey,
  LAST_NUMBER,
  numbersKey,
  type RecordedExpiry,
  splitHeadKey,
} from '../tables/records.js';
import { readState, type StoreState } from '../tables/store-meta.js';
import { TABLES, type Tables } from '../tables/tables.js';
import { coded, refuseDamage } from './store-copy.js';

/** Heads that are read at a time, so that a store of a million groups needs little memory. */
const HEADS_AT_ONCE = 1_000;

/** A group as its record describes it. */
export interface ReadGroup {
  readonly stream: string;
  readonly group: string;
  readonly head: Head;
}

export interface ReadItem {
  readonly item: string;
  readonly data: string;
  readonly created: number;
  readonly changed: number;
  readonly expiry: RecordedExpiry | undefined;
}

/**
 * Reads a whole store of a directory that no engine uses. It takes the lock of the directory. Damaged pages throw CORRUPT_STORE when it
 * opens. Every record is checked: a damaged or missing one throws CORRUPT_ITEM.
 */
export class StoreReader {
  readonly #environment: LmdbEnvironment;
  readonly #tables: Tables;
  readonly #view: View;
  readonly state: StoreState;

  private constructor(environment: LmdbEnvironment, directory: string) {
    this.#environment = environment;
    this.#tables = Object.fromEntries(TABLES.map((name) => [name, environment.table(name)])) as unknown as Tables;
    this.#view = environment.readView();
    const state = readState(this.#tables.meta);
    if (state === undefined) throw new RivuletError('CORRUPT_STORE', `${directory} has no state record; run rivulet salvage ${directory}`);
    this.state = state;
  }

  static async open(directory: string): Promise<StoreReader> {
    try {
      const options = { path: directory, relaxed: false, tables: TABLES, preflight: refuseDamage };
      return new StoreReader(await LmdbEnvironment.open(options), directory);
    } catch (error) {
      throw coded(error);
    }
  }

  /** Yields all groups in the order of their names. */
  *groups(): Iterable<ReadGroup> {
    let start: Buffer | undefined;
    for (;;) {
      const range = { ...(start === undefined ? {} : { start }), limit: HEADS_AT_ONCE, transaction: this.#view };
      const page = [...this.#tables.heads.getRange(range)].map(({ key, value }) => ({ key: Buffer.from(key), value: Buffer.from(value) }));
      for (const { key, value } of page) {
        const head = decodeHead(key, value);
        yield { ...splitHeadKey(key), head };
      }
      const last = page.at(-1);
      if (page.length < HEADS_AT_ONCE || last === undefined) return;
      start = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  /** Yields the items of a group in the order of their creation. Throws CORRUPT_ITEM when there are not as many as the group says. */
  *items({ stream, group, head }: ReadGroup): Iterable<ReadItem> {
    const range = { start: numbersKey(head.number, 0), end: numbersKey(head.number, LAST_NUMBER), transaction: this.#view };
    let count = 0;
    for (const { key, value } of this.#tables.order.getRange(range)) {
      const item = decodeText(key, value);
      const place = itemKey(head.number, item);
      const record = this.#tables.items.get(place, { transaction: this.#view });
      if (record === undefined) throw missing(stream, group, `the record of item ${item} is missing`);
      const { live, ...stored } = decodeItem(place, record);
      if (!live) throw missing(stream, group, `item ${item} is deleted and still in the order of its group`);
      count++;
      yield { item, ...stored };
    }
    if (count !== head.items) throw missing(stream, group, `it has ${count} items of ${head.items}`);
  }

  async close(): Promise<void> {
    this.#view.done();
    await this.#environment.close(undefined);
  }
}

function missing(stream: string, group: string, what: string): RivuletError {
  return new RivuletError('CORRUPT_ITEM', `group ${group} of ${stream}: ${what}; run rivulet check on the directory`);
}
