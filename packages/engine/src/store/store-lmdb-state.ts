import type { Table } from '../storage/lmdb-environment.js';
import type { KeyTotals } from './store-lmdb-keys.js';
import { decodeText, encodeText } from './store-lmdb-records.js';

/** What the store keeps beside groups. */
export interface StoreState extends KeyTotals {
  epoch: string;
  /** Counts the starts, so that what was held in an earlier run is known as such. */
  run: number;
  nextGroup: number;
  /** Highest offset and stamp of heads that are gone. */
  removedOffset: number;
  removedTimestamp: number;
  /** A relaxed store that was not closed may have lost commits that were seen. */
  clean: boolean;
}

type Stored = Omit<StoreState, 'keys' | 'keyBytes' | 'run'> & Partial<StoreState>;

const STATE_KEY = Buffer.from('state');

export function readState(meta: Table): StoreState | undefined {
  const record = meta.get(STATE_KEY);
  if (record === undefined) return undefined;
  // The first stores knew neither keys nor runs.
  const { keys = 0, keyBytes = 0, run = 0, ...known } = JSON.parse(decodeText(STATE_KEY, record)) as Stored;
  return { ...known, keys, keyBytes, run };
}

export function writeState(meta: Table, state: StoreState): void {
  meta.put(STATE_KEY, encodeText(STATE_KEY, JSON.stringify(state)));
}
