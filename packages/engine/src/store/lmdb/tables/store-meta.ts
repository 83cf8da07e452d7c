import type { Table } from '../env/environment.js';
import type { KeyTotals } from './idempotency-keys.js';
import { decodeText, encodeText } from './records.js';

/** The state of the store apart from its groups. */
export interface StoreState extends KeyTotals {
  /** The id in the marker; absent in a store of an older version. It shows that the data file belongs to the marker. */
  storeId?: string;
  epoch: string;
  /** Number of this run. It grows with each run that leased an item, so the leases of earlier runs can be recognised. */
  run: number;
  /** The number of this run is on the disk, because the run leased an item. */
  runSaved: boolean;
  nextGroup: number;
  /** Highest offset and timestamp of all removed heads. */
  removedOffset: number;
  removedTimestamp: number;
  /** False while a relaxed store is open: after a crash it may have lost commits that readers have seen. */
  clean: boolean;
}

type Stored = Omit<StoreState, 'keys' | 'keyBytes' | 'run' | 'runSaved'> & Partial<StoreState>;

export const STATE_KEY = Buffer.from('state');

/** Returns the state; `undefined` for a new store. */
export function readState(meta: Table): StoreState | undefined {
  const record = meta.get(STATE_KEY);
  return record === undefined ? undefined : decodeState(STATE_KEY, record);
}

/** Returns the state in a record; `undefined` for the record of another key. */
export function decodeState(key: Buffer, record: Buffer): StoreState | undefined {
  if (!key.equals(STATE_KEY)) return undefined;
  // The first version of the layout had neither keys nor runs.
  // oxlint-disable-next-line eslint/no-restricted-properties -- written by this store and checked by its checksum; a throw fails the start
  const { keys = 0, keyBytes = 0, run = 0, ...known } = JSON.parse(decodeText(STATE_KEY, record)) as Stored;
  return { ...known, keys, keyBytes, run, runSaved: false };
}

export function writeState(meta: Table, state: StoreState): void {
  meta.put(STATE_KEY, encodeText(STATE_KEY, JSON.stringify(state)));
}
