import type { Table } from '../env/environment.js';
import type { KeyTotals } from './idempotency-keys.js';
import { decodeText, encodeText } from './records.js';

/** What the store keeps beside groups. */
export interface StoreState extends KeyTotals {
  epoch: string;
  /** Counts the runs that held something, so that what was held in an earlier one is known as such. */
  run: number;
  /** This run is on the disk: it held something. */
  runSaved: boolean;
  nextGroup: number;
  /** Highest offset and stamp of heads that are gone. */
  removedOffset: number;
  removedTimestamp: number;
  /** A relaxed store that was not closed may have lost commits that were seen. */
  clean: boolean;
}

type Stored = Omit<StoreState, 'keys' | 'keyBytes' | 'run' | 'runSaved'> & Partial<StoreState>;

const STATE_KEY = Buffer.from('state');

export function readState(meta: Table): StoreState | undefined {
  const record = meta.get(STATE_KEY);
  if (record === undefined) return undefined;
  // The first stores knew neither keys nor runs.
  // oxlint-disable-next-line eslint/no-restricted-properties -- written by this store and checked by its checksum; a throw fails the start
  const { keys = 0, keyBytes = 0, run = 0, ...known } = JSON.parse(decodeText(STATE_KEY, record)) as Stored;
  return { ...known, keys, keyBytes, run, runSaved: false };
}

export function writeState(meta: Table, state: StoreState): void {
  meta.put(STATE_KEY, encodeText(STATE_KEY, JSON.stringify(state)));
}
