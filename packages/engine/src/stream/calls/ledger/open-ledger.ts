import { RivuletError } from '@rivulet/protocol';
import type { StreamStore, WritableStore } from '../../../store/store.js';
import type { CallLedger, LedgerCall, LedgerEntry, LedgerRun } from '../call-ledger.js';
import { StoredCallLedger, type StoredCallLedgerOptions } from './stored-call-ledger.js';

/** A ledger with its life: `start` when the store is open, `close` before the store closes. */
export interface OwnedLedger extends CallLedger {
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Returns the ledger of an engine with this store. */
export function createCallLedger({
  store,
  ...options
}: Omit<StoredCallLedgerOptions, 'store'> & { readonly store: StreamStore }): OwnedLedger {
  return isWritable(store) ? new StoredCallLedger({ store, ...options }) : KEYLESS;
}

function isWritable(store: StreamStore): store is WritableStore {
  return store.write !== undefined;
}

const UNSTORED: LedgerRun = {
  finish: () => Promise.resolve(),
  release: () => Promise.resolve(),
  abandon: () => Promise.resolve(),
};

/** The ledger over a store that remembers no keys. Only functions that may run twice can be called with a key. */
const KEYLESS: OwnedLedger = {
  start: () => Promise.resolve(),
  close: () => Promise.resolve(),
  findOutcome: () => Promise.resolve(undefined),
  begin: ({ idempotent }: LedgerCall): Promise<LedgerEntry> => {
    if (idempotent) return Promise.resolve({ kind: 'run', run: UNSTORED });
    const advice = 'call without a key, or register the function with the metadata idempotent: true';
    return Promise.reject(new RivuletError('INVALID_ARGUMENTS', `the stream store remembers no idempotency keys; ${advice}`));
  },
};
